import { ServiceAuthError } from '../errors.ts';
import { unlessAborted } from '../shared/abort.ts';
import { withoutQuery } from '../shared/http.ts';
import { type AuthedFetchOptions, type RedirectPolicy, resolveAuthedFetch } from './authed-fetch-options.ts';
import { type Call, type CallAuth, type Credentials, createCallAuth } from './call-auth.ts';
import { checkSubjectToken, type SubjectToken } from './exchange.ts';
import { type Explanation, explain } from './explain.ts';
import {
  discard,
  firstHop,
  type Hop,
  nextHop,
  redirectLocation,
  sendHop,
  withoutCredentials,
} from './hop.ts';
import { judgeUrl } from './judge-url.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';
import { createSubjectFinder } from './subject-finder.ts';
import { createTargetFinder } from './targets.ts';
import {
  type DpopProofOptions,
  type ExchangeOptions,
  type GetTokenOptions,
  type InvalidateOptions,
  type TokenClient,
  tokenClientOf,
} from './token-client.ts';
import { createTokenSource } from './token-source.ts';
import type { TokenSubject } from './token-subject.ts';

/** A `fetch` that sends access tokens. Made by {@link createAuthedFetch}. */
export interface AuthedFetch {
  /**
   * Calls a service as `fetch` does, with an access token.
   *
   * A 401 that says `invalid_token` leads to one new token and one more attempt, if the body can be sent again:
   * not if it is a stream, or that of a `Request`. Rejects with `ServiceAuthError` `untrusted_target`,
   * `redirect_refused` and those of `getToken`; with `TypeError` if the call has an `Authorization` header of
   * its own; otherwise as the transport does. `response.redirected` is always false.
   */
  (input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** The tokens that calls are sent with. */
  readonly tokens: TokenClient;
  /**
   * A `fetch` for calls on behalf of somebody: the token is exchanged for one of each target (RFC 8693), and the
   * exchanged ones are kept. Closing it closes this one, too.
   *
   * Its calls also reject with `ServiceAuthError` `binding_lost` where the token is bound to a key and the one that
   * it was exchanged for is not. Throws `TypeError` where nobody is named. Not checked: whether the token is valid; the authorization server does that.
   */
  onBehalfOf(callerOrToken: SubjectToken): AuthedFetch;
  /** Says what a call of this URL would meet: for humans and for health pages. Nothing is sent, no secret shown. */
  explain(url: string | URL): Explanation;
  /** Forgets all tokens; every later call is refused. */
  close(): void;
}

/** As in the Fetch standard, 4.4. */
const MOST_REDIRECTS = 20;

/**
 * Makes a `fetch` that sends the right access token to the services it was made for, and to nobody else.
 *
 * Redirects within the target are followed with the token; for others see `redirectPolicy`. Not checked: the
 * answers of the services. RFC 6749 section 4.4, RFC 6750, RFC 8707.
 *
 * @throws TypeError that names the option, the rule and the value, or the missing environment variable.
 *
 * @example
 * ```ts
 * import { createAuthedFetch } from 'service-auth';
 *
 * const authedFetch = createAuthedFetch({
 *   issuer: 'https://idp.example',
 *   clientId: 'billing',
 *   clientSecret: process.env.BILLING_SECRET,
 *   targets: [{ origin: 'https://orders.internal', scope: 'orders:read' }],
 * });
 *
 * export async function orders(): Promise<unknown> {
 *   const response = await authedFetch('https://orders.internal/orders');
 *   return response.json();
 * }
 * ```
 */
export function createAuthedFetch(options: AuthedFetchOptions = {}): AuthedFetch {
  const { client, targets, redirectPolicy, fetch } = resolveAuthedFetch('createAuthedFetch', options);
  const { now, emit } = client;
  const source = createTokenSource(client);
  const auth = createCallAuth(source, now, emit);
  const tokens = tokenClientOf(source, client);
  const places = createTargetFinder(targets);

  /** One for the client's own calls, and one for each whose behalf is called on: they share tokens and targets. */
  function createFor(subjectToken: SubjectToken | undefined): AuthedFetch {
    const subjectOf = createSubjectFinder(source, client.check, subjectToken);
    const known = { places, subjectOf, source, now };

    async function authedFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
      let hop = firstHop('authedFetch', input, init);
      let target = places.ofPlainText(hop.href);
      if (target === undefined) {
        const judged = judgeUrl(places, 'authedFetch', hop.href);
        target = judged.target;
        hop = { ...hop, href: judged.href };
      }
      const asked = subjectOf(target);
      const subject = asked instanceof Promise ? await unlessAborted(asked, hop.signal) : asked;
      const mode = init?.redirect ?? (input instanceof Request ? input.redirect : 'follow');
      let budget: RetryBudget | undefined;
      let trusted = true;
      for (let redirects = 0; ; redirects++) {
        // All in one function, since each further async one in between costs a measurable share of a call.
        const call = trusted ? callOf(hop, subject) : undefined;
        const ready = call && auth.credentials(call);
        let credentials = ready instanceof Promise ? await ready : ready;
        let response = await sendHop(fetch, hop, credentials);
        while (call !== undefined && credentials !== undefined && auth.concerns(credentials, response)) {
          budget ??= createRetryBudget();
          credentials = await nextCredentials(auth, call, credentials, response, budget);
          if (credentials === undefined) break;
          discard(response);
          response = await sendHop(fetch, hop, credentials);
        }
        const location: URL | undefined =
          mode === 'manual' ? undefined : redirectLocation(response, hop.href);
        if (location === undefined) return response;
        if (mode === 'error') refuseRedirect(hop.href, 'redirects, and the call does not allow that');
        if (redirects === MOST_REDIRECTS) refuseRedirect(hop.href, 'redirects too often');
        trusted &&=
          places.ofUrl(location) === target &&
          (target.origin !== '*' || location.origin === new URL(hop.href).origin);
        const next = nextHop(hop, response.status, location);
        if (!trusted) checkLeaving(hop.href, location, redirectPolicy);
        hop = trusted ? next : withoutCredentials(next);
      }
    }

    return Object.freeze(
      Object.assign(authedFetch, {
        tokens,
        explain: (url: string | URL) => explain(known, url),
        onBehalfOf: (callerOrToken: SubjectToken) => createFor(checkSubjectToken(callerOrToken)),
        close: () => source.close(),
      }),
    );
  }

