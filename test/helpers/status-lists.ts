/** Status List Tokens as an issuer makes them. */
import { deflateSync } from 'node:zlib';
import { nowSeconds, type TestKey } from './tokens.ts';

/** Packs statuses of 2 bits each. */
export function packStatuses(statuses: readonly number[]): object {
  const bytes = new Uint8Array(Math.ceil(statuses.length / 4));
  for (const [index, status] of statuses.entries()) {
    const at = Math.floor(index / 4);
    bytes[at] = (bytes[at] ?? 0) | (status << ((index % 4) * 2));
  }
  return { bits: 2, lst: deflateSync(bytes).toString('base64url') };
}

export async function statusListToken(
  key: TestKey | undefined,
  uri: string,
  statuses: readonly number[],
  claims: object = {},
  header: object = {},
): Promise<string> {
  if (key === undefined) throw new Error('a status list needs a key');
  const list = packStatuses(statuses);
  return key.sign(
    { typ: 'statuslist+jwt', ...header },
    { sub: uri, iat: nowSeconds, exp: nowSeconds + 86_400, ttl: 300, status_list: list, ...claims },
  );
}
