/** JSON objects from outside: strict text, bounded depth, nothing of a polluted prototype. */
import type { Bytes } from './runtime.ts';

export type JsonObject = { readonly [member: string]: unknown };

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const DEEPEST = 32;

/**
 * Parses UTF-8 JSON text that is an object of bounded depth; `undefined` for anything else.
 *
 * Members may be read directly: nothing that a polluted prototype holds is seen through the result.
 */
export function parseJsonObject(bytes: Bytes): JsonObject | undefined {
  try {
    const text = strictDecoder.decode(bytes);
    const value: unknown = isPrototypePolluted() ? JSON.parse(text, withoutPrototype) : JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return isShallow(text) || isWithin(value, DEEPEST) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

const empty = {};

/** Whether somebody has added a member to every object of this program, as prototype pollution does. */
function isPrototypePolluted(): boolean {
  for (const _ in empty) return true;
  return false;
}

function withoutPrototype(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.assign(Object.create(null), value);
}

/** Text with few brackets cannot nest deeply, which saves nearly every token the walk. */
function isShallow(text: string): boolean {
  return count(text, '{') + count(text, '[') <= DEEPEST;
}

function count(text: string, bracket: string): number {
  let found = 0;
  for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) found++;
  return found;
}

function isWithin(value: object, depth: number): boolean {
  if (depth === 0) return false;
  return Object.values(value).every(
    (member) => typeof member !== 'object' || member === null || isWithin(member, depth - 1),
  );
}

/** Freezes parsed JSON, whose depth is bounded, to its leaves. */
export function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) deepFreeze(member);
  }
  return Object.freeze(value);
}

/** Reads an own member: what a polluted prototype holds is not what the token says. */
export function own(object: JsonObject, member: string): unknown {
  const value = object[member];
  return value === undefined || Object.hasOwn(object, member) ? value : undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
