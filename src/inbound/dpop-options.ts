/** The `dpop` option of a verifier, checked and resolved once. */
import { type KeyAlgorithm, keyAlgorithms } from '../shared/crypto.ts';
import { createDpopNonces, type DpopNonces } from '../shared/dpop-nonces.ts';
import { createProofVerifier, type ProofVerifier } from '../shared/dpop-proof.ts';
import { createMemoryReplayStore } from '../shared/memory-replay-store.ts';
import type { OptionChecker } from '../shared/options.ts';
import type { ReplayStore } from '../shared/stores.ts';

/** How proofs of possession are judged (RFC 9449). */
export interface DpopOptions {
  /** `'required'` refuses tokens that are not bound to a DPoP key. @default 'optional' */
  readonly mode?: 'optional' | 'required' | undefined;
  /** Algorithms of proofs. @default ES256 EdDSA Ed25519 ES384 ES512 PS256 RS256 */
  readonly algorithms?: readonly KeyAlgorithm[] | undefined;
  /** The age that a proof may have, by its `iat`, in seconds. @default 60 */
  readonly maxAgeSeconds?: number | undefined;
  /** Tolerance for `iat` in both directions, in seconds. @default 5 */
  readonly toleranceSeconds?: number | undefined;
  /** Asks for nonces (RFC 9449 section 9); instances that share the secret accept each other's. @default false */
  readonly nonce?: false | DpopNonceOptions | undefined;
  /** Where used proofs are remembered; one for all instances, or each accepts a proof once. @default in memory */
  readonly replayStore?: ReplayStore;
}

export interface DpopNonceOptions {
  /** At least 32 bytes; of several the first makes nonces and all are accepted, so that it can be rotated. */
  readonly secret: string | readonly string[];
  /** How long a nonce is accepted at least; at most twice as long, in seconds. @default 300 */
  readonly lifetimeSeconds?: number;
}

export interface DpopRules {
  readonly required: boolean;
  readonly algorithms: readonly KeyAlgorithm[];
  readonly verifyProof: ProofVerifier;
  readonly replayStore: ReplayStore;
  readonly nonces: DpopNonces | undefined;
  readonly now: () => number;
}

const known = ['mode', 'algorithms', 'maxAgeSeconds', 'toleranceSeconds', 'nonce', 'replayStore'] as const;
const defaultAlgorithms = ['ES256', 'EdDSA', 'Ed25519', 'ES384', 'ES512', 'PS256', 'RS256'] as const;
const LEAST_SECRET_BYTES = 32;

/** Resolves the option; `undefined` where DPoP is switched off. */
export function resolveDpop(
  check: OptionChecker,
  option: DpopOptions | 'optional' | 'required' | false,
  now: () => number,
): DpopRules | undefined {
  if (option === false) return undefined;
  const given = check.object('dpop', typeof option === 'string' ? { mode: option } : option, known);
  const mode = check.oneOf('dpop.mode', given.mode ?? 'optional', ['optional', 'required']);
  const algorithms = check.strings('dpop.algorithms', given.algorithms ?? defaultAlgorithms);
  for (const algorithm of algorithms) check.oneOf('dpop.algorithms', algorithm, keyAlgorithms);
  const seconds = (name: 'maxAgeSeconds' | 'toleranceSeconds', fallback: number, least: number): number =>
    check.number(`dpop.${name}`, given[name] ?? fallback, least, 3600, 'seconds');
  const maxAgeSeconds = seconds('maxAgeSeconds', 60, 1);
  const toleranceSeconds = seconds('toleranceSeconds', 5, 0);
  const nonces = resolveNonces(check, given.nonce ?? false, now);
  const rules = {
    algorithms: algorithms as readonly KeyAlgorithm[],
    maxAgeSeconds,
    toleranceSeconds,
    nonces,
    now,
  };
  return Object.freeze({
    required: mode === 'required',
    algorithms: rules.algorithms,
    verifyProof: createProofVerifier(rules),
    replayStore: readReplayStore(check, given.replayStore) ?? createMemoryReplayStore({ now }),
    nonces,
    now,
  });
}

function resolveNonces(
  check: OptionChecker,
  given: false | DpopNonceOptions,
  now: () => number,
): DpopNonces | undefined {
  if (given === false) return undefined;
  const option = check.object('dpop.nonce', given, ['secret', 'lifetimeSeconds']);
  const secrets = Array.isArray(option.secret) ? [...option.secret] : [option.secret];
  const isLong = (secret: unknown): boolean =>
    typeof secret === 'string' && new TextEncoder().encode(secret).length >= LEAST_SECRET_BYTES;
  if (secrets.length === 0 || !secrets.every(isLong)) {
    check.failSecret(
      'dpop.nonce.secret',
      `of at least ${LEAST_SECRET_BYTES} bytes, or a non-empty list of such`,
    );
  }
  const { lifetimeSeconds = 300 } = option;
  check.number('dpop.nonce.lifetimeSeconds', lifetimeSeconds, 1, 86_400, 'seconds');
  return createDpopNonces({ secrets, lifetimeSeconds, now });
}

function readReplayStore(check: OptionChecker, option: unknown): ReplayStore | undefined {
  if (option === undefined) return undefined;
  const isStore = typeof option === 'object' && option !== null && 'record' in option;
  if (!isStore || typeof option.record !== 'function') {
    check.fail('dpop.replayStore', 'a store with a method record', option);
  }
  return option as ReplayStore;
}
