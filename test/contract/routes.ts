/** The protected routes that every adapter offers to the contract table. */
import { createVerifier, type Policy, type Verifier, type VerifierOptions } from '../../src/index.ts';
import { audience, issuer, nowMs, type TestKey } from '../helpers/tokens.ts';

/** A verifier and a policy: what a route is protected with. */
export interface ProtectedRoute {
  readonly path: string;
  readonly verifier: Verifier;
  readonly policy: Policy;
}

export const realm = 'a "quoted" \\ realm';
export const partnerIssuer = 'https://partner.example';
export const brokenKeys = 'https://broken.example';
export const downIssuer = 'https://down.example';
/** No fewer than 32 bytes. */
export const partnerSecret = 'a secret that is shared with the partner alone';

export function createRoutes(keys: readonly TestKey[]): readonly ProtectedRoute[] {
  const own = { issuer, jwks: { keys: keys.map(({ publicJwk }) => publicJwk) } };
  const partner = { issuer: partnerIssuer, secret: partnerSecret };
  const make = (options: Partial<VerifierOptions> = {}): Verifier =>
    createVerifier({ issuer: [own, partner], audience, now: () => nowMs, ...options });
  const verifier = make();
  const route = (path: string, policy: Policy = {}, by = verifier): ProtectedRoute => ({
    path,
    policy,
    verifier: by,
  });

  return [
    route('/any'),
    route('/read', { scope: 'orders:read' }),
    route('/both', { scope: ['orders:read', 'stock:read'] }),
    route('/write', { scope: 'orders:write' }),
    route('/any-of', { scope: { anyOf: ['orders:write', 'orders:read'] } }),
    route('/none-of', { scope: { anyOf: ['orders:write', 'orders:admin'] } }),
    route('/all-of', { scope: { allOf: ['orders:read', 'orders:write'] } }),
    route('/billing', { clients: ['billing'] }),
    route('/shipping', { clients: ['shipping'] }),
    route('/by-issuer', { clients: { [issuer]: ['billing'], [partnerIssuer]: ['shipping'] } }),
    route('/service-only', { serviceOnly: true }),
    route('/optional', { optional: true, scope: 'orders:read' }),
    route('/narrow', { audience: 'https://orders.example/admin' }),
    route('/check-true', { check: (caller) => caller.clientId === 'billing' }),
    route('/check-false', { check: () => false }),
    route('/check-text', { check: () => 'the contract has ended' }),
    route('/check-later', { check: async (_caller, request) => request?.method === 'GET' }),
    route('/check-throws', {
      check: () => {
        throw new Error('a defect of the program');
      },
    }),
    route('/strict-typ', {}, make({ typ: 'at+jwt' })),
    route('/realm', { scope: 'orders:write' }, make({ realm })),
    route('/young', {}, make({ maxTokenAgeSeconds: 60 })),
    route('/any-audience', {}, make({ audience: null })),
    route('/down', {}, make({ issuer: downIssuer, fetch: () => Promise.reject(new Error('no connection')) })),
    route(
      '/broken',
      {},
      make({
        issuer: { issuer: brokenKeys, jwksUri: `${brokenKeys}/jwks` },
        fetch: async () => new Response('{"keys": "none"}'),
      }),
    ),
  ];
}
