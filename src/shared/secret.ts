/** Client secrets and where they come from; never shown, whatever is wrong with them. */
import { ServiceAuthError } from '../errors.ts';
import { errorCode } from './http.ts';
import type { MaybePromise } from './maybe-async.ts';
import type { OptionChecker } from './options.ts';

/**
 * A secret, several of them with the newest first, or the function that gives either. A function is asked anew for
 * every request; of several the next is used where the server refused one.
 */
export type Secret = string | readonly string[] | (() => MaybePromise<string | readonly string[]>);

const SECRET = 'the client secret';

/** Gives the secret to use after so many refusals. */
export type SecretReader = (refusals: number) => MaybePromise<string>;

/**
 * Checks a secret at creation without ever showing it, and gives the function that reads it.
 *
 * `leastBytes` is how long each must be as UTF-8, for those that serve as keys.
 */
export function secretReader(
  check: OptionChecker,
  option: string,
  secret: Secret,
  leastBytes = 1,
): SecretReader {
  if (typeof secret === 'function') {
    return async (refusals) => pick(await readSource(secret, leastBytes), refusals);
  }
  const secrets = toList(secret);
  if (secrets === undefined) {
    return check.failSecret(
      option,
      'a non-empty string, a non-empty list of them, or a function that gives either',
    );
  }
  if (isShort(secrets, leastBytes))
    return check.failSecret(option, `at least ${leastBytes} bytes long`, { code: 'secret_too_short' });
  return (refusals) => pick(secrets, refusals);
}

async function readSource(source: () => unknown, leastBytes: number): Promise<Secrets> {
  const secrets = toList(await askSource(SECRET, source));
  if (secrets === undefined) throw unreadable(SECRET, 'nothing was given');
  if (isShort(secrets, leastBytes)) throw unreadable(SECRET, `it must be at least ${leastBytes} bytes long`);
  return secrets;
}

/**
 * Asks a function for a credential. What it throws comes out as `client_auth_failed`, with the code of a system error
 * alone: the message of a foreign error may quote what was read.
 */
export async function askSource(what: string, source: () => unknown): Promise<unknown> {
  try {
    return await source();
  } catch (error) {
    if (error instanceof ServiceAuthError) throw error;
    throw unreadable(what, errorCode(error) ?? 'its function failed');
  }
}

function unreadable(what: string, reason: string): ServiceAuthError {
  return new ServiceAuthError('client_auth_failed', `${what} could not be read (${reason})`);
}

type Secrets = readonly [string, ...string[]];

/** A copy, so that a list that changes later changes nothing here. */
function toList(value: unknown): Secrets | undefined {
  const [first, ...others]: unknown[] = Array.isArray(value) ? value : [value];
  return isSecret(first) && others.every(isSecret) ? [first, ...others] : undefined;
}

function isSecret(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

function isShort(secrets: Secrets, leastBytes: number): boolean {
  return secrets.some((secret) => new TextEncoder().encode(secret).length < leastBytes);
}

/** The newest first; the oldest again where all were refused, as it may be read anew. */
function pick(secrets: Secrets, refusals: number): string {
  return secrets[Math.min(refusals, secrets.length - 1)] ?? secrets[0];
}
