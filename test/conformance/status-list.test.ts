/** OAuth Token Status List (draft-ietf-oauth-status-list-20): packing and tokens as the specification prints them. */
import { describe, expect, it } from 'vitest';
import { readStatusListToken, type StatusList, statusAt } from '../../src/inbound/status-list-token.ts';
import { decodeBase64url } from '../../src/shared/base64url.ts';
import { keyAlgorithms } from '../../src/shared/crypto.ts';
import { parseJsonObject } from '../../src/shared/json.ts';
import { createStaticKeySet, parseKeySet } from '../../src/shared/key-set.ts';
import { createKey, issuer, nowMs, nowSeconds } from '../helpers/tokens.ts';
import { readVectors, type Vector } from '../helpers/vectors.ts';

const key = await createKey('ES256');
const uri = 'https://example.com/statuslists/1';
const MEBIBYTE = 1024 * 1024;

/** The list of a token that an issuer would make around it. */
async function read(list: unknown, maxUnpackedBytes = 16 * MEBIBYTE): Promise<StatusList> {
  const token = await key.sign(
    { typ: 'statuslist+jwt' },
    { sub: uri, iat: nowSeconds, exp: nowSeconds + 60, status_list: list },
  );
  return readStatusListToken(token, uri, {
    issuer,
    keys: createStaticKeySet(parseKeySet({ keys: [key.publicJwk] }, keyAlgorithms)),
    algorithms: new Set(keyAlgorithms),
    now: () => nowMs,
    maxUnpackedBytes,
  });
}

function only(expected: Vector['expected']): readonly Vector[] {
  const found = readVectors('token-status-list').filter(
    (vector) => vector.expected === expected && vector.options.kind === 'status-list',
  );
  if (found.length === 0) throw new Error(`no vectors to ${expected}`);
  return found;
}

describe('lists that are good', () => {
  it.each(only('accept'))('$id: $description', async (vector) => {
    const statuses = new Map(vector.statuses as [number, number][]);
    const size = vector.size as number;
    const list = await read(vector.status_list);
    expect((list.bytes.length * 8) / list.bits).toBe(size);
    const wrong: number[] = [];
    // All that are not listed are valid.
    for (let index = 0; index < size; index++) {
      if (statusAt(list, index) !== (statuses.get(index) ?? 0)) wrong.push(index);
    }
    expect(wrong).toEqual([]);
    expect(statusAt(list, size)).toBeUndefined();
    if (vector.raw_hex !== undefined) expect(Buffer.from(list.bytes).toString('hex')).toBe(vector.raw_hex);
  });
});

describe('lists that are not', () => {
  it.each(only('reject'))('$id: $description', async (vector) => {
    const index = vector.index as number;
    const status = await read(vector.status_list).then(
      (list) => statusAt(list, index),
      (error: unknown) => (error as { code: string }).code,
    );
    // Beyond the end of a good list there is no status; every other list cannot be unpacked.
    const isTooFar = vector.id === 'tsl-index-out-of-range';
    expect(status).toBe(isTooFar ? undefined : 'response_malformed');
  });
});

it.each(only('either'))('$id: refused for its size, or read where so much is allowed', async (vector) => {
  await expect(read(vector.status_list)).rejects.toMatchObject({ code: 'response_malformed' });
  const list = await read(vector.status_list, 64 * MEBIBYTE);
  expect(statusAt(list, vector.index as number)).toBe(0);
});

it('section 5.1: the example is read by the letter, and refused without its key', async () => {
  const vector = readVectors('token-status-list').find(({ options }) => options.kind === 'decode-only');
  const token = vector?.token;
  if (typeof token !== 'string') throw new Error('no example');
  const [header, claims] = token
    .split('.')
    .map((part) => parseJsonObject(decodeBase64url(part) ?? new Uint8Array(0)));
  expect(header).toMatchObject({ typ: 'statuslist+jwt' });
  const list = await read(claims?.status_list);
  expect([0, 1, 2, 3].map((index) => statusAt(list, index))).toEqual([1, 0, 0, 1]);
  const reading = readStatusListToken(token, claims?.sub as string, {
    issuer,
    keys: createStaticKeySet(parseKeySet({ keys: [key.publicJwk] }, keyAlgorithms)),
    algorithms: new Set(keyAlgorithms),
    now: () => (claims?.iat as number) * 1000,
    maxUnpackedBytes: MEBIBYTE,
  });
  await expect(reading).rejects.toThrow('is not signed by a key of its issuer');
});
