import { KeyObject } from 'node:crypto';
import { inspect } from 'node:util';
import { calculateJwkThumbprint, EmbeddedJWK, exportJWK, jwtVerify } from 'jose';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { createVerifier } from '../../../src/index.ts';
import type { DpopKeyOptions, DpopSigner } from '../../../src/outbound/dpop-keys.ts';
import { OptionChecker } from '../../../src/shared/options.ts';
import { hashOf, requestWith, url } from '../../helpers/dpop.ts';
import { reasonOf } from '../../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

/** Loads the module anew, so that it finds node:crypto or does not. */
async function load(): Promise<typeof import('../../../src/outbound/dpop-keys.ts')> {
  vi.resetModules();
  return import('../../../src/outbound/dpop-keys.ts');
}

const node = await load();
const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
const web = await load();
getBuiltinModule.mockRestore();
afterAll(() => vi.resetModules());
afterEach(() => vi.restoreAllMocks());

const check = new OptionChecker('createTokenClient');
const issuerKey = await createKey('ES256');
const algorithms = ['ES256', 'EdDSA'] as const;
const generation = { ES256: { name: 'ECDSA', namedCurve: 'P-256' }, EdDSA: { name: 'Ed25519' } } as const;

async function keyPair(
  algorithm: 'ES256' | 'EdDSA' = 'ES256',
  usages: KeyUsage[] = ['sign', 'verify'],
  isExtractable = false,
): Promise<CryptoKeyPair> {
  const pair = await crypto.subtle.generateKey(generation[algorithm], isExtractable, usages);
  if (!('privateKey' in pair)) throw new Error('no pair');
  return pair;
}

const signerOf = async (option: true | DpopKeyOptions, { createDpopKeys } = node): Promise<DpopSigner> =>
  createDpopKeys(check, option).signer();

function judge(token: string, proof: string): Promise<string> {
  const verifier = createVerifier({
    issuer: { issuer, jwks: { keys: [issuerKey.publicJwk] } },
    audience,
    now: () => nowMs,
  });
  return reasonOf(verifier.authenticate(requestWith({ authorization: `DPoP ${token}`, dpop: proof })));
}

describe.each([
  ['with node:crypto', node],
  ['with WebCrypto alone', web],
])('a proof made %s', (_, module) => {
  describe.each(algorithms)('with %s', (algorithm) => {
    it('is what RFC 9449 section 4.2 says, to jose and to the verifier', async () => {
      const signer = await signerOf({ algorithm }, module);
      const token = await mint(issuerKey, { cnf: { jkt: signer.jkt } });
      const proof = await signer.prove({
        method: 'GET',
        url: `${url}?page=2#x`,
        accessTokenHash: hashOf(token),
        nonce: 'nonce-1',
        now: nowMs,
      });
      const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: [algorithm],
        currentDate: new Date(nowMs),
      });
      expect(payload).toEqual({
        jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
        htm: 'GET',
        htu: url,
        iat: nowSeconds,
        ath: hashOf(token),
        nonce: 'nonce-1',
      });
      const { jwk = {} } = protectedHeader;
      expect(Object.keys(jwk).sort()).toEqual(
        algorithm === 'ES256' ? ['crv', 'kty', 'x', 'y'] : ['crv', 'kty', 'x'],
      );
      expect(await calculateJwkThumbprint(jwk)).toBe(signer.jkt);
      expect(await judge(token, proof)).toBe('accepted');
    });

    it('leaves out what is not known', async () => {
      const signer = await signerOf({ algorithm }, module);
      const proof = await signer.prove({ method: 'POST', url: 'https://idp.example/token', now: nowMs });
      const { payload } = await jwtVerify(proof, EmbeddedJWK, { currentDate: new Date(nowMs) });
      expect(Object.keys(payload).sort()).toEqual(['htm', 'htu', 'iat', 'jti']);
    });
  });

  it('under the key pair of the program is one of that key', async () => {
    const pair = await keyPair('EdDSA');
    const signer = await signerOf({ algorithm: 'EdDSA', keyPair: pair }, module);
    expect(signer.jkt).toBe(await calculateJwkThumbprint(await exportJWK(pair.publicKey)));
    const token = await mint(issuerKey, { cnf: { jkt: signer.jkt } });
    const claims = { method: 'GET', url, accessTokenHash: hashOf(token), now: nowMs };
    expect(await judge(token, await signer.prove(claims))).toBe('accepted');
  });

  it('has a number of its own, and serves one key, one method, one URL and one token alone', async () => {
    const [signer, other] = [await signerOf(true, module), await signerOf(true, module)];
    const token = await mint(issuerKey, { cnf: { jkt: signer.jkt } });
    const good = { method: 'GET', url, accessTokenHash: hashOf(token), now: nowMs };
    const [one, two] = [await signer.prove(good), await signer.prove(good)];
    expect(one).not.toBe(two);
    expect(await judge(token, await other.prove(good))).toBe('proof_key_mismatch');
    expect(await judge(token, await signer.prove({ ...good, method: 'POST' }))).toBe('proof_method_mismatch');
    expect(await judge(token, await signer.prove({ ...good, url: `${url}/7` }))).toBe('proof_url_mismatch');
    expect(await judge(token, await signer.prove({ ...good, accessTokenHash: hashOf('x') }))).toBe(
      'proof_token_mismatch',
    );
    expect(await judge(token, await signer.prove({ ...good, now: nowMs - 3_600_000 }))).toBe('proof_too_old');
  });
});

