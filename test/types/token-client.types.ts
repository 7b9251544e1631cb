/** Compiled, never run: token clients, their options and their tokens. */
import {
  type AccessToken,
  type Caller,
  clientSecretPost,
  createMemoryTokenStore,
  createTokenClient,
  type Discovery,
  type DpopKeyOptions,
  type DpopProofOptions,
  type ExchangeOptions,
  type GetTokenOptions,
  type InvalidateOptions,
  type RefreshOptions,
  type SubjectToken,
  type TokenClient,
  type TokenClientOptions,
  type TokenState,
  type TokenType,
} from 'service-auth';
import type { Equal } from './equal.ts';

declare const keyPair: CryptoKeyPair;
declare const caller: Caller;
const { signal } = new AbortController();

// A literal needs every option, and may have no other.
const dpop: Required<DpopKeyOptions> = { algorithm: 'EdDSA', keyPair, rotate: false };
const refresh: Required<RefreshOptions> = { aheadSeconds: 60, mandatorySeconds: 10 };
const discoveries: readonly Discovery[] = [
  'oauth-authorization-server',
  'openid-configuration',
  'https://idp.example/metadata',
];
export const all: Required<TokenClientOptions> = {
  issuer: 'https://idp.example',
  tokenEndpoint: 'https://idp.example/token',
  discovery: discoveries[0],
  clientId: 'billing',
  clientSecret: undefined,
  clientAuth: clientSecretPost('secret'),
  scope: ['orders:read'],
  resource: 'https://orders.example',
  audience: 'orders',
  extraParameters: { tenant: 'one' },
  dpop,
  refresh,
  defaultLifetimeSeconds: 300,
  store: createMemoryTokenStore(),
  storeKey: 'key',
  timeoutMs: 10_000,
  fetch,
  now: Date.now,
  random: Math.random,
  onEvent: () => {},
};
const tokens: TokenClient = createTokenClient(all);
createTokenClient();
createTokenClient({ clientSecret: process.env.SECRET, dpop: true });
createTokenClient({ clientSecret: async () => ['new', 'old'] });
// @ts-expect-error: an unknown option
createTokenClient({ scopes: 'orders:read' });
// @ts-expect-error: parameters are texts
createTokenClient({ extraParameters: { tenant: 1 } });
// @ts-expect-error: an algorithm that proofs of ours have not
createTokenClient({ dpop: { algorithm: 'RS256' } });
// @ts-expect-error: both halves of a key, not one
createTokenClient({ dpop: { keyPair: keyPair.privateKey } });
// @ts-expect-error: durations carry their unit
createTokenClient({ refresh: { ahead: 60 } });
// @ts-expect-error: durations are numbers
createTokenClient({ timeoutMs: '10s' });
// @ts-expect-error: a client authenticates in a way that knows how secrets are sent
createTokenClient({ clientAuth: 'client_secret_basic' });
// @ts-expect-error: no options of an authed fetch
createTokenClient({ targets: ['https://orders.example'] });

// Tokens
const wish: Required<GetTokenOptions> = {
  scope: 'orders:read',
  resource: ['https://orders.example'],
  forceRefresh: true,
  signal,
};
export async function get(): Promise<readonly unknown[]> {
  const token: AccessToken = await tokens.getToken(wish);
  // @ts-expect-error: the server may not say which scope it granted
  token.scope.split(' ');
  // @ts-expect-error: a token cannot be changed
  token.expiresAt = 0;
  // @ts-expect-error: nor its text
  token.accessToken = 'other';
  const { accessToken, authorization, expiresAt, tokenType, scope = '' } = token;
  const texts: readonly string[] = [accessToken, authorization, scope];
  const rest: readonly [number, TokenType] = [expiresAt, tokenType];
  return [texts, rest];
}
export const types: Equal<TokenType, 'Bearer' | 'DPoP'> = true;
// @ts-expect-error: a token comes from a client, and keeps its text out of logs
export const literal: AccessToken = { accessToken: 'token', authorization: 'Bearer token', expiresAt: 0 };
// @ts-expect-error: the audience is the client's, or an exchange's
tokens.getToken({ audience: 'orders' });
// @ts-expect-error: a token is there only later
tokens.getToken().accessToken;

// Exchange
const subjects: readonly SubjectToken[] = [
  'token',
  caller,
  { token: 'token' },
  { token: 'token', confirmation: { jkt: 'thumbprint' } },
];
// @ts-expect-error: a minted or received token has its text in `token`
export const foreign: SubjectToken = { accessToken: 'token' };
// @ts-expect-error: nobody must not mean everybody
export const nobody: SubjectToken = undefined;
const exchange: Required<ExchangeOptions> = {
  subjectToken: caller,
  subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
  actorToken: 'token',
  actorTokenType: undefined,
  scope: ['orders:read'],
  resource: 'https://orders.example',
  audience: 'orders',
  signal,
};
export const exchanged: Promise<AccessToken> = tokens.exchange(exchange);
export const each: readonly Promise<AccessToken>[] = subjects.map((subjectToken) =>
  tokens.exchange({ subjectToken }),
);
// @ts-expect-error: on whose behalf must be said
tokens.exchange({ scope: 'orders:read' });
// @ts-expect-error: who acts is told by a token
tokens.exchange({ subjectToken: caller, actorToken: caller });
// @ts-expect-error: an exchange is never answered from the past
tokens.exchange({ subjectToken: caller, forceRefresh: true });

// Proofs
const proof: Required<DpopProofOptions> = {
  method: 'GET',
  url: new URL('https://orders.example'),
  accessToken: 'token',
  nonce: 'nonce',
};
export const proven: Promise<string> = tokens.dpopProof(proof);
// @ts-expect-error: a proof is good for one method
tokens.dpopProof({ url: 'https://orders.example' });

// Forgetting
const forgotten: readonly InvalidateOptions[] = [
  {},
  { scope: 'orders:read', resource: ['https://orders.example'] },
  { accessToken: 'token' },
];
for (const what of forgotten) tokens.invalidate(what);
tokens.invalidate();
// @ts-expect-error: a token is named by itself
tokens.invalidate({ accessToken: 'token', scope: 'orders:read' });
// @ts-expect-error: a token that may be missing
tokens.invalidate({ accessToken: process.env.TOKEN });
// @ts-expect-error: a text does not say what it is
tokens.invalidate('token');

// State
export const state: TokenState = {
  requesting: false,
  token: { obtainedAt: 0, refreshAt: 1, expiresAt: 2, scope: undefined, tokenType: 'DPoP' },
  lastError: {
    at: 0,
    code: 'timeout',
    status: undefined,
    oauthError: undefined,
    message: 'No answer',
    retryAt: 1000,
  },
};
export function describeState({ requesting, token, lastError }: TokenState): string {
  // @ts-expect-error: there may be no token
  token.expiresAt;
  // @ts-expect-error: nor did anything fail
  lastError.code;
  const times: readonly number[] = token ? [token.obtainedAt, token.refreshAt, token.expiresAt] : [];
  const error: string = `${lastError?.code} ${lastError?.status} ${lastError?.oauthError?.trim()}`;
  return `${requesting} ${times} ${error}`;
}
