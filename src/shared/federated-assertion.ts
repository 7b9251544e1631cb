/** Client authentication by a JWT that somebody else signed about this workload (RFC 7523 section 2.2). */
import { ServiceAuthError } from '../errors.ts';
import { addAssertion } from './client-assertion.ts';
import { type ClientAuth, credentialUsed } from './client-auth.ts';
import { Fault } from './fault.ts';
import { own, parseJsonObject } from './json.ts';
import { parseJws } from './jws.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';
import { OptionChecker } from './options.ts';
import { askSource } from './secret.ts';
import { readLocalFile } from './secret-file.ts';

/** Where assertions come from: a function that is asked for each request, or a file that somebody keeps fresh. */
export type FederatedAssertionSource = (() => MaybePromise<string>) | { readonly file: string };

export interface FederatedAssertionOptions {
  /** An assertion that expires within this many seconds is not used any more. @default 10 */
  readonly marginSeconds?: number | undefined;
}

interface Assertion {
  readonly text: string;
  /** In epoch milliseconds. */
  readonly expiresAt: number;
  /** What it says besides its number and times: the same for each that a function makes of one identity. */
  readonly identity: string;
}

interface ReadAssertion {
  readonly text: string;
  readonly credential: string;
}

/** Gives an assertion that has not expired at that time, in epoch milliseconds. */
type AssertionReader = (at: number) => MaybePromise<ReadAssertion>;

/**
 * Authenticates the client by an assertion of another issuer, such as a cloud platform or a Kubernetes cluster:
 * workload identity federation, RFC 7523 section 2.2.
 *
 * A file is read at each use, so that it may be replaced at any time. While it is being written, or cannot be read,
 * the last assertion that was in it is used as long as it has not expired. What is no JWT, has no `exp` or has
 * expired is never sent. Not checked: signature (whoever writes a file in place may have it read with half of one:
 * rename it into place), issuer and audience, which are the server's to judge.
 *
 * @throws TypeError if the source or an option is wrong. When used: `client_auth_failed` if there is no assertion
 * that may be sent.
 *
 * @example
 * ```ts
 * import { createTokenClient, federatedAssertion } from 'service-auth';
 *
 * export const tokens = createTokenClient({
 *   issuer: 'https://idp.example',
 *   clientId: 'billing',
 *   clientAuth: federatedAssertion({ file: '/var/run/secrets/workload/token' }),
 * });
 * ```
 */
export function federatedAssertion(
  source: FederatedAssertionSource,
  options: FederatedAssertionOptions = {},
): ClientAuth {
  const check = new OptionChecker('federatedAssertion');
  const { marginSeconds = 10 } = check.object('options', options, ['marginSeconds']);
  const marginMs = check.number('marginSeconds', marginSeconds, 0, 300, 'seconds') * 1000;
  const read = assertionReader(check, source);
  return (request) =>
    andThen(read(request.now() + marginMs), ({ text, credential }) => {
      addAssertion(request, text);
      return credentialUsed(credential);
    });
}

/**
 * The token that Kubernetes projects into a pod and replaces before it expires, for `federatedAssertion`. The pod
 * mounts it as a `serviceAccountToken` volume whose `audience` is what the authorization server expects.
 *
 * @throws TypeError if the path is no text.
 *
 * @example
 * ```ts
 * import { createTokenClient, federatedAssertion, kubernetesServiceAccountToken } from 'service-auth';
 *
 * export const tokens = createTokenClient({
 *   issuer: 'https://idp.example',
 *   clientId: 'billing',
 *   clientAuth: federatedAssertion(kubernetesServiceAccountToken()),
 * });
 * ```
 */
export function kubernetesServiceAccountToken(path = '/var/run/secrets/tokens/service-auth'): {
  readonly file: string;
} {
  return Object.freeze({ file: new OptionChecker('kubernetesServiceAccountToken').path('path', path) });
}

function assertionReader(check: OptionChecker, source: FederatedAssertionSource): AssertionReader {
  if (typeof source === 'function') return (at) => readFunction(source, at);
  if (typeof source !== 'object' || source === null) {
    return check.failKind('source', 'a function that gives a JWT, or { file } with the path of one', source);
  }
  return fileReader(check.path('source.file', check.object('source', source, ['file']).file));
}

async function readFunction(source: () => unknown, at: number): Promise<ReadAssertion> {
  const given = await askSource('the client assertion', source);
  const assertion = typeof given === 'string' ? parseAssertion(given) : undefined;
  if (assertion === undefined || assertion.expiresAt <= at) throw unusable('', assertion);
  return { text: assertion.text, credential: assertion.identity };
}

function fileReader(path: string): AssertionReader {
  let last: Assertion | undefined;
  return (at) => {
    const { text, problem } = readLocalFile(path);
    const read = text === undefined ? undefined : parseAssertion(text);
    if (read !== undefined && read.expiresAt > at) last = read;
    if (last === undefined || last.expiresAt <= at) throw unusable(` from ${path}`, read, problem);
    return { text: last.text, credential: last.text };
  };
}

function unusable(from: string, read: Assertion | undefined, problem?: string): ServiceAuthError {
  const reason = problem ?? (read === undefined ? 'it is no JWT with exp' : 'it has expired');
  return new ServiceAuthError(
    'client_auth_failed',
    `the client assertion could not be read${from} (${reason})`,
  );
}

/** Reads what tells a whole assertion from one that is half written (RFC 7523 section 3: it must have an `exp`). */
function parseAssertion(given: string): Assertion | undefined {
  const text = given.trim();
  const jws = parseJws(text);
  const claims = jws instanceof Fault ? undefined : parseJsonObject(jws.payload);
  const exp = claims && own(claims, 'exp');
  if (jws instanceof Fault || claims === undefined) return undefined;
  if (typeof exp !== 'number' || !Number.isFinite(exp)) return undefined;
  const { jti, iat, nbf, exp: _, ...lasting } = claims;
  return { text, expiresAt: exp * 1000, identity: `${jws.headerSegment}.${JSON.stringify(lasting)}` };
}
