import type { Emit } from '../events.ts';
import type { ClientKeys } from './clients/client-keys.ts';
import type { Secrets } from './clients/secrets.ts';
import type { Housekeeping } from './housekeeping.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import type { SigningKeys } from './keys/signing-keys.ts';
import type { Limits } from './limits/limits.ts';
import type { ResourceRegistry } from './resource-registry.ts';
import type { AccessTokens } from './tokens/access-tokens.ts';

/** What the rooms of the issuer share; made once by `createIssuer`. */
export interface IssuerContext {
  readonly settings: IssuerSettings;
  readonly secrets: Secrets;
  readonly clientKeys: ClientKeys;
  readonly keys: SigningKeys;
  readonly tokens: AccessTokens;
  readonly resources: ResourceRegistry;
  readonly housekeeping: Housekeeping;
  readonly limits: Limits;
  readonly emit: Emit | undefined;
}
