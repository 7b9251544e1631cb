import type { OptionChecker } from '../../src/shared/options.ts';

const LEAST_SECRET_BYTES = 32;

/** What instances share, copied, so that it stays what it is; `undefined` where none is given. */
export function readSecret(check: OptionChecker, secret: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (secret === undefined) return undefined;
  const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret;
  if (bytes instanceof Uint8Array && bytes.length >= LEAST_SECRET_BYTES) return new Uint8Array(bytes);
  return check.failSecret('secret', `a string or Uint8Array of at least ${LEAST_SECRET_BYTES} bytes`);
}
