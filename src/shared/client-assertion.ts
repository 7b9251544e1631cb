/** Assertions about a client as its authentication (RFC 7521 section 4.2), and those that it signs itself. */
import { encodeBase64url, encodeJson } from './base64url.ts';
import type { ClientAuthRequest } from './client-auth.ts';
import type { JwsAlgorithm, Sign } from './crypto.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';
import type { OptionChecker } from './options.ts';

/** What is in an assertion that the client signs itself. */
export interface ClientAssertionOptions {
  /**
   * Who is to accept the assertion: `'issuer'` (the endpoint where no issuer is known), `'endpoint'`, or a value
   * that the authorization server has told. @default 'issuer'
   */
  readonly audience?: 'issuer' | 'endpoint' | (string & {}) | undefined;
  /** How long an assertion may be used, in seconds; each is sent once only. @default 60 */
  readonly lifetimeSeconds?: number | undefined;
  /** The clock, in epoch milliseconds. @default the server's time as far as it is known */
  readonly now?: (() => number) | undefined;
}

/** The names of `ClientAssertionOptions`. */
export const assertionOptions = ['audience', 'lifetimeSeconds', 'now'] as const;

/** What an assertion is signed with. */
export interface AssertionKey {
  readonly alg: JwsAlgorithm;
  readonly kid: string | undefined;
  readonly sign: Sign;
}

/** Signs an assertion for one request and adds it. */
export type AddAssertion = (request: ClientAuthRequest, key: AssertionKey) => MaybePromise<void>;

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * Makes the function that signs assertions of a client about itself (RFC 7523 section 3), each with a `jti` of its own.
 *
 * @throws TypeError if an option is wrong.
 */
export function clientAssertion(check: OptionChecker, given: ClientAssertionOptions): AddAssertion {
  const audience = check.string('audience', given.audience ?? 'issuer');
  const lifetime = check.number('lifetimeSeconds', given.lifetimeSeconds ?? 60, 1, 3600, 'seconds');
  const ownClock = check.function('now', given.now);
  return (request, { alg, kid, sign }) => {
    const { clientId, issuer, endpoint } = request;
    const aud = audience === 'endpoint' ? endpoint : audience === 'issuer' ? (issuer ?? endpoint) : audience;
    const iat = Math.floor((ownClock ?? request.now)() / 1000);
    const header = { alg, typ: 'JWT', ...(kid !== undefined && { kid }) };
    const jti = crypto.randomUUID();
    const claims = { iss: clientId, sub: clientId, aud, jti, iat, exp: iat + Math.ceil(lifetime) };
    const input = `${encodeJson(header)}.${encodeJson(claims)}`;
    return andThen(sign(input), (signature) => {
      addAssertion(request, `${input}.${encodeBase64url(signature)}`);
    });
  };
}

/** Puts an assertion and whom it is about into the body (RFC 7523 section 2.2). */
export function addAssertion({ clientId, form }: ClientAuthRequest, assertion: string): void {
  form.set('client_id', clientId);
  form.set('client_assertion_type', ASSERTION_TYPE);
  form.set('client_assertion', assertion);
}
