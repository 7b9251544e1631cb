/** The built site in a browser: every page loads without an error, search finds, dark is dark. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { createSiteServer } from './site-server.ts';

const dist = fileURLToPath(new URL('dist', import.meta.url));
const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path));

assert(existsSync(`${dist}/index.html`), 'the site is not built: npm run docs');
if (executablePath === undefined) {
  console.error('The site was not tried: neither chromium nor google-chrome is installed.');
  // Where everything must hold, nothing is skipped.
  process.exitCode = process.env.CI === 'true' ? 1 : 0;
} else {
  const server = createSiteServer(dist).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert(address !== null && typeof address === 'object');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    await trySite(browser, `http://127.0.0.1:${address.port}`);
  } finally {
    await browser.close();
    server.close();
  }
}

async function trySite(opened: Browser, site: string): Promise<void> {
  const page = await opened.newPage({ colorScheme: 'light' });
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`${page.url()}: ${error.message}`));
  await page.goto(site, { waitUntil: 'networkidle' });
  await tryStart(page);
  await trySearch(page);
  await tryDark(page, site);
  const pages = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.html'),
  );
  for (const name of pages) await page.goto(`${site}/${name}`, { waitUntil: 'load' });
  assert.deepEqual(faults, []);
  await tryMissing(page, site);
  console.log(`start page, search, dark mode and ${pages.length} pages tried in ${opened.version()}`);
}

async function tryStart(page: Page): Promise<void> {
  assert.match(await page.locator('h1').innerText(), /service-auth/);
  assert.equal(await page.locator('.numbers li').count(), 6);
  assert.equal(await page.locator('.VPFeature').count(), 6);
}

async function trySearch(page: Page): Promise<void> {
  await page.locator('.VPNavBarSearch button').first().click();
  await page.locator('.search-input').fill('wrong_audience');
  const result = page.locator('.results a[href*="reasons"]').first();
  await result.waitFor();
  await result.click();
  await page.waitForURL(/reasons/);
}

async function tryDark(page: Page, site: string): Promise<void> {
  await page.goto(`${site}/inbound.html`, { waitUntil: 'networkidle' });
  const lightness = (): Promise<number> =>
    page.evaluate(() => {
      const [red = 0] = getComputedStyle(document.body).backgroundColor.match(/\d+/g)?.map(Number) ?? [];
      return red;
    });
  assert.ok((await lightness()) > 200, 'light is not light');
  await page.locator('.VPNavBarAppearance button').click();
  await page.waitForFunction(() => document.documentElement.classList.contains('dark'));
  assert.ok((await lightness()) < 60, 'dark is not dark');
  // Diagrams follow the scheme of the page, not that of the system.
  const diagram = page.locator('img[src*="verification"]').first();
  assert.equal(await diagram.evaluate((image) => getComputedStyle(image).colorScheme), 'dark');
}

async function tryMissing(page: Page, site: string): Promise<void> {
  await page.goto(`${site}/nowhere.html`, { waitUntil: 'networkidle' });
  assert.match(await page.locator('.NotFound').innerText(), /No such page/i);
}
