/** The site: `npm run docs` builds it, `npm run docs:dev` shows it while one writes. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vitepress';
import { markBefore } from './before.ts';
import { linkPages } from './repository-links.ts';
import { sidebar } from './sidebar.ts';
import { pageOf } from './site-paths.ts';
import { slugify } from './slug.ts';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const { version, description } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));

/** Where the site will stand, such as `https://example.org/service-auth/`; needed for its sitemap alone. */
const address = process.env.DOCS_URL === undefined ? undefined : new URL(process.env.DOCS_URL);

/** A key, in the colour of the site. */
const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="#1f7a4d" stroke-width="4" stroke-linecap="round"><circle cx="10" cy="16" r="6"/><path d="M16 16h12v6m-6-6v4"/></svg>';

/** Pages outside of `docs` do not find its packages by themselves. */
function resolveVue(): Plugin {
  return {
    name: 'vue-of-docs',
    enforce: 'pre',
    resolveId(id, _importer, { ssr }) {
      if (id !== 'vue' && !id.startsWith('vue/')) return null;
      if (ssr === true) return { id, external: true };
      return this.resolve(id, `${root}/docs/index.md`, { skipSelf: true });
    },
  };
}

export default defineConfig({
  title: 'service-auth',
  description,
  lang: 'en-GB',
  base: address?.pathname ?? '/',
  ...(address === undefined ? {} : { sitemap: { hostname: address.href } }),
  // All documents stay where they are; pages get shorter paths.
  srcDir: root,
  srcExclude: ['**/node_modules/**', '{src,adapters,test,coverage,dist,try-it}/**', 'docs/.vitepress/**'],
  rewrites: (file) => pageOf(file) ?? file,
  outDir: `${root}/docs/.vitepress/dist`,
  cacheDir: `${root}/docs/.vitepress/cache`,
  metaChunk: true,
  head: [
    ['link', { rel: 'icon', type: 'image/svg+xml', href: `data:image/svg+xml,${encodeURIComponent(icon)}` }],
  ],
  // The index of the search is one chunk.
  vite: { plugins: [resolveVue()], build: { chunkSizeWarningLimit: 2000 } },
  markdown: {
    anchor: { slugify },
    toc: { slugify },
    theme: { light: 'github-light', dark: 'github-dark' },
    config: (markdown) => {
      linkPages(markdown, root);
      markBefore(markdown);
    },
  },
  themeConfig: {
    nav: [
      { text: 'Start', link: '/readme' },
      { text: 'Protect', link: '/inbound' },
      { text: 'Call', link: '/outbound' },
      { text: 'Issuer', link: '/issuer' },
      { text: 'Reasons', link: '/reasons' },
      { text: 'Reference', link: '/reference/service-auth' },
      { text: version, link: '/changelog' },
    ],
    sidebar: sidebar(),
    outline: { level: [2, 3] },
    search: { provider: 'local', options: { detailedView: true } },
    externalLinkIcon: true,
    docFooter: { prev: 'Before', next: 'Next' },
    footer: { message: 'MIT licence' },
    notFound: {
      title: 'No such page',
      quote: 'The search knows all of them, and the start page the way.',
      linkText: 'To the start',
      linkLabel: 'To the start page',
    },
  },
});
