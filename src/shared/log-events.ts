/** Events for the program's own logger, each at its level, warnings and errors in bounded numbers. */
import type { EventListener } from '../events.ts';
import {
  createLimitedLog,
  type EventMembers,
  type LimitedLogOptions,
  type LogLevel,
  logLevels,
} from './limited-log.ts';
import { OptionChecker } from './options.ts';

/** A logger whose methods take members and a text, as those of pino, bunyan and `console` do. */
export type EventLogger = { readonly [Level in LogLevel]: (members: object, text: string) => unknown };

/** A function that takes a level, a text and members, as `log` of winston does. */
export type LogFunction = (level: LogLevel, text: string, members: EventMembers) => unknown;

/**
 * Makes a listener for `onEvent` that logs each event: its type as the text, its other members beside it.
 *
 * Events hold no token and no secret, so neither does the log. It does hold client ids and addresses. Not checked: what
 * the logger does with controls and line ends that requests put into its members; one that writes JSON is safe.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import pino from 'pino';
 * import { createVerifier, logEvents } from 'service-auth';
 *
 * export const verifier = createVerifier({
 *   issuer: 'https://idp.example',
 *   audience: 'https://orders.example',
 *   onEvent: logEvents(pino()),
 * });
 * ```
 */
export function logEvents(logger: EventLogger | LogFunction, options: LimitedLogOptions = {}): EventListener {
  const check = new OptionChecker('logEvents');
  const log = readLogger(check, logger);
  const given = check.object('options', options, ['level', 'maxPerSecond']);
  return createLimitedLog(check, given, log);
}

function readLogger(check: OptionChecker, logger: EventLogger | LogFunction): LogFunction {
  if (typeof logger === 'function') return logger;
  const isLogger = logLevels.every((level) => typeof logger?.[level] === 'function');
  if (!isLogger) check.failKind('logger', `a function, or an object with ${logLevels.join(', ')}`, logger);
  return (level, text, members) => logger[level](members, text);
}
