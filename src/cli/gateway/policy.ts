/** A policy file made ready to judge by. */
import {
  createVerifier,
  type DpopOptions,
  type EventListener,
  forwardedClientCertificate,
  type Guard,
  isOptionError,
  optionError,
  type ReplayStore,
  type Verifier,
  type VerifierOptions,
} from '../../index.ts';
import { OptionChecker } from '../../shared/options.ts';
import { type PolicyRoute, readPolicyFile } from './policy-file.ts';
import { createRoutes, type FindRoute, type RoutePlace } from './routes.ts';

/** A route with the function that judges its requests; none for an open one. */
export interface GuardedRoute extends RoutePlace {
  readonly guard: Guard | undefined;
}

export interface GatewayPolicy {
  readonly verifier: Verifier;
  readonly isTrusted: (address: string | undefined) => boolean;
  readonly find: FindRoute<GuardedRoute>;
  readonly routes: number;
  /** What the verifier was made of, to tell whether a new file asks for another one. */
  readonly verifierKey: string;
}

/** What stays the same whatever the file says. */
export interface PolicySurroundings {
  /** Given where the file names none. */
  readonly issuer: string | undefined;
  /** Outlives every policy: a proof stays used when the file is read again. */
  readonly replayStore: ReplayStore;
  readonly onEvent: EventListener;
}

/**
 * Makes a policy of the text of its file. What the verifier of the policy before knows (keys, tokens) stays known as
 * long as its options stay the same.
 *
 * @throws TypeError that names the member, the rule and the value.
 */
export function createPolicy(
  text: string,
  surroundings: PolicySurroundings,
  before: GatewayPolicy | undefined,
): GatewayPolicy {
  const file = readPolicyFile(text);
  const { certificate, isTrusted, routes } = file;
  const options = withIssuer(file.verifier, surroundings.issuer);
  const verifierKey = JSON.stringify([options, certificate]);
  const verifier =
    before?.verifierKey === verifierKey
      ? before.verifier
      : createVerifier({
          ...options,
          dpop: withStore(options.dpop, surroundings.replayStore),
          clientCertificate: certificate && forwardedClientCertificate(certificate),
          onEvent: surroundings.onEvent,
        });
  const guarded = routes.map((route, at) => guardRoute(verifier, route, at));
  const find = createRoutes(new OptionChecker('policy file'), guarded);
  return { verifier, isTrusted, find, routes: routes.length, verifierKey };
}

/** In place of the issuer of the file it could drop what that says about it. */
function withIssuer(options: VerifierOptions, issuer: string | undefined): VerifierOptions {
  if (issuer === undefined) return options;
  if (options.issuer === undefined) return { ...options, issuer };
  throw optionError(
    'options_conflict',
    'policy file: verifier.issuer must be left out where --issuer is given',
  );
}

function withStore(dpop: VerifierOptions['dpop'], replayStore: ReplayStore): DpopOptions | false {
  if (dpop === false) return false;
  return { ...(typeof dpop === 'string' ? { mode: dpop } : dpop), replayStore };
}

/** What is wrong with a policy is said by the library, which does not know of which route it is. */
function guardRoute(verifier: Verifier, { policy, ...place }: PolicyRoute, at: number): GuardedRoute {
  if (policy === undefined) return { ...place, guard: undefined };
  try {
    return { ...place, guard: verifier.guard(policy) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const { message } = error;
    const code = isOptionError(error) && { code: error.code };
    throw Object.assign(new TypeError(`policy file: routes[${at}]: ${message}`), code);
  }
}
