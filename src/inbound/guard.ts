import { OptionChecker } from '../shared/options.ts';
import { type Policy, policyOptions } from './policy.ts';
import { createVerifier, type Guard, type Verifier } from './verifier.ts';
import { type VerifierOptions, verifierOptions } from './verifier-options.ts';

/**
 * What `requireServiceAuth` of every framework takes: a verifier and a policy, or the options of a verifier
 * together with a policy. With neither issuer nor verifier options, one shared verifier serves, made from the
 * environment.
 */
export type GuardOptions =
  | (VerifierOptions & Omit<Policy, 'audience'> & { readonly verifier?: never })
  | (Policy & { readonly verifier: Verifier });

let shared: Verifier | undefined;

/**
 * Makes the function that judges the requests of one route; what every adapter is built on.
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
export function createGuard(options: GuardOptions = {}): Guard {
  const known = [...verifierOptions, ...policyOptions, 'verifier'];
  const { verifier, ...rest } = new OptionChecker('requireServiceAuth').object('options', options, known);
  if (verifier !== undefined) return verifier.guard(rest as Policy);
  const policy: Record<string, unknown> = {};
  const forVerifier: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(rest)) {
    const isPolicy = name !== 'audience' && (policyOptions as readonly string[]).includes(name);
    (isPolicy ? policy : forVerifier)[name] = value;
  }
  if (Object.keys(forVerifier).length > 0) return createVerifier(forVerifier).guard(policy);
  shared ??= createVerifier();
  return shared.guard(policy);
}