  return createFor(undefined);
}

function callOf({ method, href, signal, replayable }: Hop, subject: TokenSubject): Call {
  return { subject, method, href, signal, replayable };
}

/** A response that nobody gets to see has to be let go. */
async function nextCredentials(
  auth: CallAuth,
  call: Call,
  sent: Credentials,
  response: Response,
  budget: RetryBudget,
): Promise<Credentials | undefined> {
  try {
    return await auth.again(call, sent, response, budget);
  } catch (error) {
    discard(response);
    throw error;
  }
}

/** Whether a call may leave its target at all; never from https to http. */
function checkLeaving(from: string, to: URL, policy: RedirectPolicy): void {
  const { protocol, username, password } = to;
  if (policy === 'refuse') {
    refuseRedirect(from, `redirects away from its target, to ${withoutQuery(to.href)}`);
  }
  if (protocol !== 'https:' && (protocol !== 'http:' || !from.startsWith('http:'))) {
    refuseRedirect(from, 'redirects to something else than https');
  }
  if (username !== '' || password !== '') refuseRedirect(from, 'redirects to a URL with a user in it');
}

function refuseRedirect(from: string, reason: string): never {
  throw new ServiceAuthError('redirect_refused', `${withoutQuery(from)} ${reason}`);
}

let shared: AuthedFetch | undefined;

function fromEnvironment(): AuthedFetch {
  shared ??= createAuthedFetch();
  return shared;
}

/**
 * An authed fetch made from the environment at first use, and anew after `close()`.
 *
 * Reads `SERVICE_AUTH_ISSUER`, `SERVICE_AUTH_CLIENT_ID`, `SERVICE_AUTH_CLIENT_SECRET` or its `_FILE`,
 * `SERVICE_AUTH_SCOPE`, `SERVICE_AUTH_RESOURCE` and `SERVICE_AUTH_TARGETS`; a missing one that is needed makes the
 * call reject with a `TypeError` that names it. Not checked: the answers of the services. RFC 6749 section 4.4.
 *
 * @example
 * ```ts
 * import { authedFetch } from 'service-auth';
 *
 * export const response = await authedFetch('https://orders.internal/orders');
 * ```
 */
export const authedFetch: AuthedFetch = /* @__PURE__ */ createFromEnvironment();

/** Marked as pure above, or bundles of programs that only verify would hold all of this. */
function createFromEnvironment(): AuthedFetch {
  return Object.freeze(
    Object.assign(
      async (input: string | URL | Request, init?: RequestInit) => fromEnvironment()(input, init),
      {
        tokens: Object.freeze({
          getToken: async (options?: GetTokenOptions) => fromEnvironment().tokens.getToken(options),
          exchange: async (options: ExchangeOptions) => fromEnvironment().tokens.exchange(options),
          dpopProof: async (options: DpopProofOptions) => fromEnvironment().tokens.dpopProof(options),
          invalidate: (what?: InvalidateOptions) => fromEnvironment().tokens.invalidate(what),
          close,
        }),
        explain: (url: string | URL) => fromEnvironment().explain(url),
        onBehalfOf: (callerOrToken: SubjectToken) => fromEnvironment().onBehalfOf(callerOrToken),
        close,
      },
    ),
  );
}

function close(): void {
  shared?.close();
  shared = undefined;
}
