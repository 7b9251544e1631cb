/** A second opinion on DPoP proofs: RFC 9449 section 4.3, step by step, with jose's primitives. */
import { base64url, calculateJwkThumbprint, compactVerify, EmbeddedJWK } from 'jose';
import { hashOf } from './dpop.ts';

export interface ExpectedProof {
  readonly method: string;
  readonly url: string;
  readonly token: string;
  readonly jkt: string;
  readonly nowSeconds: number;
}

const algorithms = ['ES256', 'EdDSA', 'Ed25519', 'ES384', 'ES512', 'PS256', 'RS256'];
const OLDEST_SECONDS = 65;
const EARLIEST_SECONDS = 5;

export async function joseAccepts(proof: string, expected: ExpectedProof): Promise<boolean> {
  try {
    // RFC 7515 section 2: no padding, no line breaks, no white space; the decoder below would pass over them.
    if (!proof.split('.').every((part) => /^[\w-]+$/.test(part))) return false;
    const { payload, protectedHeader } = await compactVerify(proof, EmbeddedJWK, { algorithms });
    const { typ, jwk } = protectedHeader;
    if (!/^(application\/)?dpop\+jwt$/i.test(typ ?? '')) return false;
    if (jwk === undefined || (await calculateJwkThumbprint(jwk)) !== expected.jkt) return false;
    if (!isSpeltOut({ ...jwk })) return false;
    const claims: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return typeof claims === 'object' && claims !== null && claimsHold({ ...claims }, expected);
  } catch {
    return false;
  }
}

/** The numbers that a public key is made of, as they are spelt. */
function numbersOf(jwk: Record<string, unknown>): readonly string[] {
  const names = jwk.kty === 'RSA' ? ['n', 'e'] : jwk.kty === 'EC' ? ['x', 'y'] : ['x'];
  return names.map((name) => jwk[name]).filter((text) => typeof text === 'string');
}

const coordinateBytes: Readonly<Record<string, number>> = {
  'P-256': 32,
  'P-384': 48,
  'P-521': 66,
  Ed25519: 32,
};

/** RFC 7518 section 6 and RFC 8037 section 2, which WebCrypto of Node does not mind: one spelling for each number. */
function isSpeltOut(jwk: Record<string, unknown>): boolean {
  return numbersOf(jwk).every((text) => {
    const bytes = Buffer.from(text, 'base64url');
    const isWhole = jwk.kty === 'RSA' ? bytes[0] !== 0 : bytes.length === coordinateBytes[String(jwk.crv)];
    return isWhole && /^[\w-]+$/.test(text);
  });
}

function claimsHold(
  { jti, htm, htu, iat, ath }: Record<string, unknown>,
  { method, url, token, nowSeconds }: ExpectedProof,
): boolean {
  if (typeof jti !== 'string' || htm !== method || ath !== hashOf(token)) return false;
  if (typeof htu !== 'string' || normal(htu) !== normal(url)) return false;
  if (typeof iat !== 'number' || !Number.isFinite(iat)) return false;
  return iat >= nowSeconds - OLDEST_SECONDS && iat <= nowSeconds + EARLIEST_SECONDS;
}

/** RFC 3986 section 6.2.2 and 6.2.3, without query and fragment. */
function normal(text: string): string {
  const { protocol, username, password, host, pathname } = new URL(text);
  const path = pathname.replace(/%[0-9a-f]{2}/gi, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : triplet.toUpperCase();
  });
  return JSON.stringify([protocol, username, password, host, path]);
}

interface Read {
  readonly proof: string;
  readonly header: Record<string, unknown>;
  readonly jwk: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  /** Header and payload as text. */
  readonly texts: readonly string[];
}

/** Where this project and the judge may differ, in which direction, and why that is right. */
export interface AllowedDifference {
  readonly here: 'refused' | 'accepted';
  readonly applies: (proof: Read) => boolean;
}

export const allowedDifferences: Readonly<Record<string, AllowedDifference>> = {
  // RFC 9449 section 11.1 lets servers bound what they must remember and read.
  'a jti that is empty or longer than 256 characters': {
    here: 'refused',
    applies: ({ claims: { jti } }) => typeof jti === 'string' && (jti === '' || jti.length > 256),
  },
  'a proof longer than 8 KiB': { here: 'refused', applies: ({ proof }) => proof.length > 8192 },
  'JSON nested deeper than 32': {
    here: 'refused',
    applies: ({ texts }) => texts.some((text) => text.split(/[[{]/).length > 33),
  },
  // RFC 9449 section 4.2: htu is a URI. The URL parser of browsers mends what is none.
  'an htu that is no URI before it is mended': {
    here: 'refused',
    applies: ({ claims: { htu } }) =>
      typeof htu === 'string' &&
      (!/^https?:\/\/[!-~]+$/i.test(htu) || /^[^/]+\/\/([^/?#]*@|\/)|\\/.test(htu)),
  },
  // Section 4.2 forbids private keys; a public key has no use for the names of their members.
  'a member of a private or symmetric key in a key of another kind': {
    here: 'refused',
    applies: ({ jwk }) =>
      ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].some((name) => Object.hasOwn(jwk, name)),
  },
  // RFC 7515 section 4.1.4 and RFC 7517 section 4.5: a case-sensitive string.
  'a kid that is no string': {
    here: 'refused',
    applies: ({ header, jwk }) =>
      [header.kid, jwk.kid].some((kid) => kid !== undefined && typeof kid !== 'string'),
  },
  // RFC 7515 section 4.1.11: no extension is understood here; RFC 7797 section 6: b64 must be critical.
  'b64, or crit with b64': { here: 'refused', applies: ({ header }) => Object.hasOwn(header, 'b64') },
  // RFC 4648 section 3.5 lets decoders refuse it: one text stands for one value.
  'bits left over at the end of a part or a number': {
    here: 'refused',
    applies: ({ proof, jwk }) =>
      [...proof.split('.'), ...numbersOf(jwk)].some(
        (part) => base64url.encode(Buffer.from(part, 'base64url')) !== part,
      ),
  },
  // RFC 8259 section 8.1: must not be sent, may be ignored.
  'a byte order mark': {
    here: 'refused',
    applies: ({ texts }) => texts.some((text) => text.startsWith('\ufeff')),
  },
  // RFC 7517 section 4.3: verify is among them. WebCrypto has no public key that signs, and so jose refuses it.
  'key_ops with verify and more': {
    here: 'accepted',
    applies: ({ jwk: { key_ops: operations } }) =>
      Array.isArray(operations) && operations.includes('verify') && operations.length > 1,
  },
  // A member of WebCrypto, of which RFC 7517 knows nothing: members that are not understood are ignored.
  'an ext that is no boolean': {
    here: 'accepted',
    applies: ({ jwk: { ext } }) => ext !== undefined && typeof ext !== 'boolean',
  },
};

/** The names of the differences that a proof may be judged by. */
export function differencesOf(proof: string, here: 'refused' | 'accepted'): readonly string[] {
  const texts = proof.split('.', 2).map((part) => Buffer.from(part, 'base64url').toString());
  const [header = {}, claims = {}] = texts.map(parseLeniently);
  const jwk = typeof header.jwk === 'object' && header.jwk !== null ? { ...header.jwk } : {};
  const read: Read = { proof, header, jwk, claims, texts };
  return Object.entries(allowedDifferences)
    .filter(([, difference]) => difference.here === here && difference.applies(read))
    .map(([name]) => name);
}

function parseLeniently(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ''));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
