/** What this instance has said and Redis does not keep yet: sent at once, and again until it is kept. */
import { ServiceAuthError } from '../../src/index.ts';
import type { RedisInvalidationEvent } from './invalidation-events.ts';
import { type InvalidationLog, PAGE } from './invalidation-log.ts';
import type { KnownInvalidations } from './known-invalidations.ts';

export interface Outbox {
  /** Never rejects for Redis. @throws (rejects with) ServiceAuthError `deny_list_full` where too much waits already */
  add(text: string, ageMs: number): Promise<'shared' | 'pending'>;
  /** Sends what waits; never rejects. */
  send(): Promise<void>;
  readonly size: number;
}

export interface OutboxOptions {
  readonly log: InvalidationLog;
  readonly living: Pick<KnownInvalidations, 'note'>;
  readonly keepSeconds: number;
  readonly maxEntries: number;
  readonly emit: (event: RedisInvalidationEvent) => void;
}

interface Waiting {
  readonly text: string;
  /** When it was meant to hold from, by a clock that nobody sets. */
  readonly since: number;
}

export function createOutbox({ log, living, keepSeconds, maxEntries, emit }: OutboxOptions): Outbox {
  const waiting = new Map<string, Waiting>();
  let running: Promise<void> | undefined;
  let queued: Promise<void> | undefined;

  /** Joins a run that has not begun; one that is under way may have passed by what was added since. */
  function send(): Promise<void> {
    if (running === undefined) {
      running = run().finally(() => {
        running = undefined;
      });
      return running;
    }
    queued ??= running.then(() => {
      queued = undefined;
      return send();
    });
    return queued;
  }

  async function run(): Promise<void> {
    const all = [...waiting.values()];
    try {
      let full = 0;
      for (let at = 0; at < all.length; at += PAGE) {
        full += await sendPart(all.slice(at, at + PAGE));
      }
      if (full > 0) pending('Redis has no room left');
    } catch (error) {
      pending(error instanceof Error ? error.message : 'unexpected failure');
    }
  }

  /** Gives how many Redis had no room for. */
  async function sendPart(entries: readonly Waiting[]): Promise<number> {
    const now = performance.now();
    const alive = entries.filter((entry) => now - entry.since < keepSeconds * 1000 || !forget(entry));
    if (alive.length === 0) return 0;
    const times = await log.share(alive.map(({ text, since }) => ({ text, ageMs: now - since })));
    for (const [at, entry] of alive.entries()) {
      const time = times[at];
      if (time === undefined) continue;
      living.note(entry.text, time);
      forget(entry);
    }
    return times.filter((time) => time === undefined).length;
  }

  /** Unless it was said again meanwhile. */
  function forget(entry: Waiting): boolean {
    return waiting.get(entry.text) === entry && waiting.delete(entry.text);
  }

  function pending(message: string): void {
    if (waiting.size > 0) emit({ type: 'invalidations.pending', entries: waiting.size, message });
  }

  return {
    async add(text, ageMs) {
      if (waiting.size >= maxEntries && !waiting.has(text)) {
        throw new ServiceAuthError('deny_list_full', `${maxEntries} invalidations wait for Redis already`);
      }
      const entry = { text, since: performance.now() - Math.max(0, ageMs) };
      waiting.set(text, entry);
      await send();
      return waiting.get(text) === entry ? 'pending' : 'shared';
    },
    send,
    get size() {
      return waiting.size;
    },
  };
}
