import { optionError } from '../../../errors.ts';

/**
 * What databases cannot hold as text: NUL, which one of them refuses and the other cuts text off at, and halves of
 * surrogate pairs, which UTF-8 has no bytes for.
 */
const unstorable = /[\0\p{Surrogate}]/gu;

/** Throws a TypeError for a name that would not be found again as it was given. */
export function assertStorable(what: string, name: string): void {
  if (name !== toStorable(name))
    throw optionError('call_invalid', `${what} must be well-formed text without NUL`);
}

/** A parameter of a statement; U+FFFD stands for what no text can hold, so what is searched for is not found. */
export function toStorable<T>(value: T): T | string {
  return typeof value === 'string' ? value.replace(unstorable, '\uFFFD') : value;
}
