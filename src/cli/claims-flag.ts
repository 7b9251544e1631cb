/** The flag that says how an issuer writes its claims, as the option `claims` of a verifier does. */
import type { ClaimsPreset } from '../index.ts';
import { oneOf } from './command.ts';

const presets: readonly ClaimsPreset[] = ['auth0', 'entra', 'okta', 'cognito', 'keycloak'];

export const claimsFlagHelp = `  --claims <preset>         how its issuer writes claims: auth0, entra, okta, cognito or keycloak`;

/** The member of a trusted issuer; none where the flag is not given. */
export function claimsOption(text: string | undefined): { readonly claims?: ClaimsPreset } {
  const claims = oneOf('claims', text, presets);
  return claims === undefined ? {} : { claims };
}
