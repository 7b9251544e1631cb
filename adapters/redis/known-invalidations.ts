/** The living invalidations as one instance knows them: applied once each, and compared with those of Redis. */
import type { Invalidation, Verifier } from '../../src/index.ts';
import type { RedisInvalidationEvent } from './invalidation-events.ts';
import type { InvalidationLog, LogEntry } from './invalidation-log.ts';
import { PAGE } from './invalidation-log.ts';
import type { InvalidationTexts } from './invalidation-text.ts';

export interface KnownInvalidations {
  /** Takes a message of the channel, whatever it is. */
  hear(message: string): void;
  /** Has every verifier refuse it; gives what went wrong. */
  apply(what: Invalidation): readonly Error[];
  /** Notes what this instance said itself, and has applied. */
  note(text: string, time: number): void;
  /**
   * Reads what is new, or all, and gives back what Redis has lost; `false` where it may have missed something and should
   * read all.
   */
  catchUp(log: InvalidationLog, all: boolean): Promise<boolean>;
  readonly size: number;
  /** How many were learned from others so far. */
  readonly learned: number;
}

export interface KnownInvalidationsOptions {
  readonly texts: InvalidationTexts;
  readonly verifiers: readonly Pick<Verifier, 'invalidate'>[];
  readonly keepSeconds: number;
  readonly maxEntries: number;
  readonly now: () => number;
  readonly emit: (event: RedisInvalidationEvent) => void;
}

interface Known {
  readonly time: number;
  /** What is nothing to apply is remembered all the same, so as not to be told of over and over. */
  readonly isGood: boolean;
}

const LONGEST_MESSAGE = 8192;
/** No clock of a Redis is so far ahead; what bears a later time is learned from the list alone. */
const AHEAD_MS = 3_600_000;

export function createKnownInvalidations(options: KnownInvalidationsOptions): KnownInvalidations {
  const { texts, verifiers, now, emit, maxEntries } = options;
  const keepMicroseconds = options.keepSeconds * 1_000_000;
  const known = new Map<string, Known>();
  let readUpTo = 0;
  let learned = 0;

  function apply(what: Invalidation): readonly Error[] {
    const problems: Error[] = [];
    for (const verifier of verifiers) {
      try {
        verifier.invalidate(what);
      } catch (error) {
        problems.push(error instanceof Error ? error : new Error('a verifier failed'));
      }
    }
    return problems;
  }

  function learn([text, time]: LogEntry): void {
    // Times are not to be trusted, not even where texts are: one that is too late must not hide what is said later.
    if (known.get(text)?.time === time) return;
    const denied = texts.decode(text);
    if (denied === undefined) {
      emit({ type: 'invalidations.ignored' });
      remember(text, { time, isGood: false });
      return;
    }
    const isClient = 'clientId' in denied;
    const [problem] = apply(isClient ? { ...denied, issuedUntil: Math.ceil(time / 1000) } : denied);
    if (problem !== undefined) {
      emit({ type: 'invalidations.not_applied', message: problem.message });
      return;
    }
    learned++;
    remember(text, { time, isGood: true });
  }

  function remember(text: string, entry: Known): void {
    // Redis holds no more than so many, unless somebody else writes there.
    if (known.size < 2 * maxEntries || known.has(text)) known.set(text, entry);
  }

  /** As Redis counts them at a time; what was heard after it had counted is not among them. */
  function countAt(time: number): number {
    let count = 0;
    for (const [text, entry] of known) {
      if (entry.time <= time - keepMicroseconds) known.delete(text);
      else if (entry.time <= time) count++;
    }
    return count;
  }

  async function giveBack(log: InvalidationLog, lost: readonly LogEntry[]): Promise<void> {
    // All instances do so at once: each begins elsewhere, and stops where the others have done the rest.
    const start = Math.floor(Math.random() * lost.length);
    const entries = [...lost.slice(start), ...lost.slice(0, start)];
    let given = 0;
    for (; given < entries.length; given += PAGE) {
      const kept = await log.giveBack(entries.slice(given, given + PAGE));
      if (kept >= known.size || kept >= maxEntries) break;
    }
    emit({ type: 'invalidations.given_back', entries: Math.min(given + PAGE, entries.length) });
  }

  return {
    hear(message) {
      const colon = message.length <= LONGEST_MESSAGE ? message.indexOf(':') : -1;
      const digits = message.slice(0, Math.max(0, colon));
      if (!/^\d{1,16}$/.test(digits) || Number(digits) > (now() + AHEAD_MS) * 1000) {
        emit({ type: 'invalidations.ignored' });
        return;
      }
      const text = message.slice(colon + 1);
      // Whoever makes nonsense up is not given room for it.
      if (texts.decode(text) === undefined) emit({ type: 'invalidations.ignored' });
      else learn([text, Number(digits)]);
    },
    apply,
    note: (text, time) => remember(text, { time, isGood: true }),
    async catchUp(log, all) {
      const seen = new Set<string>();
      let after = all ? 0 : readUpTo;
      for (;;) {
        const page = await log.read(after);
        for (const entry of page.entries) {
          learn(entry);
          seen.add(entry[0]);
          after = entry[1];
        }
        if (!page.isLast && seen.size < 2 * maxEntries) continue;
        readUpTo = after;
        const count = countAt(page.now);
        if (count === page.count) return true;
        if (!all) return false;
        const lost = [...known].filter(([text, { isGood }]) => isGood && !seen.has(text));
        if (count > page.count && lost.length > 0) {
          await giveBack(
            log,
            lost.map(([text, { time }]) => [text, time]),
          );
        }
        return true;
      }
    },
    get size() {
      return known.size;
    },
    get learned() {
      return learned;
    },
  };
}
