/** Weeks of an issuer's life by an injected clock: whatever happens, tokens verify until they end, and keys then go. */
import fc from 'fast-check';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { expect, it } from 'vitest';
import { memoryStorage } from '../../../../src/issuer/index.ts';
import { createHarness, START_MS } from '../harness.ts';
import { createRooms, type Rooms } from '../tokens/support.ts';

const HOUR = 3600;
const PUBLISH_AHEAD = 300;
const USUAL = 900;
const GRACE = 60;
/** How long an instance may go by what it read before. */
const RELOAD = 5;

interface Outstanding {
  readonly token: string;
  readonly expiresAt: number;
  readonly kid: string | undefined;
}

/** One verifier of one instance's key set, which it keeps for as long as it may. */
interface Reader {
  readonly instance: Rooms;
  set: JSONWebKeySet;
  fetchedAt: number;
}

type Step =
  | { readonly act: 'issue'; readonly by: number; readonly life: number }
  | { readonly act: 'rotate'; readonly by: number; readonly immediately: boolean }
  | { readonly act: 'wait'; readonly seconds: number };

const by = fc.nat({ max: 2 });
const issue = fc.record({
  act: fc.constant('issue' as const),
  by,
  life: fc.constantFrom(60, USUAL, USUAL, 4 * HOUR, 24 * HOUR),
});
const rotate = fc.record({ act: fc.constant('rotate' as const), by, immediately: fc.boolean() });
const wait = fc.record({
  act: fc.constant('wait' as const),
  seconds: fc.oneof(...[10, 60, 120, 120, 120, 2 * HOUR, 72 * HOUR].map((max) => fc.nat({ max }))),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: issue, weight: 4 },
  { arbitrary: rotate, weight: 1 },
  { arbitrary: wait, weight: 4 },
);

/** From hardly longer than keys are published ahead to longer than any wait. */
const life = fc.constantFrom(400, 1200, 7 * 24 * HOUR);

function createWorld(rotationSeconds: number) {
  let nowMs = START_MS;
  const now = (): number => nowMs;
  const storage = memoryStorage();
  const options = {
    storage,
    now,
    keyRotationSeconds: rotationSeconds,
    keyPublishAheadSeconds: PUBLISH_AHEAD,
  };
  const instances = [createRooms(options), createRooms(options), createRooms(options)];
  const readers: Reader[] = instances.map((instance) => ({
    instance,
    set: { keys: [] },
    fetchedAt: -Infinity,
  }));
  const outstanding: Outstanding[] = [];
  /** When the last token of each key ends. */
  const ends = new Map<string, number>();

  async function publishedBy({ keys }: Rooms): Promise<JSONWebKeySet> {
    const all = (await keys.published()).map(({ publicJwk }) => publicJwk);
    return JSON.parse(JSON.stringify({ keys: all }));
  }

  /** As caches do: kept for the max-age, and fetched again for a key that is not in it. */
  async function setOf(reader: Reader, kid: string | undefined): Promise<JSONWebKeySet> {
    const isOld = now() - reader.fetchedAt >= (PUBLISH_AHEAD / 2) * 1000;
    const isRotatedAtOnce = !reader.set.keys.some((key) => key.kid === kid) && atOnce.has(kid ?? '');
    if (isOld || isRotatedAtOnce) {
      reader.set = await publishedBy(reader.instance);
      reader.fetchedAt = now();
    }
    return reader.set;
  }

  const atOnce = new Set<string>();

  async function verifyAll(): Promise<void> {
    const live = outstanding.filter(({ expiresAt }) => expiresAt * 1000 > now());
    outstanding.splice(0, outstanding.length, ...live);
    for (const { token, kid } of live) {
      for (const reader of readers) {
        const set = createLocalJWKSet(await setOf(reader, kid));
        await jwtVerify(token, set, { currentDate: new Date(now()) });
        expect(await reader.instance.tokens.read(token)).toBeDefined();
      }
    }
  }

  /** One key signs, one may be about to; any other has signed something that may still be about. */
  async function expectNoneTooLong(): Promise<void> {
    for (const instance of instances) {
      const published = await instance.keys.published();
      const { kid: active } = await instance.keys.signer(0);
      for (const { kid, activeFromMs, tokenSeconds } of published) {
        if (kid === active || activeFromMs > now()) continue;
        const replacedAt = Math.min(
          ...published.map((key) => key.activeFromMs).filter((time) => time > activeFromMs),
        );
        const usual = (replacedAt + Math.max(USUAL, tokenSeconds) * 1000) / 1000;
        const needed = Math.max(ends.get(kid) ?? 0, usual);
        expect(now() / 1000).toBeLessThanOrEqual(needed + GRACE + RELOAD);
      }
    }
  }

  async function perform(todo: Step): Promise<void> {
    if (todo.act === 'wait') {
      nowMs += todo.seconds * 1000;
      return;
    }
    const instance = instances[todo.by] ?? instances[0];
    if (instance === undefined) throw new Error('there is no instance');
    if (todo.act === 'rotate') {
      const key = await instance.keys.rotate(todo.immediately);
      if (todo.immediately && key !== undefined) {
        atOnce.add(key.kid);
        // The others learn of it within their time.
        nowMs += RELOAD * 1000;
      }
      return;
    }
    const { accessToken: token, expiresAt } = await instance.tokens.issue(
      {
        clientId: 'worker',
        subject: 'worker',
        audience: ['https://orders.example'],
        scope: undefined,
        confirmation: undefined,
        actor: undefined,
      },
      { format: 'jwt', lifetimeSeconds: todo.life },
    );
    const { kid } = decodeProtectedHeader(token);
    outstanding.push({ token, expiresAt, kid });
    ends.set(kid ?? '', Math.max(ends.get(kid ?? '') ?? 0, expiresAt));
  }

  return { storage, perform, verifyAll, expectNoneTooLong, now };
}

it('every token verifies by the keys of any instance until it ends, and no key stays for longer', async () => {
  let weeks = 0;
  let rotations = 0;
  await fc.assert(
    fc.asyncProperty(
      life,
      fc.array(step, { minLength: 20, maxLength: 60 }),
      async (rotationSeconds, steps) => {
        const world = createWorld(rotationSeconds);
        const kids = new Set<string>();
        for (const todo of steps) {
          await world.perform(todo);
          await world.verifyAll();
          await world.expectNoneTooLong();
          for (const { kid } of await world.storage.listSigningKeys()) kids.add(kid);
        }
        weeks += (world.now() - START_MS) / (7 * 24 * HOUR * 1000);
        rotations += kids.size - 1;
      },
    ),
    { numRuns: 15 },
  );
  // Else it would have shown nothing.
  expect(weeks).toBeGreaterThan(2);
  expect(rotations).toBeGreaterThan(15);
}, 60_000);

it('an issuer that is asked four times a day for a year has one or two keys at any time', async () => {
  const harness = createHarness({ keyRotationSeconds: 7 * 24 * HOUR });
  const service = await harness.register();
  const seen = new Set<string | undefined>();
  for (let hour = 0; hour < 365 * 24; hour += 6) {
    harness.advance(6 * HOUR);
    seen.add(decodeProtectedHeader(await harness.token(service)).kid);
    expect((await harness.storage.listSigningKeys()).length).toBeLessThanOrEqual(2);
  }
  expect(seen.size).toBeGreaterThanOrEqual(48);
  expect(seen.size).toBeLessThanOrEqual(53);
});