it.each([
  ['https://Orders.example:443/a%2fb/%7Ec?d=e#f', 'https://orders.example/a%2fb/%7Ec'],
  ['https://orders.example', 'https://orders.example/'],
  ['https://user:password@orders.example/x', 'https://orders.example/x'],
  ['http://[::1]:8080/b\u00fccher', 'http://[::1]:8080/b%C3%BCcher'],
])('the URL %s is in the proof as it is sent: %s', async (given, htu) => {
  const signer = await signerOf(true);
  const { payload } = await jwtVerify(
    await signer.prove({ method: 'GET', url: given, now: nowMs }),
    EmbeddedJWK,
    {
      currentDate: new Date(nowMs),
    },
  );
  expect(payload.htu).toBe(htu);
});

it('signs at once where the runtime can, and gives a promise where it cannot', async () => {
  const claims = { method: 'GET', url, now: nowMs };
  // From Node 24 on, it signs at once with keys alone that may be taken out.
  const signsHidden = Number.parseInt(process.versions.node, 10) < 24;
  for (const algorithm of algorithms) {
    const made = (await signerOf({ algorithm })).prove(claims);
    expect(typeof made).toBe(signsHidden ? 'string' : 'object');
    expect(await made).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    const shown = await keyPair(algorithm, ['sign', 'verify'], true);
    expect((await signerOf({ algorithm, keyPair: shown })).prove(claims)).toBeTypeOf('string');
    expect((await signerOf({ algorithm }, web)).prove(claims)).toBeInstanceOf(Promise);
  }
});

describe('keys', () => {
  it('are made at first use, once for all who wait, and kept', async () => {
    const generateKey = vi.spyOn(crypto.subtle, 'generateKey');
    const keys = node.createDpopKeys(check, true);
    expect(generateKey).not.toHaveBeenCalled();
    const all = await Promise.all(Array.from({ length: 100 }, () => keys.signer()));
    expect(new Set(all).size).toBe(1);
    expect(generateKey).toHaveBeenCalledTimes(1);
    expect(keys.signer()).toBe(all[0]);
  });

  it.each(algorithms)('of %s cannot be taken out', async (algorithm) => {
    const generateKey = vi.spyOn(crypto.subtle, 'generateKey');
    await signerOf({ algorithm });
    const pair: unknown = await generateKey.mock.results[0]?.value;
    const { privateKey } = pair as CryptoKeyPair;
    expect(privateKey.extractable).toBe(false);
    for (const format of ['jwk', 'pkcs8'] as const) {
      await expect(crypto.subtle.exportKey(format, privateKey)).rejects.toThrow();
    }
  });

  it('are signed with by WebCrypto where Node warns of anything else (DEP0204)', async () => {
    const { versions } = process;
    vi.stubGlobal(
      'process',
      Object.create(process, { versions: { value: { ...versions, node: '24.0.0' } } }),
    );
    const from = vi.spyOn(KeyObject, 'from');
    const later = await load();
    vi.unstubAllGlobals();
    const claims = { method: 'GET', url, now: nowMs };
    const own = await signerOf(true, later);
    expect(
      await jwtVerify(await own.prove(claims), EmbeddedJWK, { currentDate: new Date(nowMs) }),
    ).toBeDefined();
    expect(from).not.toHaveBeenCalled();
    const pair = await crypto.subtle.generateKey(generation.ES256, true, ['sign', 'verify']);
    const given = await signerOf({ keyPair: pair }, later);
    expect(typeof given.prove(claims)).toBe('string');
  });

  it('that could not be made once are made at the next use', async () => {
    const generateKey = vi.spyOn(crypto.subtle, 'generateKey');
    generateKey.mockRejectedValueOnce(new Error('no entropy'));
    const keys = node.createDpopKeys(check, true);
    await expect(Promise.resolve(keys.signer())).rejects.toThrow('no entropy');
    expect((await keys.signer()).jkt).toMatch(/^[\w-]{43}$/);
  });

  it('that are no pair make no proofs', async () => {
    const { publicKey } = await keyPair();
    vi.spyOn(crypto.subtle, 'generateKey').mockResolvedValueOnce(publicKey as unknown as CryptoKeyPair);
    await expect(signerOf(true)).rejects.toThrow('the runtime made no pair of keys');
  });

  it('are shared where they are given, and new each time where they rotate', async () => {
    const given = node.createDpopKeys(check, { keyPair: await keyPair() });
    expect(given.shared).toBe(true);
    expect(await given.signer()).toBe(await given.signer());
    const rotating = node.createDpopKeys(check, { rotate: true });
    expect(rotating.shared).toBe(false);
    const [one, two] = [await rotating.signer(), await rotating.signer()];
    expect(one.jkt).not.toBe(two.jkt);
  });

  it('show nothing of themselves', async () => {
    const pair = await crypto.subtle.generateKey(generation.ES256, true, ['sign', 'verify']);
    const { d = '' } = await crypto.subtle.exportKey('jwk', pair.privateKey);
    const keys = node.createDpopKeys(check, { keyPair: pair });
    const seen = inspect([keys, await keys.signer()], { depth: 10, showHidden: true, getters: true });
    expect(d).toHaveLength(43);
    expect(seen).not.toContain(d);
  });
});

