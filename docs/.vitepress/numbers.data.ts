/** Makes the figures a part of the built start page. */
import { defineLoader } from 'vitepress';
import { type Figure, readNumbers } from './numbers.ts';

declare const data: readonly Figure[];

export { data };

export default defineLoader({ watch: ['../../bench/results/*.json'], load: readNumbers });
