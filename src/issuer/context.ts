import type { Emit } from '../events.ts';
import type { AccessTokens } from './access-tokens.ts';
import type { IssuerSettings } from './issuer-options.ts';
import type { Secrets } from './secrets.ts';
import type { SigningKeys } from './signing-keys.ts';

/** What the rooms of the issuer share; made once by `createIssuer`. */
export interface IssuerContext {
  readonly settings: IssuerSettings;
  readonly secrets: Secrets;
  readonly keys: SigningKeys;
  readonly tokens: AccessTokens;
  readonly emit: Emit | undefined;
}
