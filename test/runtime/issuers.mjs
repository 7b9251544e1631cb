/** The issuers that the checks use: those of the package, with storage in memory. */
import { createIssuer } from 'service-auth/issuer';
import { adminToken, issuers } from './names.mjs';

/** What answers requests to all of them, and to one more that is reached over the network. */
export function createIssuers(network) {
  const shared = { adminToken, limits: false };
  const made = new Map([
    [issuers.nonces, createIssuer({ ...shared, issuer: issuers.nonces, dpopNonce: true })],
    ...[issuers.plain, issuers.rotating, network].map((issuer) => [
      issuer,
      createIssuer({ ...shared, issuer }),
    ]),
  ]);
  return {
    has: (url) => made.has(new URL(url).origin),
    answer: (request) => made.get(new URL(request.url).origin).fetch(request),
    close: () => Promise.all([...made.values()].map((issuer) => issuer.close())),
  };
}
