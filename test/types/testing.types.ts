/** Compiled, never run: the test issuer, as tests of services use it. */
import { Hono } from 'hono';
import { createAuthedFetch, createVerifier, type RejectionReason } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';
import {
  createTestIssuer,
  type EndpointFault,
  type MintedToken,
  type MintOptions,
  type PresentationFault,
  type ReadyClientOptions,
  type ReplacedFetch,
  type RevocationTarget,
  type ScriptedAnswer,
  type ScriptedFault,
  type SeenAuthentication,
  type SeenCall,
  type SeenForm,
  type SeenRequest,
  type SeenTokenRequest,
  type SuperagentPlugin,
  type SuperagentRequest,
  type TestClient,
  type TestClientOptions,
  type TestDuration,
  type TestEndpoint,
  type TestEnvironmentOptions,
  type TestIssuer,
  type TestIssuerOptions,
  type TestRequests,
  type TestService,
  type TestVerifierOptions,
  type TokenFault,
  type TokenFaultOutcome,
  type TokenUse,
  tokenFaults,
} from 'service-auth/testing';
import request from 'supertest';
import type { Equal } from './equal.ts';

// Options: those of an issuer have their own file. A literal needs every one, and may have no other.
const billing: TestClient = {
  clientId: 'billing',
  scopes: ['read'],
  clientSecret: 'secret',
  dpopBound: true,
};
const services: readonly TestService[] = [new Hono(), () => new Response(), async () => new Response()];
type Own = Pick<
  Required<TestIssuerOptions>,
  'issuer' | 'audience' | 'clients' | 'services' | 'otherFetch' | 'startAt' | 'now'
>;
const own: Own = {
  issuer: 'https://issuer.test',
  audience: 'https://service.test',
  clients: [billing],
  services: { 'https://orders.test': services[0] ?? new Hono() },
  otherFetch: fetch,
  startAt: new Date(0),
  now: undefined,
};
const issuer: TestIssuer = createTestIssuer({ ...own, accessTokenSeconds: 60, limits: false });
createTestIssuer();
// @ts-expect-error: a client is known by its id
createTestIssuer({ clients: [{ name: 'Billing' }] });
// @ts-expect-error: its storage is its own
createTestIssuer({ storage: undefined });
// @ts-expect-error: a service answers with responses
export const wrongService: TestService = () => 'text';

// Tokens
const mint: Required<MintOptions> = {
  clientId: 'billing',
  scope: ['read'],
  audience: 'https://service.test',
  subject: 'somebody',
  actor: 'gateway',
  expiresInSeconds: 60,
  format: 'opaque',
  dpop: true,
  certificate: true,
  claims: { tenant: 'one' },
  header: { kid: undefined },
  fault: 'expired',
};
const use: Required<TokenUse> = { method: 'GET', url: '/orders', nonce: 'nonce', fault: 'missing' };
export async function present(): Promise<readonly unknown[]> {
  const token: MintedToken = await issuer.mint(mint);
  const headers: Record<string, string> = token.headers(use);
  const plugin: SuperagentPlugin = token.forSupertest({ nonce: 'nonce' });
  const sent = token.request('/orders', { method: 'POST' }, { fault: 'as_bearer' });
  // @ts-expect-error: the method of a request is in its own options
  token.request('/orders', {}, { method: 'POST' });
  // @ts-expect-error: supertest knows where it sends
  token.forSupertest({ url: '/orders' });
  // @ts-expect-error: a claim may be anything
  token.claims.tenant.length;
  // @ts-expect-error: a token cannot be changed
  token.scheme = 'Bearer';
  const scheme: 'Bearer' | 'DPoP' = token.scheme;
  const targets: readonly RevocationTarget[] = [token, token.accessToken, { clientId: 'billing' }];
  await Promise.all(targets.map((target) => issuer.revoke(target)));
  return [headers, sent.url, scheme, request('https://service.test').get('/').use(plugin)];
}
export const inOne: Promise<Record<string, string>> = issuer.headers({ scope: 'read' }, use);
export const superagent = (call: SuperagentRequest): void => {
  call.once('request', () => void call.req.setHeader(call.method, call.url));
};
// @ts-expect-error: an unknown fault
issuer.mint({ fault: 'late' });
// @ts-expect-error: durations carry their unit
issuer.mint({ expiresIn: 60 });
// @ts-expect-error: true, or a certificate of its own
issuer.mint({ certificate: false });
// @ts-expect-error: a service is revoked by its client id
issuer.revoke({ id: 'billing' });
// @ts-expect-error: a token is minted later
issuer.mint().headers();

/** Every way to present a token wrongly. */
export function spoils(fault: PresentationFault): 'proof' | 'scheme' | 'certificate' | 'everything' {
  switch (fault) {
    case 'missing':
      return 'everything';
    case 'as_bearer':
      return 'scheme';
    case 'wrong_certificate':
      return 'certificate';
    case 'wrong_method':
    case 'wrong_url':
    case 'wrong_token':
    case 'wrong_key':
    case 'too_old':
    case 'in_future':
    case 'tampered':
      return 'proof';
    default:
      return fault satisfies never;
  }
}

