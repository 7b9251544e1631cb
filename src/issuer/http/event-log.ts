/** Events as lines of JSON: what an operator reads, or has read by a machine. */
import type { EventListener } from '../../events.ts';
import { createLimitedLog, type LimitedLogOptions } from '../../shared/limited-log.ts';
import { OptionChecker } from '../../shared/options.ts';

export interface EventLogOptions extends LimitedLogOptions {
  /**
   * Takes one line, without its end.
   * @default to standard error
   */
  readonly write?: ((line: string) => void) | undefined;
}

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
  const write = check.function('write', given.write) ?? toStandardError;
  return createLimitedLog(check, given, (level, event, { at, ...members }) => {
    const text = JSON.stringify({ time: new Date(at).toISOString(), level, event, ...members });
    write(text.replace(invisible, escaped));
  });
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
