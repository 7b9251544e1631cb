/** What need not be done within a request: notes of when secrets were used, and clearing away what has expired. */
import { inTime } from './storage/in-time.ts';
import type { IssuerStorage } from './storage/storage.ts';

export interface Housekeeping {
  /** Notes that a secret was used; written later, many at a time. */
  secretUsed(secretId: string): void;
  /** Does what is due, in the background. What fails now is tried again next time. */
  tick(): void;
  /** Writes what was noted. */
  finish(): Promise<void>;
}

const WRITE_EVERY_MS = 5000;
const CLEAR_EVERY_MS = 60_000;
/** A storage that never answers must not be the end of housekeeping, nor hold up the end of the issuer. */
const LONGEST_WRITE_MS = 10_000;
const LONGEST_CLEAR_MS = 60_000;
/** Clocks of instances differ: what has expired by one may be in use by another, such as the mark of a used proof. */
const CLOCK_DIFFERENCE_MS = 60_000;

export function createHousekeeping(storage: IssuerStorage, now: () => number): Housekeeping {
  let used = new Map<string, number>();
  let writtenAt = now();
  let clearedAt = now();
  let busy = false;

  async function writeUses(): Promise<void> {
    writtenAt = now();
    if (used.size === 0) return;
    const uses = used;
    used = new Map();
    try {
      await inTime(LONGEST_WRITE_MS, storage.touchSecrets(uses));
    } catch {
      // What was noted since is newer.
      used = new Map([...uses, ...used]);
    }
  }

  async function clear(): Promise<void> {
    clearedAt = now();
    await inTime(LONGEST_CLEAR_MS, storage.deleteExpired(now() - CLOCK_DIFFERENCE_MS));
  }

  async function work(): Promise<void> {
    const isDue = (doneAt: number, everyMs: number): boolean => Math.abs(now() - doneAt) >= everyMs;
    if (isDue(writtenAt, WRITE_EVERY_MS)) await writeUses();
    if (isDue(clearedAt, CLEAR_EVERY_MS)) await clear();
  }

  return {
    secretUsed: (secretId) => {
      used.set(secretId, now());
    },
    tick: () => {
      if (busy) return;
      busy = true;
      // A storage may also throw before it promises anything; nobody waits here who could be told.
      void work()
        .catch(() => {})
        .finally(() => {
          busy = false;
        });
    },
    finish: writeUses,
  };
}
