/** How keys are named, and what is read and written of one. */
import type { OptionChecker } from '../../src/shared/options.ts';
import type { RedisCommands } from './client.ts';

/** What lies under a key begins its name; what is kept in another form will be of another version. */
const VERSION = 'v1';

/** Names the keys of one kind; the part in braces alone says where in a cluster one lies. */
export type KeyNames = (tag: string, rest?: string) => string;

export function keyNames(namespace: string, kind: string): KeyNames {
  return (tag, rest) => `${namespace}:${VERSION}:${kind}:{${tag}}${rest === undefined ? '' : `:${rest}`}`;
}

/** A namespace in braces would send every key of a cluster to one server. */
export function readNamespace(check: OptionChecker, namespace: unknown = 'service-auth'): string {
  const text = check.string('namespace', namespace);
  if (/^[\w.:-]{1,64}$/.test(text)) return text;
  return check.fail('namespace', 'at most 64 letters, digits, dots, colons, dashes and underscores', text);
}

/** Text of a reply; clients may be told to give bytes. */
export function textOf(reply: unknown): string | undefined {
  if (typeof reply === 'string') return reply;
  return reply instanceof Uint8Array ? new TextDecoder().decode(reply) : undefined;
}

/** Makes values that nobody else sets. */
export function createOwnValues(): () => string {
  const instance = crypto.randomUUID();
  let made = 0;
  return () => `${instance}.${(++made).toString(36)}`;
}

/**
 * Sets a key that is not there, to a value of one's own, for so many milliseconds: atomically, so that of all who try
 * one succeeds. `onLate` is called with replies that nobody waits for any more.
 */
export async function setOnce(
  { send }: RedisCommands,
  key: string,
  value: string,
  lastsMs: number,
  onLate?: () => void,
): Promise<boolean> {
  const reply = await send(key, ['SET', key, value, 'PX', String(lastsMs), 'NX'], onLate);
  if (textOf(reply) === 'OK') return true;
  // A client that lost its connection sends again what was carried out already: then it was this one's own.
  return textOf(await send(key, ['GET', key], onLate)) === value;
}
