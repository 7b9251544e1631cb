import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkSite } from '../../../docs/.vitepress/check-site.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'service-auth-site-'));
  mkdirSync(join(folder, 'guides'));
  writeFileSync(join(folder, 'inbound.html'), '<h2 class="a" id="dpop">DPoP</h2><img src="/a.svg">');
  writeFileSync(join(folder, 'guides/okta.html'), '<h1 id="okta">Okta</h1>');
  writeFileSync(join(folder, 'a.svg'), '<svg/>');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function faultsOf(link: string, base?: string): readonly string[] {
  writeFileSync(join(folder, 'index.html'), `<h1 id="top">Top</h1><p><a class="b" href="${link}">it</a></p>`);
  return checkSite(folder, base).filter((fault) => fault.startsWith('index.html'));
}

it.each([
  '#top',
  '/inbound.html',
  '/inbound.html#dpop',
  './guides/okta.html#okta',
  'guides/okta.html?x=1#okta',
  '/',
  '/a.svg',
  'https://example.org/anything#at-all',
  'http://127.0.0.1:4000/token',
])('%s leads somewhere', (link) => {
  expect(faultsOf(link)).toEqual([]);
});

it.each([
  ['#nowhere', 'names no heading'],
  ['/inbound.html#mtls', 'names no heading'],
  ['/outbound.html', 'leads to no page'],
  ['/guides', 'leads to no page'],
  ['/guides/', 'leads to no page'],
  ['https://', 'is no URL'],
  ['http://example.org', 'is not https'],
  ['//example.org', 'is no URL'],
])('%s %s', (link, fault) => {
  expect(faultsOf(link)).toEqual([`index.html: ${link} ${fault}`]);
});

it('knows a site that stands below a path', () => {
  expect(faultsOf('/product/inbound.html#dpop', '/product/')).toEqual([]);
  expect(faultsOf('/inbound.html', '/product/')).toEqual(['index.html: /inbound.html leads out of the site']);
});

it('an empty folder is no site', () => {
  expect(checkSite(join(folder, 'guides', '..', 'guides'))).toEqual([]);
  rmSync(join(folder, 'guides/okta.html'));
  expect(checkSite(join(folder, 'guides'))).toHaveLength(1);
});

it('links in scripts are none', () => {
  writeFileSync(join(folder, 'index.html'), '<script>const a = \'<a href="/nowhere">\'</script>');
  expect(checkSite(folder)).toEqual([]);
});
