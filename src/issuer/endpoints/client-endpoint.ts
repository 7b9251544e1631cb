import { authenticateClient } from '../clients/client-authentication.ts';
import type { AuthenticatedClient, ClientRequest } from '../clients/client-request.ts';
import type { IssuerContext } from '../context.ts';
import { oauthError } from '../http/http-answers.ts';
import type { Incoming } from '../http/incoming.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import { readForm } from '../http/request-body.ts';
import type { Handler } from '../http/router.ts';
import { limitHeaders } from '../limits/limit-headers.ts';
import type { LimitState } from '../limits/limiter.ts';

export type ClientAction = (
  client: AuthenticatedClient,
  request: ClientRequest,
) => Promise<Response | OAuthFault>;

/**
 * Makes the handler of an endpoint that registered clients post forms to: token, introspection, revocation.
 * The action runs for authenticated clients only, as often as the limits allow.
 */
export function createClientEndpoint(context: IssuerContext, endpoint: string, act: ClientAction): Handler {
  const { settings, limits, emit } = context;
  const endpointUrl = `${settings.baseUrl}/${endpoint}`;

  function refuse(fault: OAuthFault, client?: AuthenticatedClient): Response {
    const { error, description } = fault;
    const clientId = client?.service.clientId;
    emit?.({ type: 'issuer.request_refused', endpoint, error, description, clientId });
    return oauthError(fault);
  }

  async function answer(incoming: Incoming, counted: LimitState[]): Promise<Response> {
    const byAddress = await limits.countAddress(endpoint, incoming);
    if (byAddress !== undefined) counted.push(byAddress);
    if (byAddress?.allowed === false) return oauthError(tooOften(byAddress));
    const { request, connection } = incoming;
    const form = await readForm(request);
    if (form instanceof OAuthFault) return refuse(form);
    const clientRequest: ClientRequest = { request, connection, form, endpointUrl };
    const client = await authenticateClient(context, clientRequest);
    if (client instanceof OAuthFault) return refuse(client);
    const byClient = await limits.countClient(endpoint, client.service.clientId);
    if (byClient !== undefined) counted.unshift(byClient);
    if (byClient?.allowed === false) return oauthError(tooOften(byClient));
    const result = await act(client, clientRequest);
    return result instanceof OAuthFault ? refuse(result, client) : result;
  }

  return async (incoming) => {
    const counted: LimitState[] = [];
    const response = await answer(incoming, counted);
    for (const [name, value] of Object.entries(limitHeaders(counted))) response.headers.set(name, value);
    return response;
  };
}

/** RFC 6585 section 4, with the only code of OAuth that asks for patience. */
function tooOften({ name, resetSeconds }: LimitState): OAuthFault {
  return new OAuthFault('temporarily_unavailable', `this ${name} asks too often`, 429, {
    'retry-after': `${resetSeconds}`,
  });
}
