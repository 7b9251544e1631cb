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

it('asks about a token for each request apart where a request may take its promises with it', async () => {
  await loadAs('Cloudflare-Workers');
  const { createVerifier } = await import('../../../src/index.ts');
  const answers: (() => void)[] = [];
  const verifier = createVerifier({
    issuer: {
      issuer: 'https://idp.example',
      introspection: {
        endpoint: 'https://idp.example/introspect',
        clientId: 'orders',
        clientSecret: 'secret',
      },
    },
    audience: null,
    fetch: () =>
      new Promise<Response>((resolve) => {
        answers.push(() => resolve(Response.json({ active: true, client_id: 'billing' })));
      }),
  });
  void verifier.verifyToken('an-opaque-token');
  const second = verifier.verifyToken('an-opaque-token');
  await vi.waitFor(() => expect(answers).toHaveLength(2));
  // The first request was given up: its answer never comes.
  answers[1]?.();
  expect((await second).ok).toBe(true);
});

it('knows from which version of Node on hidden keys are left hidden', async () => {
  const { versions } = process;
  const hidden = async (node: string): Promise<boolean> => {
    const asNode = Object.create(process, { versions: { value: { ...versions, node } } });
    vi.stubGlobal('process', asNode);
    vi.resetModules();
    return (await import('../../../src/shared/runtime.ts')).keepsKeysHidden;
  };
  expect([await hidden('20.19.0'), await hidden('22.23.3')]).toEqual([false, false]);
  expect([await hidden('24.0.0'), await hidden('26.10.0')]).toEqual([true, true]);
});