describe('the option', async () => {
  const pair = await keyPair();
  const wrongWay = { privateKey: pair.publicKey, publicKey: pair.privateKey };
  const { publicKey: hidden } = await keyPair();
  const verifyOnly = { privateKey: hidden, publicKey: hidden };
  const agreement = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, false, [
    'deriveBits',
  ]);
  const { privateKey, publicKey } = pair;
  const open = await keyPair('ES256', ['sign', 'verify'], true);
  const edwards = await keyPair('EdDSA');
  const wide = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, false, [
    'sign',
    'verify',
  ]);
  const publicJwk = await crypto.subtle.exportKey('jwk', publicKey);
  const sealed = await crypto.subtle.importKey('jwk', publicJwk, generation.ES256, false, ['verify']);
  const like = ({ type, usages, extractable, algorithm }: CryptoKey): object => {
    return { type, usages, extractable, algorithm };
  };

  it.each<[string, unknown, string]>([
    ['a wrong algorithm', { algorithm: 'RS256' }, 'dpop.algorithm must be'],
    ['an unknown member', { alg: 'ES256' }, 'unknown option alg in dpop'],
    ['a text', 'yes', 'dpop must be an object'],
    ['rotate that is no boolean', { rotate: 1 }, 'dpop.rotate must be true or false'],
    ['rotate with a key pair', { rotate: true, keyPair: pair }, 'dpop.rotate must be absent'],
    ['a key pair of another algorithm', { algorithm: 'EdDSA', keyPair: pair }, 'signs with EdDSA'],
    ['a swapped key pair', { keyPair: wrongWay }, 'signs with ES256'],
    ['a pair that may only verify', { keyPair: verifyOnly }, 'signs with ES256'],
    ['a key pair for something else', { keyPair: agreement }, 'signs with ES256'],
    [
      'the private key twice',
      { keyPair: { privateKey: open.privateKey, publicKey: open.privateKey } },
      'ES256',
    ],
    ['a public key that cannot be shown', { keyPair: { privateKey, publicKey: sealed } }, 'signs with ES256'],
    ['a key pair of another curve', { keyPair: wide }, 'signs with ES256'],
    ['a public key of another algorithm', { keyPair: { privateKey, publicKey: edwards.publicKey } }, 'ES256'],
    ['a private key of another algorithm', { keyPair: { ...edwards, publicKey } }, 'signs with ES256'],
    ['what looks like a private key', { keyPair: { privateKey: like(privateKey), publicKey } }, 'ES256'],
    ['what looks like a public key', { keyPair: { privateKey, publicKey: like(publicKey) } }, 'ES256'],
    ['the other half', { keyPair: { publicKey } }, 'signs with ES256'],
    ['half a key pair', { keyPair: { privateKey: pair.privateKey } }, 'signs with ES256'],
    ['a private key alone', { keyPair: pair.privateKey }, 'signs with ES256'],
    ['a list', [], 'dpop must be an object'],
    ['null', null, 'dpop must be an object'],
  ])('refuses %s', (_, option, message) => {
    const create = (): unknown => node.createDpopKeys(check, option);
    expect(create).toThrow(TypeError);
    expect(create).toThrow(message);
  });
});
