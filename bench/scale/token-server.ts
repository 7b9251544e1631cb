/** An issuer as a queue: so many tokens a second, first come, first served. */
import { ServiceAuthError } from '../../src/errors.ts';
import type { AccessTokenFields } from '../../src/outbound/access-token.ts';
import type { Plan } from './plan.ts';
import { createTally, type Tally } from './tally.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface TokenServer {
  request(clientId: string): Promise<AccessTokenFields>;
  /** While it is down, connections are refused. */
  setDown(isDown: boolean): void;
  /** Every request, whatever became of it. */
  readonly requests: Tally;
  /** Tokens that came too late for whoever had asked. */
  readonly wasted: () => number;
}

const WINDOW_MS = 60_000;

export function createTokenServer(time: VirtualTime, plan: Plan): TokenServer {
  const { issuerTokensPerSecond, clientRequestsPerMinute, roundTripMs, timeoutMs, lifetimeSeconds } = plan;
  const requests = createTally();
  /** By client, in the window of a minute. */
  const used = new Map<string, number>();
  let windowEndsAt = WINDOW_MS;
  let freeAt = 0;
  let isDown = false;
  let made = 0;
  let wasted = 0;

  /** How many milliseconds a client has to wait that has asked too often. */
  function overdrawn(clientId: string, now: number): number | undefined {
    if (now >= windowEndsAt) {
      used.clear();
      windowEndsAt = (Math.floor(now / WINDOW_MS) + 1) * WINDOW_MS;
    }
    const count = (used.get(clientId) ?? 0) + 1;
    used.set(clientId, count);
    // Retry-After has whole seconds.
    return count > clientRequestsPerMinute ? Math.ceil((windowEndsAt - now) / 1000) * 1000 : undefined;
  }

  function failLater(afterMs: number, error: ServiceAuthError): Promise<never> {
    return new Promise((_, reject) => time.at(time.now() + afterMs, () => reject(error)));
  }

  function request(clientId: string): Promise<AccessTokenFields> {
    const sentAt = time.now();
    requests.add(sentAt);
    if (isDown) return failLater(roundTripMs, new ServiceAuthError('network_failed', 'it is down'));
    const retryAfterMs = overdrawn(clientId, sentAt);
    if (retryAfterMs !== undefined) {
      const details = { status: 429, retryAfterMs };
      return failLater(roundTripMs, new ServiceAuthError('unexpected_status', 'too many requests', details));
    }
    freeAt = Math.max(freeAt, sentAt) + 1000 / issuerTokensPerSecond;
    const answeredAt = freeAt + roundTripMs;
    if (answeredAt - sentAt > timeoutMs) {
      // It is not told that nobody waits any more.
      wasted++;
      return failLater(timeoutMs, new ServiceAuthError('timeout', 'it did not answer'));
    }
    const token: AccessTokenFields = {
      accessToken: `token-${++made}`,
      tokenType: 'Bearer',
      expiresAt: sentAt + lifetimeSeconds * 1000,
      scope: undefined,
    };
    return new Promise((resolve) => time.at(answeredAt, () => resolve(token)));
  }

  return {
    request,
    setDown(down) {
      isDown = down;
    },
    requests,
    wasted: () => wasted,
  };
}
