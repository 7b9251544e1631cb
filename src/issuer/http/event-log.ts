/** Events as lines of JSON: what an operator reads, or has read by a machine. */
import type { EventListener, ServiceAuthEvent } from '../../events.ts';
import { OptionChecker } from '../../shared/options.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const;

/** In order: what each request does, what was changed, what was refused, what failed. */
export type LogLevel = (typeof levels)[number];

export interface EventLogOptions {
  /**
   * The least level that is written.
   * @default 'info'
   */
  readonly level?: LogLevel | undefined;
  /**
   * Takes one line, without its end.
   * @default to standard error
   */
  readonly write?: ((line: string) => void) | undefined;
  /**
   * How many lines of one kind of warning or error are written in a second; the others are counted, and their number
   * is written with the first event after that second.
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

/**
 * Makes a listener for `onEvent` that writes each event as one line of JSON: `time`, `level`, `event` and the event's
 * own members.
 *
 * Events hold no token and no secret, so neither does the log. It does hold client ids and addresses.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import { createEventLog, createIssuer } from 'service-auth/issuer';
 *
 * export const issuer = createIssuer({ issuer: 'https://idp.example', onEvent: createEventLog() });
 * ```
 */
export function createEventLog(options: EventLogOptions = {}): EventListener {
  const check = new OptionChecker('createEventLog');
  const given = check.object('options', options, ['level', 'write', 'maxPerSecond']);
  const least = levels.indexOf(check.oneOf('level', given.level ?? 'info', levels));
  const write = check.function('write', given.write) ?? toStandardError;
  const most = check.number('maxPerSecond', given.maxPerSecond ?? 20, 1, 1e6, 'lines');
  const counts = new Map<EventType, number>();
  let second = 0;

  function line(at: number, level: LogLevel, event: string, members: object): void {
    const text = JSON.stringify({ time: new Date(at).toISOString(), level, event, ...members });
    write(text.replace(invisible, escaped));
  }

  /** Tells what the second before left out. */
  function turn(at: number): void {
    second = Math.floor(at / 1000);
    for (const [of, count] of counts) {
      if (count > most) line(at, levelOf(of), 'log.left_out', { of, count: count - most });
    }
    counts.clear();
  }

  return ({ type, at, ...members }) => {
    if (Math.floor(at / 1000) !== second) turn(at);
    const level = levelOf(type);
    if (levels.indexOf(level) < least) return;
    if (level === 'warn' || level === 'error') {
      const count = (counts.get(type) ?? 0) + 1;
      counts.set(type, count);
      if (count > most) return;
    }
    line(at, level, type, members);
  };
}

function levelOf(type: EventType): LogLevel {
  if (debug.has(type)) return 'debug';
  if (warnings.has(type)) return 'warn';
  return errors.has(type) || type.endsWith('_failed') ? 'error' : 'info';
}

/** What JSON lets stand, but terminals and readers of lines may obey: controls, separators of lines, marks of direction. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escaped(character: string): string {
  const units = character.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'));
  return units.map((unit) => `\\u${unit}`).join('');
}

function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}
