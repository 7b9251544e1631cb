/** Compiled, never run: verifiers, guards and policies, as services and adapters use them. */
import {
  type Caller,
  type CallerOf,
  createGuard,
  createProtectedResource,
  createVerifier,
  type Guard,
  type HttpAnswer,
  type Invalidation,
  type NoPolicy,
  type Policy,
  type ProtectedResource,
  type ProtectedResourceOptions,
  readRouteSetting,
  resolveVerifier,
  type Scheme,
  type ScopePolicy,
  tokenKey,
  type Verifier,
  type VerifierHealth,
  type VerifierSource,
  type VerifyTokenOptions,
} from 'service-auth';
import type { Equal } from './equal.ts';

const verifier: Verifier = createVerifier({ issuer: 'https://idp.example', audience: null });

// Policies: a literal needs every option, and may have no other.
const policy: Required<Policy> = {
  scope: 'orders:read',
  clients: { 'https://idp.example': ['billing'] },
  audience: ['https://orders.example'],
  senderConstrained: 'mtls',
  serviceOnly: true,
  actors: ['gateway'],
  optional: false,
  check: (caller, request) => caller.hasScope('orders:write') || (request?.method ?? 'a queue'),
};
export const guard: Guard<Caller> = verifier.guard({ ...policy, optional: false });
export const lenient: Guard = verifier.guard(policy);
// @ts-expect-error: a policy that may be optional
export const strict: Guard<Caller> = verifier.guard(policy as Policy);
verifier.guard({ check: async () => 'not today' });
// @ts-expect-error: an answer is needed
verifier.guard({ check: () => {} });
// @ts-expect-error: a token that comes otherwise has no request
verifier.guard({ check: (_caller, request) => request.method === 'GET' });
// @ts-expect-error: no such binding
verifier.guard({ senderConstrained: 'tls' });
// @ts-expect-error: clients are a list
verifier.guard({ clients: 'billing' });
// @ts-expect-error: an audience that is null checks nothing
verifier.guard({ audience: null });

export const scopes: readonly ScopePolicy[] = ['a b', ['a', 'b'], { anyOf: ['a'] }, { allOf: ['a', 'b'] }];
// @ts-expect-error: nothing is asked for
export const noScope: ScopePolicy = {};
// @ts-expect-error: a list, though there is one only
export const oneScope: ScopePolicy = { anyOf: 'a' };

// Who calls
export const withoutPolicy: Equal<CallerOf<NoPolicy>, Caller> = true;
export const withOptional: Equal<CallerOf<{ optional: true }>, Caller | undefined> = true;
export const withRequired: Equal<CallerOf<{ optional: false }>, Caller> = true;
export const withAny: Equal<CallerOf<Policy>, Caller | undefined> = true;
export function describe(caller: Caller): readonly (string | number)[] {
  const { issuer, subject = '', clientId = '', tokenId = '', issuedAt = 0, expiresAt, token } = caller;
  const kind: 'service' | 'user' = caller.kind;
  const scheme: Scheme = caller.scheme;
  // @ts-expect-error: a claim may be anything
  caller.claims.tenant.length;
  // @ts-expect-error: most tokens name no actor
  caller.actor.sub;
  // @ts-expect-error: nor are they bound
  caller.confirmation.jkt;
  // @ts-expect-error: claims cannot be changed
  caller.claims.tenant = 'other';
  return [issuer, subject, clientId, tokenId, issuedAt, expiresAt, token, kind, scheme];
}
export const schemes: Equal<Scheme, 'Bearer' | 'DPoP'> = true;

// Tokens that come otherwise
const tokenOptions: Required<VerifyTokenOptions> = { scheme: 'Bearer', policy };
export async function fromQueue(token: string): Promise<string | undefined> {
  const outcome = await verifier.verifyToken(token, tokenOptions);
  return outcome.ok ? outcome.caller.clientId : outcome.rejection.reason;
}
// @ts-expect-error: the policy stands in its own member
verifier.verifyToken('token', { scope: 'read' });
// @ts-expect-error: no such scheme
verifier.verifyToken('token', { scheme: 'Basic' });

// What verifiers say of themselves
export function describeHealth({ cachedTokens, issuers }: VerifierHealth): readonly unknown[] {
  return issuers.map(({ issuer, keys, introspection }) => {
    // @ts-expect-error: issuers with a secret have no keys that could be stale
    keys.stale;
    // @ts-expect-error: nor are all of them asked
    introspection.state;
    const row: readonly [number, string, boolean | undefined] = [cachedTokens, issuer, keys?.stale];
    return row;
  });
}
export const health: VerifierHealth = {
  cachedTokens: 0,
  issuers: [{ issuer: 'https://idp.example', keys: undefined, introspection: undefined }],
};
export const ready: Promise<void> = verifier.ready();

// Denied tokens
const denials: readonly Invalidation[] = [
  'token',
  { tokenKey: tokenKey('token') },
  { jti: 'id' },
  { clientId: 'billing', issuedUntil: 1_700_000_000 },
];
for (const what of denials) verifier.invalidate(what);
// @ts-expect-error: until when only goes with a client
verifier.invalidate({ jti: 'id', issuedUntil: 1_700_000_000 });
// @ts-expect-error: everything is no thing
verifier.invalidate();
// @ts-expect-error: nobody in particular
verifier.invalidate({ issuedUntil: 1_700_000_000 });
// @ts-expect-error: the key of a token is made of its text
tokenKey(Buffer.from('token'));

// What adapters are made of
const sources: readonly VerifierSource[] = [{}, { verifier }, { issuer: 'https://idp.example' }];
export const resolved: readonly Verifier[] = sources.map((source) => resolveVerifier(source, ['global']));
// @ts-expect-error: a verifier has its options already
resolveVerifier({ verifier, issuer: 'https://idp.example' });
// @ts-expect-error: the names of others are a list
resolveVerifier({ verifier }, 'global');
// @ts-expect-error: a verifier that may be missing is not the one of the environment
createGuard({ verifier: undefined as Verifier | undefined });

export function guardOf(config: object): Guard | undefined {
  const setting = readRouteSetting(config);
  // @ts-expect-error: a route may be open, or say nothing
  verifier.guard(setting);
  if (setting === undefined || setting === false) return undefined;
  return verifier.guard(setting === true ? undefined : setting);
}
// @ts-expect-error: a config is an object
readRouteSetting('read');

// The document of a resource
const resource: Required<ProtectedResourceOptions> = {
  resource: 'https://orders.example',
  authorizationServers: ['https://idp.example'],
  scopesSupported: ['orders:read'],
  resourceName: 'Orders',
  resourceDocumentation: 'https://orders.example/docs',
  dpopBoundAccessTokensRequired: true,
  dpopSigningAlgValuesSupported: ['ES256'],
  tlsClientCertificateBoundAccessTokens: false,
};
const metadata: ProtectedResource = createProtectedResource(resource);
export function answerMetadata(request: Request): HttpAnswer | undefined {
  const answer = metadata.answer(request);
  // @ts-expect-error: most requests are for something else
  answer.body;
  // @ts-expect-error: where it is was decided
  metadata.path = '/elsewhere';
  return metadata.path.startsWith('/') ? answer : undefined;
}
// @ts-expect-error: a resource has a name
createProtectedResource({ scopesSupported: ['orders:read'] });
// @ts-expect-error: the members are called as in the rest of the package
createProtectedResource({ resource: 'https://orders.example', scopes_supported: ['orders:read'] });
// @ts-expect-error: proofs are signed with a key, not a secret
createProtectedResource({ resource: 'https://orders.example', dpopSigningAlgValuesSupported: ['HS256'] });
