/** Judges DPoP proofs (RFC 9449 section 4.3), save for their being used twice. */
import { decodeBase64url } from './base64url.ts';
import { type Jwk, type KeyAlgorithm, keyFitsAlgorithm } from './crypto.ts';
import { normalizeHtu } from './dpop.ts';
import type { DpopNonces } from './dpop-nonces.ts';
import { Fault } from './fault.ts';
import { withoutQuery } from './http.ts';
import { type JsonObject, parseJsonObject } from './json.ts';
import { type JwsHeader, parseJws } from './jws.ts';
import { isVerificationJwk } from './key-set.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';
import { createProofKeys } from './proof-keys.ts';

export interface ProofRules {
  readonly algorithms: readonly KeyAlgorithm[];
  readonly maxAgeSeconds: number;
  readonly toleranceSeconds: number;
  /** Present where proofs need a nonce. */
  readonly nonces: DpopNonces | undefined;
  readonly now: () => number;
}

export interface ProofRequest {
  /** The `DPoP` header. */
  readonly proof: string | null | undefined;
  readonly method: string;
  /** The URL that the client sees; `undefined` where that is not known for sure, which no proof can match. */
  readonly url: string | undefined;
  /** `undefined` where no token is presented, as at the token endpoint (RFC 9449 section 5). */
  readonly accessTokenHash: string | undefined;
  /** The thumbprint of the key that the token is bound to; `undefined` where the proof says which key it is to be. */
  readonly jkt: string | undefined;
}

/** A proof that holds, and how long it must not be used again. */
export interface HeldProof {
  readonly jkt: string;
  readonly jti: string;
  /** In epoch milliseconds. */
  readonly expiresAt: number;
}

export type ProofVerifier = (request: ProofRequest) => MaybePromise<Fault | HeldProof>;

const LONGEST_PROOF = 8 * 1024;
const LONGEST_JTI = 256;
/** RSA keys of more bits, or with a longer exponent, are slow to verify with, which is the client's to choose. */
const MOST_RSA_BYTES = 512;
const MOST_EXPONENT_BYTES = 4;
/** The members of private and symmetric keys (RFC 7518 section 6). */
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

export function createProofVerifier(rules: ProofRules): ProofVerifier {
  const algorithms: ReadonlySet<string> = new Set(rules.algorithms);
  const keys = createProofKeys();

  return (request) => {
    const { proof } = request;
    if (proof === null || proof === undefined) return refuse('missing_proof', 'a DPoP header');
    if (proof.length > LONGEST_PROOF)
      return refuse('malformed_proof', `${LONGEST_PROOF} characters`, `${proof.length}`);
    const jws = parseJws(proof, keys);
    if (jws instanceof Fault) return refuse('malformed_proof', jws.expected ?? 'a compact JWS');
    const claims = parseJsonObject(jws.payload);
    if (claims === undefined) return refuse('malformed_proof', 'a payload that is a JSON object');
    const known = keys.get(jws.headerSegment);
    const headerFault = known === undefined ? checkHeader(jws.header, algorithms) : undefined;
    const held = headerFault ?? checkClaims(claims, request, rules);
    if (held instanceof Fault) return held;
    return andThen(checkNonce(claims.nonce, rules.nonces), (nonceFault) => {
      if (nonceFault !== undefined) return nonceFault;
      return andThen(known ?? keys.read(jws.header, request.jkt), (key) => {
        if (key === undefined) return refuse('malformed_proof', 'jwk as a public signature key');
        const { jkt } = key;
        if (key.verify === undefined || (request.jkt !== undefined && jkt !== request.jkt)) {
          return refuse('proof_key_mismatch', request.jkt ?? '', jkt);
        }
        return andThen(key.verify(jws.signingInput, jws.signature), (holds) => {
          if (!holds) return refuse('bad_proof_signature', 'a signature by the key of the proof');
          if (known === undefined) keys.remember(jws.headerSegment, key);
          return { jkt, ...held };
        });
      });
    });
  };
}

