/** One clock for the issuer, its verifiers and its clients; it stands still until it is told otherwise. */
import { optionError } from '../../src/index.ts';
import type { OptionChecker } from '../../src/shared/options.ts';

/** How far to go; the members add up. */
export interface TestDuration {
  readonly milliseconds?: number | undefined;
  readonly seconds?: number | undefined;
  readonly minutes?: number | undefined;
  readonly hours?: number | undefined;
  readonly days?: number | undefined;
}

export interface TestClock {
  /** In epoch milliseconds. */
  now(): number;
  advance(by: TestDuration): void;
}

export interface TestClockOptions {
  readonly now?: (() => number) | undefined;
  readonly startAt?: number | Date | undefined;
}

const milliseconds = { milliseconds: 1, seconds: 1000, minutes: 60_000, hours: 3_600_000, days: 86_400_000 };
const units = Object.keys(milliseconds);
const LATEST_MS = 8.64e15;

/** A clock of the test's own, such as that of fake timers, is read and never moved. */
export function createTestClock(check: OptionChecker, { now, startAt }: TestClockOptions): TestClock {
  const own = check.function('now', now);
  if (own !== undefined && startAt !== undefined) check.fail('startAt', 'absent where now is given', startAt);
  let timeMs = readStart(check, startAt);
  return {
    now: own ?? (() => timeMs),
    advance(by) {
      if (own !== undefined) {
        throw optionError(
          'call_invalid',
          'TestIssuer.advance: the option now gives the time; move that clock instead',
        );
      }
      timeMs += durationMs(check, by);
    },
  };
}

/** Whole seconds, so that what is counted in them does not depend on when the test was started. */
function readStart(check: OptionChecker, startAt: number | Date = Date.now()): number {
  const time = startAt instanceof Date ? startAt.getTime() : startAt;
  const start = check.number('startAt', time, 0, LATEST_MS, 'epoch milliseconds, or a Date,');
  return Math.floor(start / 1000) * 1000;
}

function durationMs(check: OptionChecker, by: TestDuration): number {
  const rule = 'a duration such as { minutes: 5 }';
  if (typeof by !== 'object' || by === null) return check.fail('the argument of advance', rule, by);
  const given = check.object('the argument of advance', by, units);
  let total = 0;
  for (const [unit, factor] of Object.entries(milliseconds)) {
    const amount = Reflect.get(given, unit) ?? 0;
    // Going back would be another test: that of a clock that was set.
    total += check.number(unit, amount, 0, LATEST_MS, unit) * factor;
  }
  return total;
}
