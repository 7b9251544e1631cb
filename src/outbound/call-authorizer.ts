/** What `authedFetch` knows, for clients that send by other means than `fetch`. */
import { unlessAborted } from '../shared/abort.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import { OptionChecker } from '../shared/options.ts';
import type { AnswerHeaders } from '../shared/transport.ts';
import { type AuthedFetchOptions, resolveAuthedFetch } from './authed-fetch-options.ts';
import { type Call, type CallAuth, type Credentials, createCallAuth } from './call-auth.ts';
import { checkSubjectToken, type SubjectToken } from './exchange.ts';
import { type Explanation, explain } from './explain.ts';
import { judgeUrl } from './judge-url.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';
import { createSubjectFinder } from './subject-finder.ts';
import { createTargetFinder } from './targets.ts';
import { type TokenClient, tokenClientOf } from './token-client.ts';
import { tokenClientOptions } from './token-client-options.ts';
import { createTokenSource } from './token-source.ts';

/** Those of an authed fetch, save for what is the sender's task. */
export type CallAuthorizerOptions = Omit<AuthedFetchOptions, 'redirectPolicy'>;

/** A request that is about to be sent; where it is redirected, each hop is one of its own. */
export interface OutgoingRequest {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  /** Whether its body can be sent a second time. */
  readonly replayable: boolean;
  /** Ends the waiting for a token. */
  readonly signal?: AbortSignal | undefined;
}

/** What was answered to it. */
export interface OutgoingAnswer {
  readonly status: number;
  /** Asked for names in lower case. */
  readonly headers: AnswerHeaders;
}

/** What one attempt to send a request goes with; it holds the token, and is not for logs. */
export interface AuthorizedCall {
  /** As it was judged: the request must go there and nowhere else. */
  readonly url: string;
  /** The value of the header `Authorization`. */
  readonly authorization: string;
  /** The value of the header `DPoP`, where the token is bound to a key; good for this attempt alone. */
  readonly dpop: string | undefined;
  /** Whether {@link AuthorizedCall.again} has to see an answer of this status: most need not be looked at. */
  concerns(status: number): boolean;
  /**
   * Learns from the answer. Gives what to send the request with once more; `undefined`: the answer is final.
   *
   * Waits for a new token where it needs one, and rejects only with the reason of the request's signal.
   */
  again(answer: OutgoingAnswer): MaybePromise<AuthorizedCall | undefined>;
}

/** Says what calls are sent with. Made by {@link createCallAuthorizer}. */
export interface CallAuthorizer {
  /**
   * What to send a request with: at once where the token is in memory, else a promise.
   *
   * Throws, or rejects with, `ServiceAuthError` `untrusted_target` where no target covers the URL, `subject_missing`,
   * and those of `getToken`; then nothing may be sent.
   */
  authorize(request: OutgoingRequest): MaybePromise<AuthorizedCall>;
  /** The tokens that calls are sent with. */
  readonly tokens: TokenClient;
  /** As that of `authedFetch`: for calls on behalf of somebody (RFC 8693). Closing it closes this one, too. */
  onBehalfOf(callerOrToken: SubjectToken): CallAuthorizer;
  /** Says what a call of this URL would meet. Nothing is sent, no secret shown. */
  explain(url: string | URL): Explanation;
  /** Forgets all tokens; every later call is refused. */
  close(): void;
}

/**
 * Makes what an adapter for an HTTP client needs: targets that fail closed, tokens, proofs, and one more attempt where
 * that helps.
 *
 * Sending is the caller's task, and so is to leave out credentials of its own, to follow redirects only by asking
 * anew, and to let go of answers that are not final. RFC 6749 section 4.4, RFC 6750, RFC 8707, RFC 9449.
 *
 * @param where Named in messages about options. @default 'createCallAuthorizer'
 * @throws TypeError that names the option, the rule and the value, or the missing environment variable.
 *
 * @example
 * ```ts
 * import { createCallAuthorizer } from 'service-auth';
 *
 * const authorizer = createCallAuthorizer({ targets: ['https://orders.internal'] });
 *
 * export async function authorization(url: string): Promise<string> {
 *   const call = await authorizer.authorize({ method: 'GET', url, replayable: true });
 *   return call.authorization;
 * }
 * ```
 */
export function createCallAuthorizer(
  options: CallAuthorizerOptions = {},
  where = 'createCallAuthorizer',
): CallAuthorizer {
  const given = new OptionChecker(where).object('options', options, [...tokenClientOptions, 'targets']);
  const { client, targets } = resolveAuthedFetch(where, given);
  const { check, now, emit } = client;
  const source = createTokenSource(client);
  const auth = createCallAuth(source, now, emit);
  const tokens = tokenClientOf(source, client);
  const places = createTargetFinder(targets);

  /** One for the client's own calls, and one for each whose behalf is called on: they share tokens and targets. */
  function createFor(subjectToken: SubjectToken | undefined): CallAuthorizer {
    const subjectOf = createSubjectFinder(source, check, subjectToken);
    const known = { places, subjectOf, source, now };

    function authorize({ method, url, replayable, signal }: OutgoingRequest): MaybePromise<AuthorizedCall> {
      const plain = places.ofPlainText(url);
      const { target, href } =
        plain === undefined ? judgeUrl(places, where, url) : { target: plain, href: url };
      const asked = subjectOf(target);
      const subject = asked instanceof Promise ? unlessAborted(asked, signal) : asked;
      return andThen(subject, (subject) => {
        const call = { subject, method, href, signal, replayable };
        return andThen(auth.credentials(call), (credentials) => authorized(auth, call, credentials));
      });
    }

    return Object.freeze({
      authorize,
      tokens,
      onBehalfOf: (callerOrToken: SubjectToken) => createFor(checkSubjectToken(callerOrToken)),
      explain: (url: string | URL) => explain(known, url),
      close: () => source.close(),
    });
  }

  return createFor(undefined);
}

function authorized(
  auth: CallAuth,
  call: Call,
  credentials: Credentials,
  budget?: RetryBudget,
): AuthorizedCall {
  const { authorization, dpop } = credentials;
  return {
    url: call.href,
    authorization,
    dpop,
    concerns: (status) => auth.concerns(credentials, { status }),
    again(answer) {
      const left = budget ?? createRetryBudget();
      return andThen(
        auth.again(call, credentials, answer, left),
        (next) => next && authorized(auth, call, next, left),
      );
    },
  };
}
