import { describe, expect, it } from 'vitest';
import { pageOf, siteLink, sourceOf } from '../../../docs/.vitepress/site-paths.ts';
import { slugify } from '../../../docs/.vitepress/slug.ts';

describe('pages', () => {
  it.each([
    ['README.md', 'readme.md'],
    ['docs/inbound.md', 'inbound.md'],
    ['docs/guides/okta.md', 'guides/okta.md'],
    ['bench/results/results.md', 'results.md'],
    ['examples/kubernetes/README.md', 'examples/kubernetes/index.md'],
    ['test/vectors/README.md', undefined],
    ['bench/scale.ts', undefined],
  ])('%s stands at %s', (file, page) => {
    expect(pageOf(file)).toBe(page);
  });
});

describe('links', () => {
  it.each([
    ['docs/inbound.md', '#dpop', '#dpop'],
    ['docs/inbound.md', 'reasons.md#refused', '/reasons.md#refused'],
    ['docs/inbound.md', '../README.md', '/readme.md'],
    ['docs/guides/okta.md', '../inbound.md', '/inbound.md'],
    ['README.md', 'docs/nest.md', '/nest.md'],
    ['docs/outbound.md', '../examples/clients/ky.ts', '/source/examples/clients/ky.ts.md'],
    ['docs/performance.md', '../bench/', '/source/bench.md'],
    ['examples/README.md', 'next/app/%5Bid%5D/route.ts', '/source/examples/next/app/_id_/route.ts.md'],
    ['docs/index.md', '/inbound', '/inbound'],
    ['docs/issuer.md', 'https://example.org/a.md', 'https://example.org/a.md'],
    ['docs/issuer.md', 'mailto:a@example.org', 'mailto:a@example.org'],
  ])('of %s to %s lead to %s', (document, link, page) => {
    expect(siteLink(document, link)).toBe(page);
  });

  it.each([
    ['docs/outbound.md', '../examples/clients/ky.ts', 'examples/clients/ky.ts'],
    ['docs/outbound.md', 'inbound.md', undefined],
    ['docs/outbound.md', '#targets', undefined],
    ['docs/outbound.md', 'https://example.org/a.ts', undefined],
  ])('of %s to %s need a page for %s', (document, link, source) => {
    expect(sourceOf(document, link)).toBe(source);
  });
});

it.each([
  ['What `npm start` shows', 'what-npm-start-shows'],
  ['Bun, Deno: one line', 'bun-deno-one-line'],
  ['RFC 9449 – DPoP', 'rfc-9449--dpop'],
  ['`invalid_client`', 'invalid_client'],
])('the anchor of «%s» is %s', (heading, anchor) => {
  expect(slugify(heading)).toBe(anchor);
});
