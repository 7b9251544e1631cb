/** Promises that are no instances of `Promise`: of another realm, or of a library. */
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVerifier, type Policy, type ReplayStore, type VerifierOptions } from '../../../src/index.ts';
import { certificatePem, certificateThumbprint } from '../../helpers/certificates.ts';
import { createDpopClient, hashOf, requestWith } from '../../helpers/dpop.ts';
import { reasonOf } from '../../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs } from '../../helpers/tokens.ts';

/** What a program's function gives back: a value that is there later, or a failure. */
interface Kind {
  fulfilled<T>(value: T): Promise<T>;
  rejected(): Promise<never>;
}

const native: Kind = {
  fulfilled: (value) => Promise.resolve(value),
  rejected: () => Promise.reject(new Error('broken')),
};
const ofAnotherRealm = runInNewContext(
  '({ fulfilled: (value) => Promise.resolve(value), rejected: () => Promise.reject(new Error("broken")) })',
) as Kind;
/** With `then` alone, as an object-relational mapper may make it, and only once somebody asks. */
const lazily = <T>(make: () => Promise<T>): Promise<T> =>
  // biome-ignore lint/suspicious/noThenProperty: this is what the test is about
  ({ then: (...both: Parameters<Promise<T>['then']>) => make().then(...both) }) as Promise<T>;
const ofLibrary: Kind = {
  fulfilled: (value) => lazily(() => native.fulfilled(value)),
  rejected: () => lazily(native.rejected),
};

const key = await createKey('ES256');
const client = await createDpopClient();
const plain = await mint(key);
const bound = await mint(key, { cnf: { jkt: client.jkt } });
const certified = await mint(key, { cnf: { 'x5t#S256': certificateThumbprint } });
const make = (options: Partial<VerifierOptions> = {}) =>
  createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => nowMs,
    ...options,
  });

describe.each([
  ['native', native],
  ['of another realm', ofAnotherRealm],
  ['of a library', ofLibrary],
])('promises that are %s', (_name, { fulfilled, rejected }) => {
  const unheard: unknown[] = [];
  const listen = (reason: unknown): void => void unheard.push(reason);
  beforeAll(() => void process.on('unhandledRejection', listen));
  afterAll(async () => {
    // Rejections are called unheard once the microtasks are done.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listen);
    expect(unheard).toEqual([]);
  });

  it.each<[string, () => Promise<boolean>, string]>([
    ['lets in', () => fulfilled(true), 'accepted'],
    ['refuses', () => fulfilled(false), 'check_refused'],
    ['is broken', rejected, 'check_failed'],
  ])('a check that %s', async (_what, check, reason) => {
    const policy: Policy = { check };
    const request = requestWith({ authorization: `Bearer ${plain}` });
    expect(await reasonOf(make().authenticate(request, policy))).toBe(reason);
  });

  it.each<[string, ReplayStore['record'], string]>([
    ['records', () => fulfilled('recorded' as const), 'accepted'],
    ['knows the proof', () => fulfilled('replayed' as const), 'replayed_proof'],
    ['is full', () => fulfilled('full' as const), 'replay_store_unavailable'],
    ['is broken', rejected, 'replay_store_unavailable'],
  ])('a replay store that %s', async (_what, record, reason) => {
    const proof = await client.prove({ ath: hashOf(bound) });
    const request = requestWith({ authorization: `DPoP ${bound}`, dpop: proof });
    expect(await reasonOf(make({ dpop: { replayStore: { record } } }).authenticate(request))).toBe(reason);
  });

  it.each<[string, () => Promise<string>, string]>([
    ['that finds one', () => fulfilled(certificatePem), 'accepted'],
    ['that is broken', rejected, 'missing_certificate'],
  ])('a source of certificates %s', async (_what, source, reason) => {
    const clientCertificate = source as unknown as () => string;
    const request = requestWith({ authorization: `Bearer ${certified}` });
    expect(await reasonOf(make({ clientCertificate }).authenticate(request))).toBe(reason);
  });

  it('a listener that rejects is not heard of, neither here nor in the process', async () => {
    const request = requestWith({ authorization: `Bearer ${plain}` });
    expect(await reasonOf(make({ onEvent: rejected }).authenticate(request))).toBe('accepted');
    expect(await reasonOf(make({ onEvent: () => fulfilled('heard') }).authenticate(request))).toBe(
      'accepted',
    );
  });
});
