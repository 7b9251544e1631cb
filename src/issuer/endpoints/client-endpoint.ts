import { authenticateClient } from '../clients/client-authentication.ts';
import type { AuthenticatedClient, ClientRequest } from '../clients/client-request.ts';
import type { IssuerContext } from '../context.ts';
import { oauthError } from '../http/http-answers.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import { readForm } from '../http/request-body.ts';
import type { Handler } from '../http/router.ts';

export type ClientAction = (
  client: AuthenticatedClient,
  request: ClientRequest,
) => Promise<Response | OAuthFault>;

/**
 * Makes the handler of an endpoint that registered clients post forms to: token, introspection, revocation.
 * The action runs for authenticated clients only.
 */
export function createClientEndpoint(context: IssuerContext, endpoint: string, act: ClientAction): Handler {
  const endpointUrl = `${context.settings.baseUrl}/${endpoint}`;

  function refuse(fault: OAuthFault, client?: AuthenticatedClient): Response {
    const { error, description } = fault;
    const clientId = client?.service.clientId;
    context.emit?.({ type: 'issuer.request_refused', endpoint, error, description, clientId });
    return oauthError(fault);
  }

  return async ({ request, connection }) => {
    const form = await readForm(request);
    if (form instanceof OAuthFault) return refuse(form);
    const clientRequest: ClientRequest = { request, connection, form, endpointUrl };
    const client = await authenticateClient(context, clientRequest);
    if (client instanceof OAuthFault) return refuse(client);
    const result = await act(client, clientRequest);
    return result instanceof OAuthFault ? refuse(result, client) : result;
  };
}
