/** Compiled, never run: the options of verifiers, each of them, and the mistakes that an editor refuses. */
import {
  type AuthRequest,
  type CertificateSource,
  type ClaimFunctions,
  type ClaimsOption,
  type ClaimsPreset,
  type Connection,
  clientSecretBasic,
  createMemoryReplayStore,
  createVerifier,
  type DpopNonceOptions,
  type DpopOptions,
  type ForwardedCertificateOptions,
  forwardedClientCertificate,
  type IntrospectionOptions,
  type Jwk,
  type JwsAlgorithm,
  type KeyAlgorithm,
  type PublicUrl,
  type SecretAlgorithm,
  type TrustedIssuer,
  type VerifierOptions,
} from 'service-auth';
import type { Equal } from './equal.ts';

const issuer = 'https://idp.example';
const replayStore = createMemoryReplayStore();

// DPoP: a literal needs every option, and may have no other.
const nonce: Required<DpopNonceOptions> = { secret: ['new', 'old'], lifetimeSeconds: 60 };
const dpop: Required<DpopOptions> = {
  mode: 'required',
  algorithms: ['ES256', 'EdDSA'],
  maxAgeSeconds: 60,
  toleranceSeconds: 5,
  nonce,
  replayStore,
};
createVerifier({ dpop });
createVerifier({ dpop: false });
createVerifier({ dpop: 'required' });
createVerifier({ dpop: { nonce: false } });
// @ts-expect-error: true does not say which mode
createVerifier({ dpop: true });
// @ts-expect-error: proofs are signed with a key, not a secret
createVerifier({ dpop: { algorithms: ['HS256'] } });
// @ts-expect-error: nonces need a secret
createVerifier({ dpop: { nonce: { lifetimeSeconds: 60 } } });
// @ts-expect-error: the secret of nonces may be unset
createVerifier({ dpop: { nonce: { secret: process.env.NONCE_SECRET } } });
// @ts-expect-error: a store that may be missing would let replays through
createVerifier({ dpop: { replayStore: undefined as typeof replayStore | undefined } });

// Certificates
const forwarded: Required<ForwardedCertificateOptions> = {
  trustProxy: ['10.0.0.0/8'],
  header: 'client-cert',
};
const clientCertificate: CertificateSource = forwardedClientCertificate(forwarded);
createVerifier({ clientCertificate });
createVerifier({ clientCertificate: ({ headers }) => headers.get('x-client-cert') ?? undefined });
// @ts-expect-error: whose word is taken for it must be said
forwardedClientCertificate({ header: 'client-cert' });
// @ts-expect-error: a header may be missing, which is undefined and not null
export const nullish: CertificateSource = ({ headers }) => headers.get('x-client-cert');
// @ts-expect-error: a certificate is read at once
export const asynchronous: CertificateSource = async () => 'certificate';

export function inspect({ connection, headers, source }: AuthRequest, whole: Connection): unknown {
  // @ts-expect-error: not every runtime knows the connection
  connection.encrypted;
  // @ts-expect-error: the address may be unknown
  connection?.remoteAddress.length;
  // @ts-expect-error: a header may be missing
  headers.get('dpop').length;
  const { encrypted, remoteAddress, peerCertificate } = whole;
  const read: readonly [boolean, string | undefined, Uint8Array | undefined, object | undefined] = [
    encrypted,
    remoteAddress,
    peerCertificate,
    source,
  ];
  return read;
}
export const connection: Connection = {
  encrypted: true,
  remoteAddress: undefined,
  peerCertificate: undefined,
};
export const requests: readonly AuthRequest[] = [
  new Request('https://orders.example'),
  { method: 'GET', url: '/', headers: new Map(), connection, source: {} },
];

// Claims
const functions: Required<ClaimFunctions> = {
  scopes: ({ roles }) => (typeof roles === 'string' ? [roles] : undefined),
  clientId: ({ app }) => (typeof app === 'string' ? app : undefined),
  audience: () => ['https://orders.example'],
  kind: () => 'service',
};
export const claims: readonly ClaimsOption[] = [functions, 'auth0', {}];
export const presets: Equal<ClaimsPreset, 'auth0' | 'entra' | 'okta' | 'cognito' | 'keycloak'> = true;
// @ts-expect-error: a claim may be anything
export const unchecked: ClaimFunctions = { clientId: ({ app }) => app };
// @ts-expect-error: no such kind
export const machine: ClaimFunctions = { kind: () => 'machine' };
// @ts-expect-error: an unknown preset
export const preset: ClaimsOption = 'azure';

