/** Texts that the admin API takes. Their rules name what is wrong, and repeat nothing of what was sent. */
import * as z from 'zod';
import { isSecureUrl } from '../../shared/http.ts';
import { isScopeName } from '../../shared/scope.ts';
import { isResourceUri } from '../issuer-settings.ts';

const LONGEST_CLIENT_ID = 200;
const LONGEST_RESOURCE = 500;
const LONGEST_URL = 500;
/** A token names them all, and must stay short enough for a header and for whoever reads it. */
const MOST_CHARACTERS = 3000;

/** Visible ASCII. A dot segment could not be named in the path of the admin API. */
export const clientId = z
  .string()
  .max(LONGEST_CLIENT_ID)
  .regex(/^[\x21-\x7e]+$/, 'must be visible ASCII characters without spaces')
  .refine((text) => text !== '.' && text !== '..', 'must not be a dot segment');

/** RFC 6749 section 3.3. */
const scope = z
  .string()
  .max(200)
  .refine(isScopeName, 'must be visible ASCII characters without quotes and backslashes');

export const resourceUri = z
  .string()
  .max(LONGEST_RESOURCE)
  .refine(isResourceUri, 'must be an absolute URI without fragment');

/** No control characters, line separators, marks of direction or halves of characters. */
export const line = z.string().regex(/^[^\p{C}\p{Zl}\p{Zp}]+$/u, 'must be one line of text');

/** Where keys are fetched. */
export const secureUrl = z
  .string()
  .max(LONGEST_URL)
  .refine(isFetchable, 'must be an https URL (http on loopback addresses) without credentials');

/** RFC 8414 section 2. */
export const issuerUrl = secureUrl.refine((url) => !/[?#]/.test(url), 'must have no query and no fragment');

export const scopes = listOf(scope, 100);
export const resourceUris = listOf(resourceUri, 50);

/** Without repetitions. */
function listOf(text: z.ZodString, most: number) {
  return z
    .array(text)
    .max(most)
    .refine(
      (texts) => texts.join(' ').length <= MOST_CHARACTERS,
      `must be at most ${MOST_CHARACTERS} characters together`,
    )
    .transform((texts) => [...new Set(texts)]);
}

function isFetchable(text: string): boolean {
  if (!/^[\x21-\x7e]+$/.test(text) || !isSecureUrl(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}
