/** What the four protected services share: their policies, and how they tell their parent where they listen. */
import type { AddressInfo } from 'node:net';

/** Issuer and audience come from SERVICE_AUTH_ISSUER and SERVICE_AUTH_AUDIENCE. */
export const policies = {
  read: { scope: 'orders:read', clients: ['billing'] },
  write: { scope: 'orders:write', clients: ['billing'] },
} as const;

export function listening(address: AddressInfo | string | null): void {
  if (address === null || typeof address === 'string') throw new Error('a TCP address is expected');
  process.send?.({ url: `http://127.0.0.1:${address.port}` });
}

// The parent going away, however it went, ends the service too.
process.on('disconnect', () => process.exit(0));
