/** Invalidations as Redis keeps them: what is meant, never a token, and by whom it was said where a secret is shared. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Invalidation, optionError, tokenKey } from '../../src/index.ts';

/** What somebody said is no longer to be accepted; when, is not part of it. */
export type Denied = { readonly tokenKey: string } | { readonly jti: string } | { readonly clientId: string };

export interface InvalidationTexts {
  /** The same for the same thing. @throws TypeError if it is longer than any jti or client id may be. */
  encode(what: Invalidation): string;
  /** `undefined` for anything that `encode` does not give. */
  decode(text: string): Denied | undefined;
}

const LONGEST_VALUE = 1024;
const MAC_CHARACTERS = 43;
const tokenKeyPattern = /^[\w-]{43}$/;

/** Makes the texts of a channel; with a secret each bears a code (HMAC with SHA-256) of what it says on this channel. */
export function createInvalidationTexts(channel: string, secret: Uint8Array | undefined): InvalidationTexts {
  function macOf(said: string): string {
    if (secret === undefined) return '';
    return createHmac('sha256', secret).update(`${channel}\n${said}`).digest('base64url');
  }

  function isAuthentic(said: string, mac: string): boolean {
    const expected = Buffer.from(macOf(said));
    const given = Buffer.from(mac);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  return {
    encode(what) {
      const said = sayingOf(what);
      return macOf(said) + said;
    },
    decode(text) {
      const at = secret === undefined ? 0 : MAC_CHARACTERS;
      const said = text.slice(at);
      return isAuthentic(said, text.slice(0, at)) ? meaningOf(said) : undefined;
    },
  };
}

function sayingOf(what: Invalidation): string {
  if (typeof what === 'string') return `key:${tokenKey(what)}`;
  if (what.tokenKey !== undefined) return `key:${checked('tokenKey', what.tokenKey, isTokenKey)}`;
  if (what.jti !== undefined) return `jti:${checked('jti', what.jti, isName)}`;
  return `client:${checked('clientId', what.clientId, isName)}`;
}

function meaningOf(said: string): Denied | undefined {
  const end = said.indexOf(':');
  const value = said.slice(end + 1);
  switch (said.slice(0, end + 1)) {
    case 'key:':
      return isTokenKey(value) ? { tokenKey: value } : undefined;
    case 'jti:':
      return isName(value) ? { jti: value } : undefined;
    case 'client:':
      return isName(value) ? { clientId: value } : undefined;
    default:
      return undefined;
  }
}

function isTokenKey(value: string): boolean {
  return tokenKeyPattern.test(value);
}

/** As `invalidate` of a verifier takes it; half a surrogate pair would come back as another character. */
function isName(value: string): boolean {
  return value.trim() !== '' && value.length <= LONGEST_VALUE && Buffer.from(value).toString() === value;
}

function checked(member: string, value: string, isGood: (value: string) => boolean): string {
  if (typeof value === 'string' && isGood(value)) return value;
  throw optionError(
    'call_invalid',
    `invalidate: ${member} must be text that Redis can keep, of ${LONGEST_VALUE} characters at most`,
  );
}
