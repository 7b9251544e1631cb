/** Lists in pages. */
import * as z from 'zod';
import { decodeBase64url, encodeBase64url } from '../../shared/base64url.ts';

const MOST = 200;
const USUAL = 50;
const DIGITS = /^\d{1,16}$/;

const strictDecoder = new TextDecoder('utf-8', { fatal: true });

/** Digits of a query as the number that they are; other spellings of numbers are left to be refused. */
function numeric<T extends z.ZodType>(schema: T) {
  return z.preprocess(
    (value) => (typeof value === 'string' && DIGITS.test(value) ? Number(value) : value),
    schema,
  );
}

export const limit = numeric(z.int().min(1).max(MOST)).default(USUAL);
export const sequence = numeric(z.int().min(1));

/** A position that only this issuer reads; what is inside may be another thing tomorrow. */
export const cursor = z
  .string()
  .max(400)
  .refine((text) => readCursor(text) !== undefined, 'must be what an answer gave as next');

export function toCursor(text: string): string {
  return encodeBase64url(new TextEncoder().encode(text));
}

export function readCursor(text: string): string | undefined {
  const bytes = decodeBase64url(text);
  if (bytes === undefined || bytes.length === 0) return undefined;
  try {
    const position = strictDecoder.decode(bytes);
    return /^[\x21-\x7e]+$/.test(position) ? position : undefined;
  } catch {
    return undefined;
  }
}

/** The page of a list of which one entry more was read, and its last entry if others follow. */
export function cutPage<T>(entries: readonly T[], most: number): { page: readonly T[]; last: T | undefined } {
  const page = entries.slice(0, most);
  return { page, last: entries.length > most ? page.at(-1) : undefined };
}
