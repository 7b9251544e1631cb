/** Used DPoP proofs in Redis: each is recorded once, whatever instance it comes to (RFC 9449 section 11.1). */
import { createMemoryReplayStore, type ReplayStore } from '../../src/index.ts';
import { encodeBase64url } from '../../src/shared/base64url.ts';
import { createCircuitBreaker } from '../../src/shared/circuit-breaker.ts';
import { sha256 } from '../../src/shared/crypto.ts';
import { type RedisCommands, RedisFailure } from './client.ts';
import { createOwnValues, type KeyNames, setOnce } from './keys.ts';
import type { ProofQuota } from './proof-quota.ts';

/** How used proofs are kept. */
export interface RedisReplayOptions {
  /**
   * What becomes of a proof while Redis is away: `'refuse'` leaves the request undecided (503); `'local'` lets each
   * instance remember for itself, so that meanwhile a proof is good once at each of them.
   * @default 'refuse'
   */
  readonly whenUnavailable?: 'refuse' | 'local' | undefined;
  /** How far the clocks of instances may be apart: proofs are kept that much longer, in seconds. @default 10 */
  readonly clockDifferenceSeconds?: number | undefined;
  /**
   * How many proofs of one key all instances together record in a minute, so that no client fills Redis for the others;
   * further ones are refused (503). Each instance may record a 256th of it beyond that. @default 250_000
   */
  readonly proofsPerKeyAndMinute?: number | undefined;
}

export interface RedisReplayRules {
  readonly commands: RedisCommands;
  readonly nameOf: KeyNames;
  readonly clockDifferenceMs: number;
  readonly quota: ProofQuota;
  readonly now: () => number;
}

/** A `jti` is the client's to choose; longer ones are kept as their digest. */
const LONGEST_JTI = 64;
/** Redis is soon asked again: while it is not, instances know only their own proofs. */
const LONGEST_WAIT_MS = 2000;

/** Fails closed: what it throws is answered with 503. */
export function createRedisReplayStore(rules: RedisReplayRules): ReplayStore {
  const { commands, nameOf, clockDifferenceMs, quota, now } = rules;
  const ownValue = createOwnValues();

  return {
    async record({ jkt, jti, expiresAt }) {
      const name = jti.length <= LONGEST_JTI ? jti : await digestOf(jti);
      // Without a thumbprint in front, clients could choose where in a cluster their proofs lie.
      const key = nameOf(`${jkt}:${name}`);
      const lastsMs = Math.max(1, Math.ceil(expiresAt - now())) + clockDifferenceMs;
      try {
        if (!(await quota.take(jkt))) return 'full';
        if (await setOnce(commands, key, ownValue(), lastsMs)) return 'recorded';
        quota.giveBack(jkt);
        return 'replayed';
      } catch (error) {
        if (error instanceof RedisFailure && error.code === 'full') return 'full';
        throw error;
      }
    },
  };
}

/**
 * Records in this process first, and in the shared store as long as that one can be asked. A proof is never accepted
 * twice here, whatever happens to the other. One that is full, of the two, is not away: it refuses.
 */
export function withLocalFallback(
  shared: ReplayStore,
  now: () => number,
  local = createMemoryReplayStore({ now }),
): ReplayStore {
  const breaker = createCircuitBreaker({
    now,
    firstWaitMs: LONGEST_WAIT_MS / 4,
    longestWaitMs: LONGEST_WAIT_MS,
  });

  return {
    async record(proof) {
      const here = await local.record(proof);
      if (here !== 'recorded' || breaker.waitMs() > 0) return here;
      try {
        const there = await shared.record(proof);
        breaker.succeeded();
        return there;
      } catch {
        breaker.failed();
        return here;
      }
    },
  };
}

async function digestOf(jti: string): Promise<string> {
  return encodeBase64url(await sha256(new TextEncoder().encode(jti)));
}
