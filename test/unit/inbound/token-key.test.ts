import { createHash } from 'node:crypto';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { encodeJson } from '../../helpers/tokens.ts';

/** Loads the module anew, so that it finds the crypto that the test wants. */
async function load() {
  vi.resetModules();
  return (await import('../../../src/inbound/token-key.ts')).tokenKey;
}

const node = await load();
const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
const web = await load();
getBuiltinModule.mockRestore();
afterAll(() => vi.resetModules());

const header = encodeJson({ alg: 'ES256' });

describe.each([
  ['with node:crypto', node],
  ['without a synchronous digest', web],
])('the key of a token, %s', (_runtime, tokenKey) => {
  it('is that of what was signed', () => {
    expect(tokenKey(`${header}.e30.first`)).toBe(tokenKey(`${header}.e30.second`));
    expect(tokenKey(`${header}.e30.first`)).not.toBe(tokenKey(`${header}.e31.first`));
  });

  it('is that of the whole text where that is no JWS', () => {
    for (const [one, other] of [
      ['v4.local.first', 'v4.local.second'],
      [`${header}.first`, `${header}.second`],
      [`${header}.a.b.c.first`, `${header}.a.b.c.second`],
      [`${encodeJson(['alg'])}.a.first`, `${encodeJson(['alg'])}.a.second`],
      ['..first', '..second'],
      ['opaque', 'opaque2'],
    ] as const) {
      expect(tokenKey(one)).not.toBe(tokenKey(other));
      expect(tokenKey(one)).toBe(tokenKey(one));
    }
  });

  it('tells 20,000 tokens apart that differ in a character or two', () => {
    const claims = (id: number): string =>
      encodeJson({ jti: id, aud: 'https://orders.example', pad: 'x'.repeat(400) });
    const keys = Array.from({ length: 20_000 }, (_, id) => tokenKey(`${header}.${claims(id)}.signature`));
    expect(new Set(keys).size).toBe(20_000);
  });

  it('is short, however long the token, and shows nothing of it', () => {
    const key = tokenKey(`${header}.${'secret'.repeat(2000)}.signature`);
    expect(key.length).toBeLessThan(64);
    expect(key).not.toContain('secret');
  });
});

describe('two runtimes that tell each other', () => {
  it.each([
    ['opaque', 'opaque'],
    [`${header}.e30.first`, `${header}.e30`],
    [`${header}.e30.`, `${header}.e30`],
    [`${header}..first`, `${header}.`],
    [`${encodeJson([])}.a.b`, `${encodeJson([])}.a.b`],
    ['!.a.b', '!.a.b'],
    ['.a.b', '.a.b'],
    [`${header}x`, `${header}x`],
    [`${header}.a`, `${header}.a`],
    [`${header}.a.b.c`, `${header}.a.b.c`],
  ])('with a digest, %s has the SHA-256 of %s', (token, text) => {
    expect(node(token)).toBe(createHash('sha256').update(text).digest('base64url'));
  });

  it.each([
    ['', '0.2166136261.84696351'],
    ['opaque', '6.1863671838.151623235'],
    [`${header}.e30.first`, '24.526206645.998038837'],
  ])('without one, %j has the key that it has always had', (token, key) => {
    expect(web(token)).toBe(key);
  });
});
