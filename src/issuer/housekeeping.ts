/** What need not be done within a request: notes of when secrets were used, and clearing away what has expired. */
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
      await storage.touchSecrets(uses);
    } catch {
      // What was noted since is newer.
      used = new Map([...uses, ...used]);
    }
  }

  async function clear(): Promise<void> {
    clearedAt = now();
    await storage.deleteExpired(now()).catch(() => {});
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
      void work().finally(() => {
        busy = false;
      });
    },
    finish: writeUses,
  };
}
