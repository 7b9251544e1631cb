/** Recording a proof in memory among many that are alive, while old ones die as fast as new ones come. */
import { randomBytes, randomUUID } from 'node:crypto';
import { createMemoryReplayStore } from 'service-auth';
import { batchOf, type Contender, fresh, heapBytes, must } from './harness.ts';

const LIFETIME_MS = 65_000;
const CHUNK = 50_000;

interface Proof {
  readonly jkt: string;
  readonly jti: string;
}

/** Tells whether a proof is new, at a time in milliseconds. */
type IsNew = (proof: Proof, time: number) => boolean;

const keys = Array.from({ length: 1000 }, () => randomBytes(32).toString('base64url'));

/** Contenders for a number of live proofs, of a thousand keys. */
export function replay(live: number): readonly Contender[] {
  return [contender('floor: one Set, the oldest out', live, oneSet), contender('service-auth', live, ours)];
}

/** As little as will do where every proof lives equally long: what is the oldest is then known. */
function oneSet(live: number): IsNew {
  const used = new Set<string>();
  const order: string[] = Array(live).fill('');
  let at = 0;
  return ({ jti }) => {
    if (used.has(jti)) return false;
    used.add(jti);
    used.delete(order[at] ?? '');
    order[at] = jti;
    at = (at + 1) % live;
    return true;
  };
}

function ours(live: number): IsNew {
  let now = 0;
  const clock = (): number => now;
  // What dies within one second goes together, and a little later.
  const store = createMemoryReplayStore({ maxProofs: live + CHUNK, now: clock, monotonicNow: clock });
  return ({ jkt, jti }, time) => {
    now = time;
    return store.record({ jkt, jti, expiresAt: time + LIFETIME_MS }) === 'recorded';
  };
}

function contender(name: string, live: number, create: (live: number) => IsNew): Contender {
  const bytesBefore = heapBytes();
  const isNew = create(live);
  const stepMs = LIFETIME_MS / live;
  let made = 0;
  let time = 0;
  const batch = batchOf(() => ({ jkt: keys[made++ % keys.length] ?? '', jti: fresh(randomUUID()) }));
  const run = (): void => {
    for (const proof of batch.items) {
      time += stepMs;
      must(isNew(proof, time), 'a new proof');
    }
  };
  for (let filled = 0; filled < live; filled += CHUNK) {
    batch.prepare(Math.min(CHUNK, live - filled));
    run();
  }
  batch.prepare(0);
  const bytesEach = Math.round((heapBytes() - bytesBefore) / live);
  return { name, prepare: batch.prepare, run, figures: () => ({ 'bytes each': bytesEach }) };
}
