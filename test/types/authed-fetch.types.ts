/** Compiled, never run: authed fetches, as a program and its HTTP clients call them, and what they are made of. */
import ky from 'ky';
import { ofetch } from 'ofetch';
import createClient from 'openapi-fetch';
import {
  type AnswerHeaders,
  type AuthedFetch,
  type AuthedFetchOptions,
  type AuthorizedCall,
  authedFetch,
  type CallAuthorizer,
  type CallAuthorizerOptions,
  type Caller,
  createAuthedFetch,
  createCallAuthorizer,
  type Explanation,
  type Fetch,
  type FetchFunction,
  type OutgoingAnswer,
  type OutgoingRequest,
  type RedirectPolicy,
  type Target,
  type Targets,
  type TokenClient,
} from 'service-auth';
import type { Equal } from './equal.ts';

declare const caller: Caller;

// As the platform's own, wherever one is taken
export const platform: typeof fetch = authedFetch;
export const functions: readonly FetchFunction[] = [fetch, authedFetch];
export const plain: Fetch = authedFetch;
export const withKy = ky.create({ fetch: authedFetch });
export const withOfetch = ofetch.create({}, { fetch: authedFetch });
export const withOpenapi = createClient<Record<never, never>>({ fetch: authedFetch });
export const called: readonly Promise<Response>[] = [
  authedFetch('https://orders.example'),
  authedFetch(new URL('https://orders.example'), { method: 'POST', body: 'text' }),
  authedFetch(new Request('https://orders.example')),
];
// @ts-expect-error: a call goes somewhere
authedFetch();
// @ts-expect-error: its options are those of fetch
authedFetch('https://orders.example', { scope: 'orders:read' });
// @ts-expect-error: one that takes texts alone is enough for token requests, not for calls
export const ofTexts: FetchFunction = plain;

// Targets: a literal needs every option, and may have no other.
const target: Required<Target> = {
  origin: 'https://orders.example',
  pathPrefix: '/api',
  scope: 'orders:read',
  resource: ['https://orders.example'],
  dpop: true,
  onBehalfOf: async () => caller,
  allowInsecure: false,
};
export const targets: readonly Targets[] = [[target, 'https://stock.example'], '*'];
// @ts-expect-error: everything is said by a star alone
export const everything: Targets = 'https://orders.example';
// @ts-expect-error: a target has an origin
export const nowhere: Target = { scope: 'orders:read' };
// @ts-expect-error: on whose behalf is asked at each call
export const fixed: Target = { origin: 'https://orders.example', onBehalfOf: caller };
export const policies: Equal<RedirectPolicy, 'refuse' | 'strip'> = true;

// Beside them the options of a token client, which have their own file
const own: Required<Pick<AuthedFetchOptions, 'targets' | 'redirectPolicy' | 'fetch'>> = {
  targets: [target],
  redirectPolicy: 'refuse',
  fetch: authedFetch,
};
const billing: AuthedFetch = createAuthedFetch({
  ...own,
  issuer: 'https://idp.example',
  clientId: 'billing',
});
createAuthedFetch();
// @ts-expect-error: redirects are refused, or followed without the token
createAuthedFetch({ redirectPolicy: 'follow' });
// @ts-expect-error: targets are a list
createAuthedFetch({ targets: target });
// @ts-expect-error: a misspelt option
createAuthedFetch({ target: [target] });
// @ts-expect-error: calls are sent with whatever a program calls fetch with
createAuthedFetch({ fetch: plain });

export const tokens: TokenClient = billing.tokens;
export const delegated: AuthedFetch = billing.onBehalfOf(caller).onBehalfOf('token');
// @ts-expect-error: nobody must not mean everybody
billing.onBehalfOf(undefined);
// @ts-expect-error: with `optional` there may be no caller
billing.onBehalfOf(caller as Caller | undefined);
// @ts-expect-error: the tokens of an authed fetch are its own
billing.tokens = tokens;

export function explain(): string {
  const explanation: Explanation = billing.explain(new URL('https://orders.example'));
  const { target, token, lastError } = explanation;
  // @ts-expect-error: a URL may have no target
  target.origin;
  // @ts-expect-error: there may be no token yet
  token.ageMs;
  // @ts-expect-error: most calls have met no error
  lastError.code;
  if (target === undefined) return 'no target';
  const { origin, pathPrefix, scope = '', resources, dpop } = target;
  const texts: readonly string[] = [origin, pathPrefix, scope, ...resources];
  const ages: readonly number[] = token ? [token.ageMs, token.refreshAt, token.expiresAt] : [];
  return `${texts} ${ages} ${dpop === true} ${lastError?.message}`;
}
export const unexplained: Explanation = { target: undefined, token: undefined, lastError: undefined };

// For clients that are no fetch
const options: CallAuthorizerOptions = { targets: [target], fetch: authedFetch };
const authorizer: CallAuthorizer = createCallAuthorizer(options, 'myClient');
// @ts-expect-error: redirects are the sender's
createCallAuthorizer({ redirectPolicy: 'refuse' });
// @ts-expect-error: a name for messages is a text
createCallAuthorizer(options, { name: 'myClient' });

const request: Required<OutgoingRequest> = {
  method: 'GET',
  url: 'https://orders.example',
  replayable: true,
  signal: undefined,
};
const headers: AnswerHeaders = new Headers();
const answer: OutgoingAnswer = { status: 401, headers };
// @ts-expect-error: a header may be missing
export const present: string = headers.get('dpop-nonce');
// @ts-expect-error: whether its body can be sent again must be said
authorizer.authorize({ method: 'GET', url: 'https://orders.example' });
// @ts-expect-error: headers are asked by a function
export const record: OutgoingAnswer = { status: 401, headers: { 'dpop-nonce': 'nonce' } };

export async function send(): Promise<AuthorizedCall> {
  const call = await authorizer.onBehalfOf(caller).authorize(request);
  // @ts-expect-error: what is in memory is there at once, so there may be no promise
  authorizer.authorize(request).then(() => {});
  const sent: readonly string[] = [call.url, call.authorization];
  // @ts-expect-error: most tokens need no proof
  call.dpop.length;
  // @ts-expect-error: a call goes where it was judged to go
  call.url = sent[0];
  if (!call.concerns(answer.status)) return call;
  const second = await call.again(answer);
  // @ts-expect-error: the answer may be final
  second.authorization;
  return second ?? call;
}
export const members: Equal<
  keyof CallAuthorizer,
  'authorize' | 'onBehalfOf' | 'tokens' | 'explain' | 'close'
> = true;
