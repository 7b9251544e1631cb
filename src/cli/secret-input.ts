/** Secrets, and texts as secret, from where they may come: the environment, files, standard input. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../shared/http.ts';
import { UsageError } from './errors.ts';

/** A variable of the environment; blank counts as missing. */
export function variable(name: string): string | undefined {
  return process.env[name]?.trim() || undefined;
}

/**
 * The secret in a variable, or in the file that the variable of the same name with `_FILE` names.
 *
 * @throws UsageError if both are set, or the file cannot be read or is blank
 */
export async function secretVariable(name: string): Promise<string | undefined> {
  const direct = variable(name);
  const path = variable(`${name}_FILE`);
  if (direct !== undefined && path !== undefined) {
    throw new UsageError(`${name} and ${name}_FILE are both set; set one of them`);
  }
  if (path === undefined) return direct;
  // The secret itself may stand where its file belongs.
  const isPath = /[/\\]/.test(path) && existsSync(dirname(path));
  if (!isPath && !existsSync(path)) throw new UsageError(`${name}_FILE names no file`);
  const text = (await readTextFile(path, `the file of ${name}_FILE`)).trim();
  if (text === '') throw new UsageError(`the file of ${name}_FILE is empty`);
  return text;
}

/** @throws UsageError that names the file and what is wrong with it */
export async function readTextFile(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    // What the file holds may stand in its place.
    const isPath = !path.includes('\n') && !path.includes('-----BEGIN');
    const shown = isPath ? path : 'what is given is no path';
    throw new UsageError(`${what} cannot be read: ${shown} (${errorCode(error) ?? 'unknown'})`);
  }
}

/** @throws UsageError if it is no JSON; the text is not shown */
export async function readJsonFile(path: string, what: string): Promise<unknown> {
  const text = await readTextFile(path, what);
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${what} is no JSON: ${path}`);
  }
}

const LARGEST_INPUT = 16 * 1024 * 1024;

/** All of standard input. Nobody is asked for it: who sits at a terminal ends it with control-D. */
export async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    chunks.push(Buffer.from(chunk));
    length += chunk.length;
    if (length > LARGEST_INPUT) throw new UsageError('standard input is too long');
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * The text that `-` (standard input), `@FILE` or `env:NAME` stand for.
 *
 * @throws UsageError for anything else: a token itself must be no flag
 */
export async function readSource(flag: string, source: string): Promise<string> {
  const text = await textOf(flag, source);
  if (text === undefined || text.trim() === '') throw new UsageError(`what --${flag} names is empty`);
  return text.trim();
}

async function textOf(flag: string, source: string): Promise<string | undefined> {
  if (source === '-') return readStdin();
  if (source.startsWith('@')) return readTextFile(source.slice(1), `the file of --${flag}`);
  if (source.startsWith('env:')) return variable(source.slice('env:'.length));
  throw new UsageError(`--${flag} must be - (standard input), @FILE or env:NAME, never the token itself`);
}
