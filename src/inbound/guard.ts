import { OptionChecker } from '../shared/options.ts';
import { type Policy, policyOptions } from './policy.ts';
import { type CallerOf, createVerifier, type Guard, type NoPolicy, type Verifier } from './verifier.ts';
import { type VerifierOptions, verifierOptions } from './verifier-options.ts';

/**
 * What `requireServiceAuth` of every framework takes: a verifier and a policy, or the options of a verifier
 * together with a policy. With neither issuer nor verifier options, one shared verifier serves, made from the
 * environment.
 */
export type GuardOptions =
  | (VerifierOptions & Omit<Policy, 'audience'> & { readonly verifier?: never })
  | (Policy & { readonly verifier: Verifier });

/** A verifier, or the options of one; with nothing of either, the shared one of the environment is meant. */
export type VerifierSource =
  | (VerifierOptions & { readonly verifier?: never })
  | { readonly verifier: Verifier };

const guardOptions = [...new Set([...verifierOptions, ...policyOptions, 'verifier'])];
const ofPolicy: ReadonlySet<string> = new Set(policyOptions);

let shared: Verifier | undefined;

/**
 * Makes the function that judges the requests of one route; what every adapter is built on.
 *
 * Not checked: what the verifier and its policy do not ask for. The answer to a rejected request is the caller's to
 * send. RFC 6750.
 *
 * @throws TypeError at creation, for every mistake in the options or a missing environment variable.
 *
 * @example
 * ```ts
 * import { createGuard } from 'service-auth';
 *
 * const guard = createGuard({
 *   issuer: 'https://idp.example',
 *   audience: 'https://orders.example',
 *   scope: 'orders:read',
 * });
 *
 * export async function isAllowed(request: Request): Promise<boolean> {
 *   return (await guard(request)).ok;
 * }
 * ```
 */
export function createGuard<const O extends GuardOptions = NoPolicy>(options?: O): Guard<CallerOf<O>> {
  const check = new OptionChecker('serviceAuth');
  const given: Record<string, unknown> = check.object('options', options ?? {}, guardOptions);
  const policy: Record<string, unknown> = {};
  const source: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    // `audience` is the verifier's, and a policy's narrower one where a verifier is given.
    const isPolicy = ofPolicy.has(name) && (name !== 'audience' || given.verifier !== undefined);
    (isPolicy ? policy : source)[name] = value;
  }
  // The type says what `optional` decides at run time.
  return verifierOf(check, source).guard(policy) as Guard<CallerOf<O>>;
}

/**
 * The verifier that options stand for: for adapters whose policies come later, with the routes.
 *
 * @param others names of options that the adapter reads itself
 * @throws TypeError for every mistake in the options or a missing environment variable.
 */
export function resolveVerifier(source: VerifierSource, others: readonly string[] = []): Verifier {
  const check = new OptionChecker('serviceAuth');
  for (const name of Object.keys(source ?? {})) {
    if (name !== 'audience' && ofPolicy.has(name)) {
      check.refuse(`${name} must stand in the policy of a route, not beside the verifier`, {
        code: 'option_misplaced',
      });
    }
  }
  return verifierOf(check, check.object('options', source, [...verifierOptions, 'verifier', ...others]));
}

function verifierOf(check: OptionChecker, { verifier, ...options }: VerifierSource): Verifier {
  const names = Object.keys(options);
  if (verifier === undefined) {
    if (names.length > 0) return createVerifier(options);
    shared ??= createVerifier();
    return shared;
  }
  if (typeof verifier?.guard !== 'function') check.fail('verifier', 'made by createVerifier', verifier);
  if (names.length > 0)
    check.fail('verifier', `given without ${names.join(' and ')}`, verifier, { code: 'options_conflict' });
  return verifier;
}
