/** What may happen while the signature of a token or a proof waits for the thread pool, or finds no place in it. */
import { generateKeyPairSync } from 'node:crypto';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createVerifier, type ReplayStore } from '../../src/index.ts';
import { isTurnSpent, verifyInPool } from '../../src/shared/burst.ts';
import { createDpopClient, hashOf, requestWith } from '../helpers/dpop.ts';
import { reasonOf } from '../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs } from '../helpers/tokens.ts';

const [key, client] = await Promise.all([createKey('ES256'), createDpopClient()]);
let time = nowMs;
let held: (() => void)[] = [];

const make = (changes: object = {}) =>
  createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => time,
    ...changes,
  });

/** Verifications that hold the pool until they are let go; `count` beyond what runs at once wait before all others. */
function occupy(count: number): void {
  for (let at = 0; at < count; at++) void verifyInPool((done) => held.push(() => done(null, true)));
}

/** From now on this turn leaves every signature to the pool. */
function spendTurn(): void {
  isTurnSpent();
  const end = performance.now() + 1;
  while (performance.now() < end);
}

function release(): void {
  for (let at = 0; at < held.length; at++) held[at]?.();
  held = [];
}

beforeEach(async () => {
  time = nowMs;
  await endOfTurn();
});
afterEach(release);

/** Forgets a proof at the very moment at which it expires, as a store may. */
function exactStore(): ReplayStore {
  const used = new Map<string, number>();
  return {
    record({ jti, expiresAt }) {
      for (const [name, end] of used) if (end <= time) used.delete(name);
      if (used.has(jti)) return 'replayed';
      used.set(jti, expiresAt);
      return 'recorded';
    },
  };
}

describe('threat 18: a proof whose signature waits until it has expired', () => {
  it('is not accepted a second time', async () => {
    const verifier = make({ dpop: { mode: 'required', replayStore: exactStore() } });
    const token = await mint(key, { cnf: { jkt: client.jkt } });
    const proof = await client.prove({ ath: hashOf(token) });
    const request = () => requestWith({ authorization: `DPoP ${token}`, dpop: proof });
    expect(await reasonOf(verifier.authenticate(request()))).toBe('accepted');
    expect(await reasonOf(verifier.authenticate(request()))).toBe('replayed_proof');

    await endOfTurn();
    occupy(16);
    spendTurn();
    const late = verifier.authenticate(request());
    expect(late).toBeInstanceOf(Promise);
    time += 66_000;
    release();
    expect(await reasonOf(late)).toBe('proof_too_old');
  });
});

describe('threat 24: more signatures than the pool can take', () => {
  it('are turned away with 503, at once, and what is known is served', async () => {
    const verifier = make();
    const [known, late] = await Promise.all([mint(key), mint(key, { jti: 'late' })]);
    expect(await reasonOf(verifier.verifyToken(known))).toBe('accepted');
    await endOfTurn();
    occupy(2016);
    spendTurn();
    const outcome = await verifier.verifyToken(late);
    expect(outcome).toMatchObject({ ok: false, rejection: { status: 503, reason: 'overloaded' } });
    expect(outcome.ok ? '' : outcome.rejection.headers['Retry-After']).toBe('1');
    expect(await reasonOf(verifier.verifyToken(known))).toBe('accepted');
    release();
    await endOfTurn();
    expect(await reasonOf(verifier.verifyToken(late))).toBe('accepted');
  });

  it('keep no one verification from ending the turn: keys of proofs are bounded', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 4104 });
    const { n, e, kty } = publicKey.export({ format: 'jwk' });
    const verifier = make({ dpop: 'required' });
    const token = await mint(key, { cnf: { jkt: client.jkt } });
    const large = await client.prove({ ath: hashOf(token) }, { alg: 'ES256', jwk: { kty, n, e } });
    const [, payload, signature] = large.split('.');
    const judge = (jwk: object) => {
      const header = Buffer.from(JSON.stringify({ typ: 'dpop+jwt', alg: 'RS256', jwk })).toString(
        'base64url',
      );
      const dpop = `${header}.${payload}.${signature}`;
      return reasonOf(verifier.authenticate(requestWith({ authorization: `DPoP ${token}`, dpop })));
    };
    expect(await judge({ kty, n, e })).toBe('malformed_proof');
    const { n: usual } = generateKeyPairSync('rsa', { modulusLength: 4096 }).publicKey.export({
      format: 'jwk',
    });
    expect(await judge({ kty, n: usual, e: Buffer.alloc(5, 255).toString('base64url') })).toBe(
      'malformed_proof',
    );
    expect(await judge({ kty, n: usual, e })).toBe('proof_key_mismatch');
  });
});

it('a verifier that is closed meanwhile answers 503, and keeps nothing', async () => {
  const verifier = make();
  const token = await mint(key);
  occupy(16);
  spendTurn();
  const late = verifier.verifyToken(token);
  verifier.close();
  release();
  expect(await late).toMatchObject({ ok: false, rejection: { status: 503, reason: 'closed' } });
  expect(verifier.health().cachedTokens).toBe(0);
});
