import { type ClientAuth, createTokenClient, isServiceAuthError } from '../../../../src/index.ts';
import type { IssuerConnection, IssuerOptions } from '../../../../src/issuer/index.ts';
import { type Answer, createHarness, form, type Harness, type Parameters, readAnswer } from '../harness.ts';
import { SECRET_KEY } from '../service-records.ts';

export const GRANT = { grant_type: 'client_credentials' };
export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export function createKeyedHarness(options: Partial<IssuerOptions> = {}): Harness {
  return createHarness({ secretKey: SECRET_KEY, ...options });
}

/** What comes of asking for a token with the outbound half of this project: the scheme of the token, or the refusal. */
export async function connect(
  { issuer, nowSeconds }: Harness,
  clientId: string,
  clientAuth: ClientAuth,
  connection: IssuerConnection = {},
): Promise<string> {
  const tokens = createTokenClient({
    issuer: issuer.issuer,
    clientId,
    clientAuth,
    now: () => nowSeconds() * 1000,
    fetch: (url, init) => issuer.fetch(new Request(url, init), connection),
  });
  try {
    return (await tokens.getToken()).tokenType;
  } catch (error) {
    if (!isServiceAuthError(error)) throw error;
    return `${error.status} ${error.oauthError}`;
  } finally {
    tokens.close();
  }
}

/** Posts a form to the token endpoint, over a connection of which something is known. */
export async function postForm(
  { issuer }: Harness,
  parameters: Parameters,
  headers: Record<string, string> = {},
  connection: IssuerConnection = {},
): Promise<Answer> {
  const init = { method: 'POST', headers, body: form(parameters) };
  return readAnswer(await issuer.fetch(new Request(`${issuer.issuer}/token`, init), connection));
}

export function postAssertion(harness: Harness, assertion: string, more: Parameters = {}): Promise<Answer> {
  const parameters = { client_assertion_type: JWT_BEARER, client_assertion: assertion };
  return postForm(harness, { ...GRANT, ...parameters, ...more });
}

/** The reasons for which clients were refused, as the events tell them. */
export function refusals({ events }: Harness): readonly string[] {
  return events.flatMap((event) => (event.type === 'issuer.client_refused' ? [event.reason] : []));
}
