import { authenticateClient } from './client-authentication.ts';
import type { IssuerContext } from './context.ts';
import { oauthError } from './http-answers.ts';
import { OAuthFault } from './oauth-fault.ts';
import { type Form, readForm } from './request-body.ts';
import type { Handler } from './router.ts';
import type { StoredService } from './storage/storage.ts';

export type ClientAction = (client: StoredService, form: Form) => Promise<Response | OAuthFault>;

/**
 * Makes the handler of an endpoint that registered clients post forms to: token, introspection, revocation.
 * The action runs for authenticated clients only.
 */
export function createClientEndpoint(context: IssuerContext, endpoint: string, act: ClientAction): Handler {
  function refuse(fault: OAuthFault, client?: StoredService): Response {
    const { error, description } = fault;
    context.emit?.({
      type: 'issuer.request_refused',
      endpoint,
      error,
      description,
      clientId: client?.clientId,
    });
    return oauthError(fault);
  }

  return async (request) => {
    const form = await readForm(request);
    if (form instanceof OAuthFault) return refuse(form);
    const client = await authenticateClient(context, request, form);
    if (client instanceof OAuthFault) return refuse(client);
    const result = await act(client, form);
    return result instanceof OAuthFault ? refuse(result, client) : result;
  };
}
