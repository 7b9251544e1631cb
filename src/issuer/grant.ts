import type { IssuedToken } from './access-tokens.ts';
import type { IssuerContext } from './context.ts';
import type { OAuthFault } from './oauth-fault.ts';
import type { Form } from './request-body.ts';
import type { StoredService } from './storage/storage.ts';

/** Decides on one token request of an authenticated client. */
export type Grant = (
  context: IssuerContext,
  client: StoredService,
  form: Form,
) => Promise<IssuedToken | OAuthFault>;
