/** Each event at its level, warnings and errors in bounded numbers: a flood of requests must be none of the log. */
import type { EventListener, ServiceAuthEvent } from '../events.ts';
import type { OptionChecker } from './options.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;

/** In order: what each request does, what was changed, what was refused, what failed. */
export type LogLevel = (typeof logLevels)[number];

/** What an event holds beside its type. */
export interface EventMembers {
  /** In epoch milliseconds. */
  readonly at: number;
  readonly [member: string]: unknown;
}

export interface LimitedLogOptions {
  /**
   * The least level that is written.
   * @default 'info'
   */
  readonly level?: LogLevel | undefined;
  /**
   * How many warnings or errors of one kind are written in a second; the others are counted, and their number is written
   * as `log.left_out` with the first event after that second.
   * @default 20
   */
  readonly maxPerSecond?: number | undefined;
}

type EventType = ServiceAuthEvent['type'];

const debug: ReadonlySet<EventType> = new Set([
  'issuer.token_issued',
  'request.accepted',
  'introspection.call',
  'token.requested',
  'token.refreshed',
]);
const warnings: ReadonlySet<EventType> = new Set([
  'issuer.request_refused',
  'issuer.client_refused',
  'issuer.limited',
  'request.rejected',
  'dpop.replay',
  'keys.unknown_kid',
  'retry.refused',
]);
const errors: ReadonlySet<EventType> = new Set([
  'issuer.limits_not_shared',
  'request.undecided',
  'keys.stale',
  'token.reused_stale',
]);

/** @throws TypeError for wrong options. */
export function createLimitedLog(
  check: OptionChecker,
  given: LimitedLogOptions,
  log: (level: LogLevel, text: string, members: EventMembers) => unknown,
): EventListener {
  const least = logLevels.indexOf(check.oneOf('level', given.level ?? 'info', logLevels));
  const most = check.number('maxPerSecond', given.maxPerSecond ?? 20, 1, 1e6, 'lines');
  const counts = new Map<EventType, number>();
  let second = 0;

  /** Tells what the second before left out. */
  function turn(at: number): void {
    second = Math.floor(at / 1000);
    for (const [of, count] of counts) {
      if (count > most) log(levelOf(of), 'log.left_out', { at, of, count: count - most });
    }
    counts.clear();
  }

  return (event) => {
    const { type, at } = event;
    if (Math.floor(at / 1000) !== second) turn(at);
    const level = levelOf(type);
    if (logLevels.indexOf(level) < least) return;
    if (level === 'warn' || level === 'error') {
      const count = (counts.get(type) ?? 0) + 1;
      counts.set(type, count);
      if (count > most) return;
    }
    // Not before: what every request does is dropped as a rule, and a copy is most of its price.
    const { type: _, ...members } = event;
    log(level, type, members);
  };
}

function levelOf(type: EventType): LogLevel {
  if (debug.has(type)) return 'debug';
  if (warnings.has(type)) return 'warn';
  return errors.has(type) || type.endsWith('_failed') ? 'error' : 'info';
}
