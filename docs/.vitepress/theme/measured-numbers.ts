/** The figures of the start page, as a list of links. */
import { withBase } from 'vitepress';
import { type FunctionalComponent, h } from 'vue';
import { data } from '../numbers.data.ts';

export const MeasuredNumbers: FunctionalComponent = () =>
  h(
    'ul',
    { class: 'numbers' },
    data.map(({ value, text, link }) =>
      h('li', h('a', { href: withBase(`${link}.html`) }, [h('strong', value), ' ', h('span', text)])),
    ),
  );
