/** One token of one instance: a real slot, and the calls that read it. */
import { isServiceAuthError } from '../../src/errors.ts';
import type { HeldToken } from '../../src/outbound/held-token.ts';
import { createTokenSlot } from '../../src/outbound/token-slot.ts';
import type { Plan } from './plan.ts';
import { exponential, type Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface CallerOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly plan: Plan;
  readonly startAt: number;
  readonly request: (old: HeldToken | undefined) => Promise<HeldToken>;
  /** Calls have no token from now on. */
  readonly onLacked?: (() => void) | undefined;
  /** They have one again, and how long they had none. */
  readonly onServed?: ((waitedMs: number) => void) | undefined;
}

/**
 * Starts to call, and gives the function that ends it.
 *
 * Calls come independently of each other. Those that find a token which needs no renewal change nothing and are left
 * out: from any time on, the wait for the next one is the same.
 */
export function startCaller(options: CallerOptions): () => void {
  const { time, random, plan, startAt, request, onLacked, onServed } = options;
  const pauseMs = 1000 / plan.callsPerSecond;
  let isEnded = false;
  let isPlanned = false;
  let lackedFrom: number | undefined;

  const slot = createTokenSlot({
    aheadMs: plan.aheadSeconds * 1000,
    mandatoryMs: plan.mandatorySeconds * 1000,
    now: time.now,
    random,
    request,
    onRefreshed() {
      if (lackedFrom !== undefined) onServed?.(time.now() - lackedFrom);
      lackedFrom = undefined;
      callAfter(dueAt());
    },
    onFailed: () => callAfter(dueAt()),
    onReused: () => {},
  });

  /** The first time at which a call would do more than take the token. */
  function dueAt(): number {
    const { token, lastError } = slot.state();
    if (token === undefined) return time.now();
    const waitsFrom = token.expiresAt - plan.mandatorySeconds * 1000;
    return Math.min(Math.max(token.refreshAt, lastError?.retryAt ?? 0), waitsFrom);
  }

  function callAfter(due: number): void {
    if (isEnded || isPlanned) return;
    isPlanned = true;
    time.at(Math.max(due, time.now()) + exponential(random, pauseMs), call);
  }

  function call(): void {
    if (isEnded) return;
    isPlanned = false;
    const answer = slot.read();
    if (!(answer instanceof Promise)) {
      // A request under way plans the next call once it ends.
      if (!slot.state().requesting) callAfter(dueAt());
      return;
    }
    const { token } = slot.state();
    if (lackedFrom === undefined && (token === undefined || time.now() >= token.expiresAt)) {
      lackedFrom = time.now();
      onLacked?.();
    }
    answer.then(
      () => callAfter(dueAt()),
      // Refused without a request, it says for how long that goes on.
      (error: unknown) => callAfter(time.now() + ((isServiceAuthError(error) && error.retryAfterMs) || 0)),
    );
  }

  time.at(startAt, () => callAfter(time.now()));
  return () => {
    isEnded = true;
  };
}
