import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme-without-fonts';
import { MeasuredNumbers } from './measured-numbers.ts';
import './style.css';

const theme: Theme = {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component('MeasuredNumbers', MeasuredNumbers);
  },
};
export default theme;
