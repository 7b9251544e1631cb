import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import { readStatusListToken, type StatusList, statusAt } from '../../../../src/inbound/status-list-token.ts';
import { memoryStorage, type StatusListState } from '../../../../src/issuer/index.ts';
import { createStatusListTokens } from '../../../../src/issuer/tokens/status-list-tokens.ts';
import { createStaticKeySet, parseKeySet } from '../../../../src/shared/key-set.ts';
import { ISSUER, START_MS } from '../harness.ts';
import { createRooms } from './support.ts';

const SIZE = 2 ** 20;
const URI = `${ISSUER}/status-lists/1`;

function scene(options = {}) {
  const storage = memoryStorage();
  const state = { revision: 1, size: SIZE, revoked: [] as [number, number][] };
  const statusList = vi.spyOn(storage, 'statusList').mockImplementation(async () => structuredClone(state));
  vi.spyOn(storage, 'statusListRevision').mockImplementation(async () => state.revision);
  const rooms = createRooms({ storage, ...options });
  const lists = createStatusListTokens(rooms.settings, rooms.keys);
  const find = async (listId = '1'): Promise<string> => {
    const token = await lists.find(listId);
    if (token === undefined) throw new Error('there is no such list');
    return token;
  };
  /** As a verifier reads it. */
  const read = async (token: string): Promise<StatusList> => {
    const keys = (await rooms.keys.published()).map(({ publicJwk }) => publicJwk);
    const algorithms = ['ES256', 'EdDSA', 'RS256'] as const;
    return readStatusListToken(token, URI, {
      issuer: ISSUER,
      keys: createStaticKeySet(parseKeySet({ keys }, algorithms)),
      algorithms: new Set(algorithms),
      now: rooms.now,
      maxUnpackedBytes: SIZE / 8,
    });
  };
  return { ...rooms, state, statusList, lists, find, read };
}

describe('the token of a list', () => {
  it('says what the specification asks for', async () => {
    const { find, read } = scene({ statusListTtlSeconds: 30 });
    const token = await find();
    const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
    expect(header).toEqual({ alg: 'ES256', typ: 'statuslist+jwt', kid: expect.any(String) });
    expect(decodeJwt(token)).toEqual({
      sub: URI,
      iat: START_MS / 1000,
      exp: START_MS / 1000 + 900,
      ttl: 30,
      status_list: { bits: 1, lst: expect.any(String) },
    });
    const { bits, bytes, ttlSeconds, expiresAt } = await read(token);
    expect({ bits, length: bytes.length, ttlSeconds, expiresAt }).toEqual({
      bits: 1,
      length: SIZE / 8,
      ttlSeconds: 30,
      expiresAt: START_MS + 900_000,
    });
  });

  it('lives for twice its ttl at least', async () => {
    const { find } = scene({ statusListTtlSeconds: 3600 });
    expect(decodeJwt(await find()).exp).toBe(START_MS / 1000 + 7200);
  });

  it('with a million places tells the revoked ones from the others', async () => {
    const { find, read, state } = scene();
    const revoked = new Set([0, 7, 8, SIZE - 1]);
    for (let n = 0; n < 50_000; n++) revoked.add(Math.floor(Math.random() * SIZE));
    state.revoked = [...revoked].map((index) => [index, 1]);
    state.revoked.push([500_000, 4096]);
    for (let index = 500_000; index < 504_096; index++) revoked.add(index);
    const list = await read(await find());
    const wrong: number[] = [];
    for (let index = 0; index < SIZE; index++) {
      if (statusAt(list, index) !== (revoked.has(index) ? 1 : 0)) wrong.push(index);
    }
    expect(wrong).toEqual([]);
    expect(statusAt(list, SIZE)).toBeUndefined();
  });

  it('is small while little is revoked, and never larger than a place each', async () => {
    const { find, state } = scene();
    expect((await find()).length).toBeLessThan(1000);
    state.revision++;
    state.revoked = Array.from({ length: SIZE / 2 }, () => [Math.floor(Math.random() * SIZE), 1]);
    expect((await find()).length).toBeLessThan((SIZE / 8) * (16 / 9) * 1.02);
  });

  it('holds for any places and sizes', async () => {
    const { find, state } = scene();
    const range = fc.tuple(fc.nat({ max: 99 }), fc.integer({ min: 1, max: 20 }));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 120 }), fc.array(range), async (size, ranges) => {
        state.revision++;
        const within = ranges.filter(([start, count]) => start + count <= size);
        Object.assign(state, { size, revoked: within } satisfies Partial<StatusListState>);
        const { status_list: list } = decodeJwt<{ status_list: { lst: string } }>(await find());
        const bytes = inflateSync(Buffer.from(list.lst, 'base64url'));
        expect(bytes.length).toBe(Math.ceil(size / 8));
        for (let index = 0; index < size; index++) {
          const isRevoked = within.some(([start, count]) => index >= start && index < start + count);
          expect(((bytes[index >> 3] ?? 0) >> (index & 7)) & 1).toBe(isRevoked ? 1 : 0);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('a list is made', () => {
  it('once for all who ask, until something is revoked or half of its ttl has passed', async () => {
    const { find, statusList, advance, state } = scene({ statusListTtlSeconds: 60 });
    const tokens = await Promise.all(Array.from({ length: 100 }, () => find()));
    expect(new Set(tokens).size).toBe(1);
    advance(29);
    expect(await find()).toBe(tokens[0]);
    expect(statusList).toHaveBeenCalledTimes(1);
    state.revision++;
    const second = await find();
    expect(second).not.toBe(tokens[0]);
    expect(statusList).toHaveBeenCalledTimes(2);
    advance(30);
    expect(decodeJwt(await find()).iat).toBe(START_MS / 1000 + 59);
    expect(statusList).toHaveBeenCalledTimes(3);
  });

  it('anew for who asks after a revocation, though one is being made', async () => {
    const { find, read, state, statusList } = scene();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const before = structuredClone(state);
    statusList.mockImplementationOnce(async () => {
      await held;
      return before;
    });
    const early = find();
    await vi.waitFor(() => expect(statusList).toHaveBeenCalledTimes(1));
    state.revision++;
    state.revoked = [[3, 1]];
    expect(statusAt(await read(await find()), 3)).toBe(1);
    release();
    expect(statusAt(await read(await early), 3)).toBe(0);
    // What was late is not kept in the place of what is newer.
    expect(statusAt(await read(await find()), 3)).toBe(1);
  });

  it('again if it failed', async () => {
    const { find, statusList } = scene();
    statusList.mockRejectedValueOnce(new Error('away'));
    await expect(find()).rejects.toThrow('away');
    expect(await find()).toBeDefined();
  });

  it('anew when the clock went backwards', async () => {
    const { find, advance, statusList } = scene();
    await find();
    advance(-1);
    await find();
    expect(statusList).toHaveBeenCalledTimes(2);
  });

  it('only if there is one', async () => {
    const { settings, keys } = createRooms();
    expect(await createStatusListTokens(settings, keys).find('1')).toBeUndefined();
    expect(await createStatusListTokens(settings, keys).find('__proto__')).toBeUndefined();
  });
});

it('the key that signs a list stays published for as long as the list holds', async () => {
  const { find, read, keys, advance } = scene({ statusListTtlSeconds: 3600, accessTokenSeconds: 60 });
  const token = await find();
  await keys.rotate(true);
  advance(7199);
  await keys.reload();
  expect((await read(token)).bytes.length).toBe(SIZE / 8);
  advance(61);
  await keys.reload();
  await expect(read(token)).rejects.toThrow();
});
