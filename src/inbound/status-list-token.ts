/** Status List Tokens in JWT form (OAuth Token Status List, section 5.1): verified and unpacked. */
import { ServiceAuthError } from '../errors.ts';
import { decodeBase64url } from '../shared/base64url.ts';
import { withoutQuery } from '../shared/http.ts';
import { inflate } from '../shared/inflate.ts';
import { isObject, type JsonObject, own } from '../shared/json.ts';
import type { Bytes } from '../shared/runtime.ts';
import { readSignedDocument, type SignedDocumentRules } from '../shared/signed-document.ts';

export interface StatusList {
  /** How many bits a status has: 1, 2, 4 or 8. */
  readonly bits: number;
  readonly bytes: Bytes;
  readonly ttlSeconds: number | undefined;
  /** In epoch milliseconds. */
  readonly expiresAt: number | undefined;
}

export interface StatusListRules extends Pick<SignedDocumentRules, 'keys' | 'algorithms'> {
  readonly issuer: string;
  readonly now: () => number;
  readonly maxUnpackedBytes: number;
}

/** How far the clock of an issuer may be ahead. */
const FURTHEST_AHEAD_SECONDS = 300;

/**
 * Reads the token of the list at `uri`.
 *
 * @throws ServiceAuthError `response_malformed`, `issuer_mismatch`, and what `KeySet.find` throws.
 */
export async function readStatusListToken(
  token: string,
  uri: string,
  rules: StatusListRules,
): Promise<StatusList> {
  const name = `the status list ${withoutQuery(uri)}`;
  const malformed = (what: string): ServiceAuthError =>
    new ServiceAuthError('response_malformed', `${name} ${what}`);
  const { keys, algorithms, issuer } = rules;
  const claims = await readSignedDocument(token, { name, typ: 'statuslist+jwt', keys, algorithms });
  const { sub, iss, iat, exp, ttl } = claims;
  if (iss !== undefined && iss !== issuer) {
    throw new ServiceAuthError('issuer_mismatch', `${name} is of another issuer`);
  }
  // Else a list of somebody else, or an old one, could be put in its place.
  if (sub !== uri) throw malformed('names another list as its sub');
  if (!isSeconds(iat)) throw malformed('has no iat');
  if (iat > rules.now() / 1000 + FURTHEST_AHEAD_SECONDS) throw malformed('was issued in the future');
  if (exp !== undefined && !isSeconds(exp)) throw malformed('has an exp that is no number');
  if (exp !== undefined && exp * 1000 <= rules.now()) throw malformed('has expired');
  if (ttl !== undefined && !isSeconds(ttl)) throw malformed('has a ttl that is no number');
  const packed = own(claims, 'status_list');
  const list = isObject(packed) ? await unpack(packed, rules.maxUnpackedBytes) : undefined;
  if (list === undefined) throw malformed('cannot be unpacked');
  return { ...list, ttlSeconds: ttl, expiresAt: exp === undefined ? undefined : exp * 1000 };
}

async function unpack(
  packed: JsonObject,
  maxBytes: number,
): Promise<Pick<StatusList, 'bits' | 'bytes'> | undefined> {
  const { bits, lst } = packed;
  if (bits !== 1 && bits !== 2 && bits !== 4 && bits !== 8) return undefined;
  const deflated = typeof lst === 'string' ? decodeBase64url(lst) : undefined;
  const bytes = deflated && (await inflate(deflated, maxBytes));
  return bytes && { bits, bytes };
}

/** The status at an index; the first is in the lowest bits of the first byte. `undefined` beyond the end. */
export function statusAt({ bits, bytes }: StatusList, index: number): number | undefined {
  const perByte = 8 / bits;
  const byte = bytes[Math.floor(index / perByte)];
  return byte === undefined ? undefined : (byte >> ((index % perByte) * bits)) & (2 ** bits - 1);
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
