/** The protected routes that every adapter offers to the contract table. */
import { deflateSync } from 'node:zlib';
import { createVerifier, type Policy, type Verifier, type VerifierOptions } from '../../src/index.ts';
import { certificatePem } from '../helpers/certificates.ts';
import { statusListToken } from '../helpers/status-lists.ts';
import { audience, issuer, nowMs, nowSeconds, type TestKey } from '../helpers/tokens.ts';

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
export const introspected = 'https://introspected.example';
export const publicUrl = 'https://orders.example';
export const metadataUrl = 'https://orders.example/.well-known/oauth-protected-resource';
export const nonceSecret = 'a secret that makes the nonces of the contract';
/** The list that tokens of these tests name: the first is valid, the second is not, the third is suspended. */
export const statusUri = 'https://issuer.example/status/1';
/** More than is unpacked. */
const zeros = deflateSync(new Uint8Array(17 * 1024 * 1024)).toString('base64url');
/** Of 8 bits each: valid, and two that applications may define. */
const statuses = deflateSync(Uint8Array.of(0, 3, 255)).toString('base64url');
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

  const introspecting = (answer: typeof fetch): Verifier =>
    make({
      issuer: [
        own,
        {
          issuer: introspected,
          introspection: {
            endpoint: `${introspected}/introspect`,
            clientId: 'orders',
            clientSecret: 'secret',
          },
        },
      ],
      publicUrl,
      fetch: answer as NonNullable<VerifierOptions['fetch']>,
    });
  const opaque = introspecting(answerIntrospection);
  const proofs = make({ publicUrl, resourceMetadata: metadataUrl });
  const status = make({
    issuer: { ...own, statusList: true },
    fetch: async () => new Response(await statusListToken(keys[0], statusUri, [0, 1, 2])),
  });

  const listing = (claims: object): Verifier =>
    make({
      issuer: { ...own, statusList: true },
      fetch: async () => new Response(await statusListToken(keys[0], statusUri, [0], claims)),
    });

  return [
    route('/dpop', {}, proofs),
    route('/dpop/write', { scope: 'orders:write' }, proofs),
    route('/dpop/constrained', { senderConstrained: 'dpop' }, proofs),
    route('/dpop/constrained/any', { senderConstrained: true }, proofs),
    route('/dpop/constrained/mtls', { senderConstrained: 'mtls' }, proofs),
    route('/dpop/required', {}, make({ publicUrl, dpop: 'required' })),
    route('/dpop/off', {}, make({ publicUrl, dpop: false })),
    route('/dpop/nonce', {}, make({ publicUrl, dpop: { nonce: { secret: nonceSecret } } })),
    route('/certificate', {}, make({ clientCertificate: () => certificatePem })),
    route('/certificate/none', {}, make({ clientCertificate: () => undefined })),
    route('/opaque', { scope: 'orders:read' }, opaque),
    route('/opaque/write', { scope: 'orders:write' }, opaque),
    route('/opaque/service', { serviceOnly: true }, opaque),
    route(
      '/opaque/down',
      {},
      introspecting(() => Promise.reject(new Error('no connection'))),
    ),
    route(
      '/opaque/broken',
      {},
      introspecting(async () => new Response('active')),
    ),
    route('/status', {}, status),
    route(
      '/status/down',
      {},
      make({ issuer: { ...own, statusList: true }, fetch: async () => new Response('', { status: 500 }) }),
    ),
    route('/status/elsewhere', {}, listing({ sub: 'https://issuer.example/status/2' })),
    route('/status/expired', {}, listing({ exp: nowSeconds })),
    route('/status/huge', {}, listing({ status_list: { bits: 8, lst: zeros } })),
    route('/status/wide', { scope: 'orders:write' }, listing({ status_list: { bits: 8, lst: statuses } })),
    route('/actors', { actors: ['gateway'] }),
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

/** What an authorization server says about the opaque tokens of the table. */
const answerIntrospection = async (_url: unknown, init?: RequestInit): Promise<Response> => {
  const token = new URLSearchParams(String(init?.body)).get('token') ?? '';
  const active = {
    active: true,
    iss: introspected,
    aud: audience,
    client_id: 'billing',
    sub: 'billing',
    scope: 'orders:read',
    exp: nowSeconds + 300,
  };
  const [kind = '', jkt] = token.split('~');
  const answers: Readonly<Record<string, object>> = {
    opaque: active,
    user: { ...active, sub: 'a-user' },
    expired: { ...active, exp: nowSeconds - 60 },
    elsewhere: { ...active, aud: 'https://stock.example' },
    stranger: { ...active, iss: 'https://stranger.example' },
    bound: { ...active, cnf: { jkt } },
    odd: { ...active, exp: 'soon' },
  };
  return Response.json(answers[kind] ?? { active: false });
};
