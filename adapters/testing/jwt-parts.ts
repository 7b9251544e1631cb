/** What JWTs say, read without judging them. */
import { decodeBase64url } from '../../src/shared/base64url.ts';
import { type JsonObject, parseJsonObject } from '../../src/shared/json.ts';

export function readJwtHeader(token: string | null): JsonObject | undefined {
  return readPart(token, 0);
}

export function readJwtClaims(token: string | null): JsonObject | undefined {
  return readPart(token, 1);
}

function readPart(token: string | null, at: number): JsonObject | undefined {
  const bytes = decodeBase64url(token?.split('.')[at] ?? '');
  return bytes && parseJsonObject(bytes);
}
