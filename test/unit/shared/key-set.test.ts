import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EventBody } from '../../../src/events.ts';
import { type Jwk, keyAlgorithms } from '../../../src/shared/crypto.ts';
import { createRemoteKeySet, type KeySet, parseKeySet } from '../../../src/shared/key-set.ts';
import { createKey } from '../../helpers/tokens.ts';

const ec = await createKey('ES256', 'ec');
const rsa = await createKey('RS256', 'rsa');
const next = await createKey('ES256', 'next');

const usable = (jwk: object): number => parseKeySet({ keys: [jwk] }, keyAlgorithms).usable;

describe('which keys of a set are used', () => {
  const { alg: _alg, use: _use, ...bare } = ec.publicJwk;

  it.each<[string, object, number]>([
    ['a signature key', ec.publicJwk, 1],
    ['a key that says nothing of its use', bare, 1],
    ['an encryption key', { ...bare, use: 'enc' }, 0],
    ['key_ops with verify', { ...bare, key_ops: ['verify'] }, 1],
    ['key_ops without verify', { ...bare, key_ops: ['encrypt'] }, 0],
    ['key_ops that is no list', { ...bare, key_ops: 'verify' }, 0],
    ['an encryption algorithm', { ...bare, alg: 'ECDH-ES' }, 0],
    ['an algorithm of another type', { ...bare, alg: 'RS256' }, 0],
    ['an unknown curve', { ...bare, crv: 'secp256k1' }, 0],
    ['a point that is not on the curve', { ...bare, y: bare.x }, 0],
    ['a symmetric key', { kty: 'oct', k: 'A'.repeat(43), alg: 'HS256' }, 0],
    ['a kid that is no text', { ...bare, kid: 1 }, 0],
    ['coordinates that are no text', { ...bare, x: 1 }, 0],
    ['no type', { ...bare, kty: undefined }, 0],
    ['an RSA key without exponent', { ...rsa.publicJwk, e: undefined }, 0],
  ])('%s', (_name, jwk, expected) => {
    expect(usable(jwk)).toBe(expected);
  });

  it.each([null, 1, 'key', [], [[]]])('%j is no key', (member) => {
    expect(parseKeySet({ keys: [member, ec.publicJwk] }, keyAlgorithms)).toMatchObject({
      usable: 1,
      ignored: 1,
    });
  });

  it('reads no more than 100', () => {
    const keys = Array.from({ length: 150 }, (_, at) => ({ ...ec.publicJwk, kid: `${at}` }));
    expect(parseKeySet({ keys }, keyAlgorithms)).toMatchObject({ usable: 100, ignored: 50 });
  });

  it('takes the public part of a key that was published whole', () => {
    expect(usable({ ...ec.publicJwk, d: ec.publicJwk.x })).toBe(1);
  });
});