type TimeFault = 'expired' | 'not_yet_valid' | 'issued_in_future' | 'no_expiry';
type ClaimFault = 'wrong_audience' | 'wrong_issuer' | 'wrong_typ' | 'missing_scope';
type KeyFault = 'wrong_key' | 'unknown_key' | 'tampered' | 'unsigned' | 'algorithm_confusion' | 'malformed';
export const allFaults: Equal<TokenFault, TimeFault | ClaimFault | KeyFault> = true;
const fault: TokenFault = 'expired';
const outcome: TokenFaultOutcome = tokenFaults[fault];
export const reason: RejectionReason = outcome.reason;
export const faultStatuses: Equal<TokenFaultOutcome['status'], 401 | 403> = true;
// @ts-expect-error: a fault that there is not
tokenFaults.late;
// @ts-expect-error: what a verifier answers was decided
tokenFaults.expired.status = 200;

// Wiring
const verifying: TestVerifierOptions = { audience: null, introspection: { tokens: 'all' }, statusList: true };
createVerifier(issuer.verifierOptions(verifying));
requireServiceAuth({ ...issuer.verifierOptions(), scope: 'read' });
const calling: TestClientOptions = { clientId: 'billing', targets: ['https://orders.test'] };
const ready: ReadyClientOptions = issuer.clientOptions(calling);
createAuthedFetch(ready);
export const clientId: string = ready.clientId;
export const known: Equal<ReadyClientOptions['issuer'], string> = true;
const environment: Required<TestEnvironmentOptions> = {
  audience: 'https://service.test',
  clientId: 'billing',
  scope: 'read',
  resource: ['https://orders.test'],
  targets: ['https://orders.test'],
};
export const variables: NodeJS.ProcessEnv = { ...process.env, ...issuer.environment(environment) };
// @ts-expect-error: the clock is the test issuer's
issuer.verifierOptions({ now: Date.now });
// @ts-expect-error: the issuer is the test issuer
issuer.clientOptions({ issuer: 'https://idp.example' });

// Time and faults
const duration: Required<TestDuration> = { milliseconds: 1, seconds: 1, minutes: 1, hours: 1, days: 1 };
issuer.advance(duration);
// @ts-expect-error: a number does not say of what
issuer.advance(60);
const scripted: Required<ScriptedAnswer> = {
  status: 429,
  error: 'slow_down',
  retryAfterSeconds: 1,
  body: { error: 'slow_down' },
  headers: { 'x-request-id': 'one' },
};
const faults: readonly EndpointFault[] = [
  ...(['connection_error', 'hang', 'malformed', 'server_error', 'use_dpop_nonce'] as const),
  ...[scripted, { delayMs: 10 }, () => new Response()],
];
for (const each of faults) issuer.fail('token', each, 2).end();
// @ts-expect-error: an answer has a status
issuer.fail('token', { error: 'slow_down' });
// @ts-expect-error: an answer of the script's, or a late one of the issuer
issuer.fail('token', { status: 503, delayMs: 10 });
// @ts-expect-error: no such endpoint
issuer.outage('tokens');
export async function wait(): Promise<number> {
  using outage: ScriptedFault = issuer.outage();
  using replaced: ReplacedFetch = issuer.replaceGlobalFetch();
  await outage.hit;
  replaced.restore();
  // @ts-expect-error: how many have met it is counted
  outage.hits = 0;
  return outage.hits;
}
export async function dispose(): Promise<void> {
  await using other = createTestIssuer();
  other.recover();
}

// What was seen: endpoints are members of the ledger
const { requests } = issuer;
export const ledger: Record<TestEndpoint, readonly SeenRequest[]> = requests;
export const members: Equal<keyof TestRequests, TestEndpoint | 'other' | 'services' | 'clear'> = true;
const seen: SeenRequest = { method: 'GET', url: '/', at: 0, status: undefined, fault: undefined };
const form: SeenForm = { ...seen, clientId: undefined, authentication: 'none', error: undefined };
export const token: SeenTokenRequest = {
  ...form,
  grantType: undefined,
  scope: undefined,
  resource: [],
  audience: undefined,
  dpop: { nonce: undefined },
};
export const call: SeenCall = { ...seen, scheme: undefined };
export const schemes: readonly (string | undefined)[] = requests.services.map(({ scheme }) => scheme);
// @ts-expect-error: there may have been no call
requests.token[0].scope;
// @ts-expect-error: what was seen is not forgotten one by one
requests.token.pop();

/** Every way to authenticate. */
export function isAuthenticated(authentication: SeenAuthentication): boolean {
  switch (authentication) {
    case 'client_secret_basic':
    case 'client_secret_post':
    case 'client_assertion':
      return true;
    case 'none':
      return false;
    default:
      return authentication satisfies never;
  }
}
