import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

async function loadAs(userAgent: string): Promise<typeof import('../../../src/shared/runtime.ts')> {
  vi.stubGlobal('navigator', { userAgent });
  vi.resetModules();
  return import('../../../src/shared/runtime.ts');
}

it('uses node:crypto where it is real', async () => {
  const { nodeCrypto, afterTurn, sharesPromises } = await loadAs('Node.js/22');
  expect(nodeCrypto).toBeDefined();
  expect(afterTurn).toBeDefined();
  expect(sharesPromises).toBe(true);
});

it('does not use that of Workers with nodejs_compat, which refuses good signatures', async () => {
  const { nodeCrypto, afterTurn, sharesPromises, loadUndici } = await loadAs('Cloudflare-Workers');
  expect(nodeCrypto).toBeUndefined();
  expect(afterTurn).toBeUndefined();
  expect(sharesPromises).toBe(false);
  expect(await loadUndici()).toBeUndefined();
});
