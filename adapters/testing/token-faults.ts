/** Tokens that are wrong in one way, by name, and how a verifier answers each. */
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { RejectionReason } from '../../src/index.ts';
import type { SigningKey } from '../../src/issuer/keys/sealed-keys.ts';
import { encodeBase64url, encodeJson } from '../../src/shared/base64url.ts';
import type { JsonObject } from '../../src/shared/json.ts';
import type { OptionChecker } from '../../src/shared/options.ts';
import { importPrivateKey } from '../../src/shared/private-key.ts';

/** What a verifier makes of a token with a fault. */
export interface TokenFaultOutcome {
  readonly status: 401 | 403;
  /** As in the event `request.rejected`. */
  readonly reason: RejectionReason;
}

/** A token that is still to be signed. */
interface Draft {
  readonly header: JsonObject;
  readonly claims: JsonObject;
}

type Signer = 'issuer' | 'stranger' | 'public_key' | 'nobody';

interface Forgery extends TokenFaultOutcome {
  readonly change?: (draft: Draft, nowSeconds: number) => Partial<Draft>;
  /** @default 'issuer' */
  readonly signer?: Signer;
  /** What becomes of the token once it is signed. */
  readonly spoil?: (token: string) => string;
}

const HOUR = 3600;
/** Where the presets of verifiers read scopes. */
const scopeClaims = ['scope', 'scp', 'scopes', 'permissions', 'roles'];

/** A change of claims; one that is undefined is left out of the token. */
const claims =
  (change: (nowSeconds: number) => JsonObject) =>
  (draft: Draft, nowSeconds: number): Partial<Draft> => ({
    claims: { ...draft.claims, ...change(nowSeconds) },
  });

const header =
  (change: JsonObject) =>
  (draft: Draft): Partial<Draft> => ({ header: { ...draft.header, ...change } });

const forgeries = {
  expired: {
    status: 401,
    reason: 'expired',
    change: claims((now) => ({ iat: now - 2 * HOUR, exp: now - HOUR })),
  },
  not_yet_valid: {
    status: 401,
    reason: 'not_yet_valid',
    change: claims((now) => ({ nbf: now + HOUR, exp: now + 2 * HOUR })),
  },
  issued_in_future: {
    status: 401,
    reason: 'issued_in_future',
    change: claims((now) => ({ iat: now + HOUR, exp: now + 2 * HOUR })),
  },
  no_expiry: { status: 401, reason: 'invalid_claim', change: claims(() => ({ exp: undefined })) },
  wrong_audience: {
    status: 401,
    reason: 'wrong_audience',
    change: claims(() => ({ aud: 'https://another-service.test' })),
  },
  wrong_issuer: {
    status: 401,
    reason: 'unknown_issuer',
    change: claims(() => ({ iss: 'https://another-issuer.test' })),
  },
  wrong_typ: { status: 401, reason: 'wrong_typ', change: header({ typ: 'logout+jwt' }) },
  /** Signed by a stranger under the name of the issuer's key. */
  wrong_key: { status: 401, reason: 'bad_signature', signer: 'stranger' },
  /** Signed by a stranger under a name that the issuer does not publish. */
  unknown_key: {
    status: 401,
    reason: 'unknown_key',
    change: header({ kid: 'a-key-of-nobody' }),
    signer: 'stranger',
  },
  /** The payload was changed after it was signed. */
  tampered: { status: 401, reason: 'bad_signature', spoil: changePayload },
  /** `alg` is `none`, and there is no signature (RFC 8725 section 3.2). */
  unsigned: {
    status: 401,
    reason: 'malformed_token',
    change: header({ alg: 'none', kid: undefined }),
    signer: 'nobody',
  },
  /** An HMAC with the issuer's public key for a secret (RFC 8725 section 2.1). */
  algorithm_confusion: {
    status: 401,
    reason: 'algorithm_not_allowed',
    change: header({ alg: 'HS256' }),
    signer: 'public_key',
  },
  malformed: {
    status: 401,
    reason: 'malformed_token',
    spoil: (token) => token.slice(0, token.lastIndexOf('.')),
  },
  /** Nor in any other claim that scopes may stand in. */
  missing_scope: {
    status: 403,
    reason: 'insufficient_scope',
    change: claims(() => Object.fromEntries(scopeClaims.map((name) => [name, undefined]))),
  },
} as const satisfies Readonly<Record<string, Forgery>>;

/** What may be wrong with a token. */
export type TokenFault = keyof typeof forgeries;

/** The names of all faults. */
export const tokenFaultNames = Object.freeze(Object.keys(forgeries)) as readonly TokenFault[];

/**
 * Every fault of a token by its name, and how a route that asks for a scope answers it: a table for tests.
 *
 * The reasons are those of a verifier with the defaults, which checks tokens itself.
 */
export const tokenFaults: Readonly<Record<TokenFault, TokenFaultOutcome>> = Object.freeze(
  Object.fromEntries(
    Object.entries(forgeries).map(([name, { status, reason }]) => [name, Object.freeze({ status, reason })]),
  ) as Record<TokenFault, TokenFaultOutcome>,
);

export interface Forge {
  readonly check: OptionChecker;
  readonly key: SigningKey;
  readonly nowSeconds: number;
  readonly fault: TokenFault | undefined;
}

export interface ForgedToken {
  readonly accessToken: string;
  readonly claims: JsonObject;
}

/** Signs a token, well or with the fault that was asked for. */
export async function forgeToken(draft: Draft, forge: Forge): Promise<ForgedToken> {
  const { fault, nowSeconds } = forge;
  const { change, signer = 'issuer', spoil }: Partial<Forgery> = fault === undefined ? {} : forgeries[fault];
  const { header, claims } = { ...draft, ...change?.(draft, nowSeconds) };
  const said = withoutUndefined(claims);
  const input = `${encodeJson(header)}.${encodeJson(said)}`;
  const token = `${input}.${await signature(signer, input, forge)}`;
  return { accessToken: spoil?.(token) ?? token, claims: said };
}

function withoutUndefined(members: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

async function signature(signer: Signer, input: string, { check, key }: Forge): Promise<string> {
  switch (signer) {
    case 'issuer':
      return encodeBase64url(await key.sign(input));
    case 'stranger': {
      const { sign } = importPrivateKey(check, strangersKey(key.algorithm), key.algorithm);
      return encodeBase64url(await sign(input));
    }
    case 'public_key':
      return createHmac('sha256', JSON.stringify(key.publicJwk)).update(input).digest('base64url');
    case 'nobody':
      return '';
  }
}

const strangers = new Map<string, KeyObject>();

/** One for all tests: that of RSA takes a while to make. */
function strangersKey(algorithm: string): KeyObject {
  const known = strangers.get(algorithm);
  if (known !== undefined) return known;
  const made = generatePrivateKey(algorithm);
  strangers.set(algorithm, made);
  return made;
}

function generatePrivateKey(algorithm: string): KeyObject {
  if (algorithm === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519').privateKey;
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function changePayload(token: string): string {
  const [head = '', payload = '', tail = ''] = token.split('.');
  const said: JsonObject = JSON.parse(Buffer.from(payload, 'base64url').toString());
  return [head, encodeJson({ ...said, tampered: true }), tail].join('.');
}
