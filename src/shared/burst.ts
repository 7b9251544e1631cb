/**
 * Keeps bursts of new signatures from holding the event loop: each turn of the loop verifies for a while by itself, which
 * is the fastest way there is, and leaves the rest to the thread pool of Node.
 */
import { afterTurn } from './runtime.ts';
import { UndecidedError } from './undecided.ts';

type Done = (error: Error | null, holds: boolean) => void;
type Start = (done: Done) => void;

/** How long one turn of the loop may verify by itself. */
const TURN_MS = 0.25;
/** Enough that no thread waits for the loop, and few enough for the files and names that the pool serves too. */
const MOST_AT_ONCE = 16;
/** More than these are turned away: whoever comes would wait longer than it helps, and the loop must stay free. */
const MOST_WAITING = 2000;
const OVERLOADED_RETRY_MS = 1000;

/** Of the runtime, whatever clock the program is given. */
const clock = performance;
const waiting: (() => void)[] = [];
let spentAt = 0;
let running = 0;

function endTurn(): void {
  spentAt = 0;
}

/** Whether the loop has verified enough in this turn. Never where there is no thread pool to turn to. */
export function isTurnSpent(): boolean {
  if (afterTurn === undefined) return false;
  const now = clock.now();
  if (spentAt === 0) {
    spentAt = now + TURN_MS;
    afterTurn(endTurn);
    return false;
  }
  return now >= spentAt;
}

/**
 * Verifies on a thread of the pool, in the order of the calls. What fails there does not hold.
 *
 * @throws UndecidedError `overloaded`
 */
export function verifyInPool(start: Start): Promise<boolean> {
  if (waiting.length >= MOST_WAITING) {
    const message = `${MOST_WAITING} signatures wait to be verified`;
    throw new UndecidedError('overloaded', message, { retryAfterMs: OVERLOADED_RETRY_MS });
  }
  return new Promise((resolve) => {
    const end = (holds: boolean): void => {
      running--;
      waiting.shift()?.();
      resolve(holds);
    };
    const run = (): void => {
      running++;
      try {
        start((error, holds) => end(error === null && holds));
      } catch {
        // What throws here would do so in the callback of another verification.
        end(false);
      }
    };
    if (running < MOST_AT_ONCE) run();
    else waiting.push(run);
  });
}
