import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './errors.ts';
import { exitCodes } from './exit-codes.ts';
import { createOutput, type Output } from './output.ts';
import { refuseSecretFlag } from './secret-flags.ts';
import { suggestion } from './suggestion.ts';

/** Runs one command with its arguments and gives the exit code. */
export type Command = (args: readonly string[]) => Promise<number>;

export type Flags = NonNullable<ParseArgsConfig['options']>;
export type FlagValues<T extends Flags> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T }>
>['values'];

export interface CommandDefinition<T extends Flags> {
  readonly usage: string;
  readonly flags: T;
  /** The names of its arguments, in order; all are required, unless it looks itself (`'any'`). @default none */
  readonly takes?: readonly string[] | 'any';
  readonly run: (values: FlagValues<T>, output: Output, args: readonly string[]) => Promise<number>;
}

const commonFlags = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Makes a command of its flags and of what it does; `--help` and `--json` are there for all. */
export function defineCommand<const T extends Flags>(definition: CommandDefinition<T>): Command {
  const { usage, flags, takes = [], run } = definition;
  return async (args) => {
    const { help, json } = parseFlags(args, { ...flags, ...commonFlags }, 'any').values;
    if (help === true) {
      console.log(usage);
      return exitCodes.good;
    }
    const { values, positionals } = parseFlags<T>(args, { ...flags, ...commonFlags }, takes);
    return run(values, createOutput(json === true), positionals);
  };
}

/** A command whose first argument names another one. */
export function commandGroup(
  name: string,
  usage: string,
  commands: Readonly<Record<string, Command>>,
): Command {
  return async ([word, ...args]) => {
    if (word === '--help' || word === '-h' || word === 'help') {
      console.log(usage);
      return exitCodes.good;
    }
    const names = Object.keys(commands);
    if (word === undefined) throw new UsageError(`say what to do: ${names.join(', ')}`);
    const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
    if (command !== undefined) return named(`${name} ${word}`, () => command(args));
    const problem = `unknown command ${quoted(`${name} ${word}`)}`;
    throw new UsageError(`${problem}${suggestion(word, names)}`);
  };
}

/** So that a mistake leads to the help of the command that was called, not to that of its group. */
async function named(name: string, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(error.message, name) : error;
  }
}

interface ParsedFlags<T extends Flags> {
  readonly values: FlagValues<T>;
  readonly positionals: readonly string[];
}

/**
 * Parses flags and arguments.
 *
 * @throws UsageError for flags that are unknown, lack their value or would hold a secret, and for too many or too few
 * arguments; it shows the value of none.
 */
function parseFlags<T extends Flags>(
  args: readonly string[],
  options: Flags,
  takes: readonly string[] | 'any',
): ParsedFlags<T> {
  refuseUnknown(args, options);
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (takes !== 'any') checkArguments(positionals, takes);
    // What was parsed by these options has their types.
    return { values: values as FlagValues<T>, positionals };
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(withoutAdvice(error.message)) : error;
  }
}

function refuseUnknown(args: readonly string[], options: Flags): void {
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind !== 'option' || Object.hasOwn(options, token.name)) continue;
    refuseSecretFlag(token.name);
    const near = suggestion(token.name, Object.keys(options), '--');
    throw new UsageError(`unknown option ${quoted(token.rawName)}${near}`);
  }
}

function checkArguments(given: readonly string[], takes: readonly string[]): void {
  const missing = takes[given.length];
  if (missing !== undefined) throw new UsageError(`${missing} is missing`);
  const extra = given[takes.length];
  if (extra !== undefined) throw new UsageError(`unexpected argument ${quoted(extra)}`);
}

/** Text of the command line in a message: cut short, as a longer one may be a token in the wrong place. */
export function quoted(text: string): string {
  return text.length > LONGEST_WORD ? `of ${text.length} characters` : JSON.stringify(text);
}

const LONGEST_WORD = 40;

/** Node explains at length how arguments that begin with a dash are given. */
function withoutAdvice(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}

/** The value of a flag that takes a whole number. */
export function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`--${flag} must be a whole number; got ${quoted(text)}`);
}

const secondsOf: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** The value of a flag that takes a time such as `90s`, `15m`, `1h` or `7d`, in seconds. */
export function duration(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, count, unit = ''] = /^(\d{1,6})([smhd]?)$/.exec(text) ?? [];
  const seconds = secondsOf[unit];
  if (count !== undefined && seconds !== undefined) return Number(count) * seconds;
  throw new UsageError(`--${flag} must be a time such as 90s, 15m, 1h or 7d; got ${quoted(text)}`);
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
  throw new UsageError(`--${flag} must be one of ${allowed.join(', ')}; got ${quoted(text)}`);
}

/** Runs what judges the values of flags as options: what it calls a wrong option is a wrong flag here. */
export async function asUsage<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}