describe('a key set that is fetched', () => {
  let time = 0;
  let keys: readonly Jwk[] = [];
  let headers: Record<string, string> = {};
  let fetches = 0;
  let events: EventBody[] = [];

  beforeEach(() => {
    time = 1_000_000;
    keys = [ec.publicJwk, rsa.publicJwk];
    headers = {};
    fetches = 0;
    events = [];
  });

  const make = (): KeySet =>
    createRemoteKeySet({
      issuer: 'https://issuer.example',
      jwksUri: () => 'https://issuer.example/jwks',
      algorithms: keyAlgorithms,
      now: () => time,
      timeoutMs: 1000,
      emit: (event) => events.push(event),
      fetch: async () => {
        fetches++;
        return Response.json({ keys }, { headers });
      },
    });

  it('finds by algorithm and kid', async () => {
    const set = make();
    expect(await set.find('ES256', 'ec')).toHaveLength(1);
    expect(set.find('ES256', undefined)).toHaveLength(1);
    expect(await set.find('ES256', 'rsa')).toHaveLength(0);
  });

  it('tries no more than four keys for a token without kid', async () => {
    keys = Array.from({ length: 10 }, (_, at) => ({ ...ec.publicJwk, kid: `${at}` }));
    expect(await make().find('ES256', undefined)).toHaveLength(4);
  });

  it('fetches again for an unknown kid, and tells', async () => {
    const set = make();
    await set.load();
    keys = [ec.publicJwk, next.publicJwk];
    expect(await set.find('ES256', 'next')).toHaveLength(1);
    expect(fetches).toBe(2);
    expect(await set.find('ES256', 'other')).toHaveLength(0);
    expect(fetches).toBe(2);
    const told = events.filter(({ type }) => type === 'keys.unknown_kid');
    expect(told).toMatchObject([
      { kid: 'next', refetched: true },
      { kid: 'other', refetched: false },
    ]);
  });

  it('keeps the objects of keys that stay, and retires those that go', async () => {
    const set = make();
    const [before] = await set.find('ES256', 'ec');
    const [goes] = await set.find('RS256', 'rsa');
    keys = [ec.publicJwk, next.publicJwk];
    await set.find('ES256', 'next');
    expect((await set.find('ES256', 'ec'))[0]).toBe(before);
    expect(before?.retired).toBe(false);
    expect(goes?.retired).toBe(true);
  });

  it('believes a key again that comes back', async () => {
    const set = make();
    const [first] = await set.find('RS256', 'rsa');
    keys = [ec.publicJwk, next.publicJwk];
    await set.find('ES256', 'next');
    keys = [ec.publicJwk, rsa.publicJwk];
    time += 20_000;
    const [again] = await set.find('RS256', 'rsa');
    expect(first?.retired).toBe(true);
    expect(again?.retired).toBe(false);
  });

  it('goes on with the last good keys when a document has none left', async () => {
    const set = make();
    await set.load();
    keys = [];
    time += 3_600_000;
    expect(await set.find('ES256', 'ec')).toHaveLength(1);
    expect(events.map(({ type }) => type)).toContain('keys.refresh_failed');
  });

  it.each([
    ['max-age=1800', undefined, 1_800_000],
    ['public, MAX-AGE="1800"', '600', 1_200_000],
    ['max-age=5', undefined, 60_000],
    ['no-store', undefined, 60_000],
    ['max-age=999999', undefined, 3_600_000],
    ['max-age=soon', undefined, 600_000],
    [undefined, undefined, 600_000],
  ])('Cache-Control %s with Age %s', async (cacheControl, age, freshMs) => {
    headers = {
      ...(cacheControl !== undefined && { 'cache-control': cacheControl }),
      ...(age !== undefined && { age }),
    };
    const set = make();
    await set.load();
    time += freshMs - 1;
    expect(set.state()?.stale).toBe(false);
    time += 1;
    expect(set.state()?.stale).toBe(true);
  });
});

describe('on WebCrypto, which says late that it cannot take a key', () => {
  /** A point that is not on the curve: of the right type and length, and no key. */
  const broken: Jwk = { ...ec.publicJwk, y: ec.publicJwk.x ?? '' };
  let time = 0;
  let keys: readonly Jwk[] = [];
  let events: EventBody[] = [];
  let keySet: KeySet;

  async function load() {
    vi.resetModules();
    const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    const module = await import('../../../src/shared/key-set.ts');
    getBuiltinModule.mockRestore();
    return module.createRemoteKeySet;
  }
  afterAll(() => vi.resetModules());

  beforeEach(async () => {
    time = 0;
    events = [];
    const create = await load();
    keySet = create({
      issuer: 'https://issuer.example',
      jwksUri: () => 'https://issuer.example/jwks',
      algorithms: keyAlgorithms,
      fetch: async () => Response.json({ keys }),
      now: () => time,
      timeoutMs: 1000,
      emit: (event) => events.push(event),
    });
  });

  it('a set of such keys is none', async () => {
    keys = [broken];
    await expect(keySet.load()).rejects.toMatchObject({ code: 'response_malformed' });
    expect(events).toMatchObject([{ type: 'keys.refresh_failed' }]);
  });

  it('a set of such keys does not replace the last good one', async () => {
    keys = [ec.publicJwk];
    await keySet.load();
    const [good] = await keySet.find('ES256', 'ec');
    keys = [broken];
    time += 11 * 60_000;
    await keySet.load();
    expect(events.map(({ type }) => type)).toEqual(['keys.refreshed', 'keys.refresh_failed', 'keys.stale']);
    expect(await keySet.find('ES256', 'ec')).toEqual([good]);
    expect(good?.retired).toBe(false);
  });

  it('such a key is ignored beside good ones', async () => {
    keys = [{ ...broken, kid: 'broken' }, ec.publicJwk, rsa.publicJwk];
    await keySet.load();
    expect(events).toMatchObject([{ type: 'keys.refreshed', keys: 2, ignored: 1 }]);
    const [key] = await keySet.find('ES256', 'ec');
    const token = await ec.sign({}, {});
    const end = token.lastIndexOf('.');
    const signature = Uint8Array.from(Buffer.from(token.slice(end + 1), 'base64url'));
    expect(await key?.verify(token.slice(0, end), signature)).toBe(true);
    expect(await keySet.find('RS256', 'rsa')).toHaveLength(1);
  });
});