// Introspection
const introspection: Required<IntrospectionOptions> = {
  endpoint: `${issuer}/introspect`,
  clientAuth: clientSecretBasic('secret'),
  clientId: 'orders',
  clientSecret: undefined,
  cacheSeconds: 30,
  negativeCacheSeconds: 10,
  response: 'jwt',
  retries: 1,
  timeoutMs: 3000,
  tokens: 'all',
  store: { get: () => undefined, set: () => {}, delete: () => {} },
};
// @ts-expect-error: which tokens is one of two words
export const someTokens: IntrospectionOptions = { tokens: 'some' };
// @ts-expect-error: durations are numbers
export const textual: IntrospectionOptions = { cacheSeconds: '30' };
// @ts-expect-error: a misspelt option
export const misspelt: IntrospectionOptions = { cacheSecond: 30 };

// Issuers
const jwk: Jwk = { kty: 'OKP', crv: 'Ed25519', x: 'public', kid: 'a', use: 'sig', key_ops: ['verify'] };
const algorithm: KeyAlgorithm = 'Ed25519';
const ofSecret: SecretAlgorithm = 'HS512';
export const algorithms: Equal<JwsAlgorithm, KeyAlgorithm | SecretAlgorithm> = true;
export const ofSecrets: Equal<SecretAlgorithm, 'HS256' | 'HS384' | 'HS512'> = true;
export const ofKeys: Record<KeyAlgorithm, 'rsa' | 'ec' | 'okp'> = {
  ...({ RS256: 'rsa', RS384: 'rsa', RS512: 'rsa', PS256: 'rsa', PS384: 'rsa', PS512: 'rsa' } as const),
  ...({ ES256: 'ec', ES384: 'ec', ES512: 'ec', EdDSA: 'okp', Ed25519: 'okp' } as const),
};
export const issuers: readonly TrustedIssuer[] = [
  { issuer, jwks: { keys: [jwk] }, algorithms: [algorithm], statusList: true, claims: functions },
  { issuer, secret: new Uint8Array(64), algorithms: [ofSecret] },
  { issuer, discovery: 'openid-configuration', introspection, claims: 'okta' },
  { issuer: `${issuer}/{tenant}`, tenants: ['one'], jwksUri: `${issuer}/{tenant}/keys`, introspection: true },
];
// @ts-expect-error: an issuer has a name
export const nameless: TrustedIssuer = { jwksUri: `${issuer}/keys` };
// @ts-expect-error: an unset variable must drop no check
export const unset: TrustedIssuer = { issuer, tenants: undefined };
// @ts-expect-error: a set of keys, not a key
export const single: TrustedIssuer = { issuer, jwks: jwk };
// @ts-expect-error: a key's members are texts
export const numeric: Jwk = { kty: 'EC', x: 1 };

// Public URLs
export const urls: readonly PublicUrl[] = ['https://orders.example', { trustProxy: ['10.0.0.0/8'] }];
// @ts-expect-error: proxies are named, not all trusted
export const everyProxy: PublicUrl = { trustProxy: true };

// All of them
const all: Required<VerifierOptions> = {
  issuer: [issuer, ...issuers],
  audience: ['https://orders.example'],
  typ: 'at+jwt',
  clockToleranceSeconds: 5,
  maxTokenAgeSeconds: 600,
  dpop,
  clientCertificate,
  publicUrl: { trustProxy: ['10.0.0.0/8'] },
  cache: { maxTokens: 10_000 },
  realm: 'orders',
  resourceMetadata: 'https://orders.example/.well-known/oauth-protected-resource',
  fetch,
  now: Date.now,
  onEvent: () => {},
};
createVerifier(all);
createVerifier({ cache: false, audience: process.env.AUDIENCE });
// @ts-expect-error: true is the default already
createVerifier({ cache: true });
// @ts-expect-error: a clock gives a number
createVerifier({ now: () => new Date() });
// @ts-expect-error: a misspelt option of the cache
createVerifier({ cache: { maxToken: 1 } });
