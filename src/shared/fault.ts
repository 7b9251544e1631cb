import type { RejectionReason, RejectionStep } from '../events.ts';
import type { JsonObject } from './json.ts';

export interface FaultSubject {
  readonly issuer: string;
  readonly clientId: string | undefined;
  readonly claims?: JsonObject;
}

/**
 * A refusal, as a value: cheaper than an exception, and impossible to forget in a union.
 *
 * `expected` and `actual` are for operators only (events, `rejection.detail`); neither may hold a secret.
 */
export class Fault {
  readonly step: RejectionStep;
  readonly reason: RejectionReason;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
  /** Whose token it is, once its signature held. */
  readonly about: FaultSubject | undefined;

  constructor(
    step: RejectionStep,
    reason: RejectionReason,
    expected?: string,
    actual?: string,
    about?: FaultSubject,
  ) {
    this.step = step;
    this.reason = reason;
    this.expected = expected === undefined ? undefined : printable(expected);
    this.actual = actual === undefined ? undefined : printable(actual);
    this.about = about;
  }
}

const LONGEST = 200;

/** Text of others is cut, and its control characters replaced, before it reaches a log. */
export function printable(text: string): string {
  if (text.length <= LONGEST && isPrintable(text)) return text;
  let safe = '';
  for (const character of text.slice(0, LONGEST)) {
    safe += isControl(character.charCodeAt(0)) ? '\uFFFD' : character;
  }
  return text.length > LONGEST ? `${safe}…` : safe;
}

function isPrintable(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (isControl(text.charCodeAt(at))) return false;
  return true;
}

function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}
