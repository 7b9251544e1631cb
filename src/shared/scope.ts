/** Scopes as RFC 6749 section 3.3 spells them. */
import type { OptionChecker } from './options.ts';

export function isScopeName(text: string): boolean {
  if (text === '') return false;
  for (const character of text) {
    if (character <= ' ' || character > '~' || character === '"' || character === '\\') return false;
  }
  return true;
}

/** Scopes from a text separated by spaces, or from a list of such texts. @throws TypeError for any other */
export function readScopeNames(check: OptionChecker, option: string, value: unknown): readonly string[] {
  const names = check
    .strings(option, value)
    .flatMap((text) => text.split(' '))
    .filter((name) => name !== '');
  for (const name of names) {
    if (!isScopeName(name)) check.fail(option, 'of the characters of RFC 6749', name);
  }
  return Object.freeze(names);
}
