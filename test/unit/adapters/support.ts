/** Verifiers for tests of adapters: a real one, and one that answers what the test wants. */
import { type AuthOutcome, createVerifier, type Guard, type Verifier } from '../../../src/index.ts';
import { audience, goodClaims, issuer, nowMs, sharedSecret, signHmac } from '../../helpers/tokens.ts';

export const options = {
  issuer: { issuer, secret: sharedSecret },
  audience,
  now: () => nowMs,
} as const;

export const verifier: Verifier = createVerifier(options);

export const bearer = (changes: object = {}): { authorization: string } => ({
  authorization: `Bearer ${signHmac(sharedSecret, {}, goodClaims(changes))}`,
});

/** A verifier whose every guard is this one. */
export function verifierOf(guard: Guard): Verifier {
  return { ...verifier, guard: (() => guard) as Verifier['guard'] };
}

/** Accepted, with a header for the response. */
export const withHeader: Verifier = verifierOf(() => ({
  ok: true,
  caller: undefined,
  headers: { 'DPoP-Nonce': 'nonce-1' },
}));

/** As `withHeader`, after it had to wait. */
export const lateWithHeader: Verifier = verifierOf(async () => ({
  ok: true,
  caller: undefined,
  headers: { 'DPoP-Nonce': 'nonce-1' },
}));

export const throwing: Verifier = verifierOf(() => {
  throw new Error('the guard is broken');
});

export const rejecting: Verifier = verifierOf(() => Promise.reject(new Error('the guard is broken')));

/** What a verifier answers when the keys are out of reach, late. */
export async function refusal(): Promise<AuthOutcome> {
  return verifier.authenticate({ method: 'GET', url: '/', headers: { get: () => undefined } });
}
