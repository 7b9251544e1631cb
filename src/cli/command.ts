import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Runs one command with its arguments and gives the exit code. */
export type Command = (args: readonly string[]) => Promise<number>;

/** A mistake in how the command was called: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export type Flags = NonNullable<ParseArgsConfig['options']>;
export type FlagValues<T extends Flags> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T }>
>['values'];

/**
 * Parses flags; positional arguments are refused.
 *
 * @throws UsageError for flags that are unknown or lack their value.
 */
export function parseFlags<const T extends Flags>(args: readonly string[], options: T): FlagValues<T> {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}

/** The value of a flag that takes a whole number. */
export function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`--${flag} must be a whole number; got ${JSON.stringify(text)}`);
}

/** The value of a flag that takes one of a few words. */
export function oneOf<T extends string>(
  flag: string,
  text: string | undefined,
  allowed: readonly T[],
): T | undefined {
  if (text === undefined) return undefined;
  const found = allowed.find((word) => word === text);
  if (found !== undefined) return found;
  throw new UsageError(`--${flag} must be one of ${allowed.join(', ')}; got ${JSON.stringify(text)}`);
}