function checkHeader({ alg, typ, jwk }: JwsHeader, algorithms: ReadonlySet<string>): Fault | undefined {
  const kind = typ?.toLowerCase();
  if (kind !== 'dpop+jwt' && kind !== 'application/dpop+jwt')
    return refuse('malformed_proof', 'typ dpop+jwt', typ);
  if (!algorithms.has(alg)) return refuse('proof_algorithm_not_allowed', [...algorithms].join(' '), alg);
  if (!isVerificationJwk(jwk) || !isSpeltOut(jwk)) {
    return refuse('malformed_proof', 'jwk as a public signature key');
  }
  if (secretMembers.some((member) => Object.hasOwn(jwk, member))) {
    return refuse('malformed_proof', 'jwk without private members');
  }
  // `isVerificationJwk` has looked at alg's own name; the list above holds key algorithms alone.
  const fits = keyFitsAlgorithm(jwk, alg as KeyAlgorithm) && (jwk.alg === undefined || jwk.alg === alg);
  return fits ? undefined : refuse('malformed_proof', `jwk as a key for ${alg}`);
}

/** One key must have one thumbprint: numbers in their shortest, coordinates in their full length (RFC 7518 section 6). */
function isSpeltOut({ kty, crv, n, e, x, y }: Jwk): boolean {
  if (kty === 'RSA') return isShortest(n, MOST_RSA_BYTES) && isShortest(e, MOST_EXPONENT_BYTES);
  const length = coordinateBytes.get(crv);
  return hasLength(x, length) && (kty === 'OKP' || hasLength(y, length));
}

const coordinateBytes: ReadonlyMap<unknown, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
  ['Ed25519', 32],
]);

function hasLength(value: unknown, length: number | undefined): boolean {
  return typeof value === 'string' && decodeBase64url(value)?.length === length;
}

function isShortest(value: unknown, mostBytes: number): boolean {
  const bytes = typeof value === 'string' ? decodeBase64url(value) : undefined;
  return bytes !== undefined && bytes.length <= mostBytes && (bytes[0] ?? 0) !== 0;
}

/** The checks of section 4.3 that need no key: they are cheap, and come first. */
function checkClaims(
  claims: JsonObject,
  request: ProofRequest,
  rules: ProofRules,
): Fault | Omit<HeldProof, 'jkt'> {
  const { jti, htm, htu, iat, ath } = claims;
  if (typeof jti !== 'string' || jti === '' || jti.length > LONGEST_JTI) {
    return refuse('malformed_proof', `jti of 1 to ${LONGEST_JTI} characters`);
  }
  if (htm !== request.method) return refuse('proof_method_mismatch', request.method, shown(htm));
  if (typeof htu !== 'string' || !isSameUrl(htu, request.url)) {
    const expected = request.url === undefined ? 'a request whose URL is known' : withoutQuery(request.url);
    return refuse('proof_url_mismatch', expected, typeof htu === 'string' ? withoutQuery(htu) : typeof htu);
  }
  if (request.accessTokenHash !== undefined && ath !== request.accessTokenHash)
    return refuse('proof_token_mismatch', 'ath of the access token', shown(ath));
  if (typeof iat !== 'number' || !Number.isFinite(iat))
    return refuse('malformed_proof', 'iat as a finite number');
  const now = rules.now() / 1000;
  const { maxAgeSeconds, toleranceSeconds } = rules;
  if (iat > now + toleranceSeconds) return refuse('proof_in_future', `iat up to ${now}`, `${iat}`);
  if (iat < now - maxAgeSeconds - toleranceSeconds) {
    return refuse('proof_too_old', `an age up to ${maxAgeSeconds} s`, `${iat}`);
  }
  return {
    jti,
    expiresAt: Math.floor((iat + maxAgeSeconds + toleranceSeconds) * 1000) + 1,
  };
}

/** The request's own query and fragment do not count (RFC 9449 section 4.3, step 9). */
function isSameUrl(htu: string, url: string | undefined): boolean {
  if (url === undefined) return false;
  if (htu === url && !htu.includes('?') && !htu.includes('#')) return true;
  const normal = normalizeHtu(htu);
  return normal !== undefined && normal === normalizeHtu(url);
}

function checkNonce(nonce: unknown, nonces: DpopNonces | undefined): MaybePromise<Fault | undefined> {
  if (nonces === undefined) return undefined;
  if (typeof nonce !== 'string') return refuse('missing_nonce', 'a nonce of this server');
  return andThen(nonces.accepts(nonce), (accepted) =>
    accepted ? undefined : refuse('wrong_nonce', 'a fresh nonce of this server'),
  );
}

function refuse(reason: Fault['reason'], expected: string, actual?: string): Fault {
  return new Fault('proof', reason, expected, actual);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : typeof value;
}
