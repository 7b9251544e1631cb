/** How many proofs of one key all instances together record in a minute, so that no client fills Redis for the others. */
import type { TakeCounted } from './counts.ts';

export interface ProofQuota {
  /** Whether one more may be recorded, which counts it. @throws (rejects with) RedisFailure */
  take(jkt: string): Promise<boolean>;
  /** It was not recorded: whoever sends the proofs of others again uses nothing of theirs up. */
  giveBack(jkt: string): void;
}

export interface ProofQuotaOptions {
  readonly takeCounted: TakeCounted;
  readonly perMinute: number;
  readonly now: () => number;
}

/** What this instance may still record of one key in this minute. */
interface Share {
  left: number;
  /** Nothing is left to take. */
  isSpent: boolean;
  taking: Promise<void> | undefined;
}

const MINUTE_MS = 60_000;
/** An instance takes such a part at a time, and the first without asking: few proofs cost a second command. */
const PARTS = 256;

export function createProofQuota({ takeCounted, perMinute, now }: ProofQuotaOptions): ProofQuota {
  const part = Math.ceil(perMinute / PARTS);
  const shares = new Map<string, Share>();
  let windowEndsAtMs = 0;

  function shareOf(jkt: string): Share {
    const endsAtMs = (Math.floor(now() / MINUTE_MS) + 1) * MINUTE_MS;
    if (endsAtMs !== windowEndsAtMs) {
      windowEndsAtMs = endsAtMs;
      shares.clear();
    }
    let share = shares.get(jkt);
    if (share === undefined) {
      share = { left: part, isSpent: false, taking: undefined };
      shares.set(jkt, share);
    }
    return share;
  }

  async function takePart(jkt: string, share: Share): Promise<void> {
    const request = { key: jkt, windowEndsAtMs, limit: perMinute, amount: part };
    const add = (granted: number): void => {
      share.left += granted;
    };
    try {
      // What is granted too late is not lost: a Redis that hangs must not use the quota up.
      const granted = await takeCounted(request, add);
      add(granted);
      share.isSpent = granted === 0;
    } finally {
      share.taking = undefined;
    }
  }

  return {
    async take(jkt) {
      const share = shareOf(jkt);
      while (share.left === 0 && !share.isSpent) {
        share.taking ??= takePart(jkt, share);
        await share.taking;
      }
      if (share.left === 0) return false;
      share.left--;
      return true;
    },
    giveBack(jkt) {
      const share = shares.get(jkt);
      if (share !== undefined) share.left++;
    },
  };
}
