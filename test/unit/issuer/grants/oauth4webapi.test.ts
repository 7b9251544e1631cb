/** The grants, asked for by another implementation of the client's side. */
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import { describe, expect, it } from 'vitest';
import { BILLING, type Credentials, createHarness, type Harness, ISSUER, ORDERS } from '../harness.ts';
import { ACCESS_TOKEN, addService, EXCHANGE } from './support.ts';

type Grant = [grant: string, parameters: Record<string, string>];

/** Asks as a library does: the nonce of the first answer goes into the second request. */
async function askUntilGiven(
  { issuer }: Harness,
  { clientId, clientSecret }: Credentials,
  [grant, parameters]: Grant,
): Promise<{ readonly token: oauth.TokenEndpointResponse; readonly requests: number }> {
  const server = { issuer: ISSUER, token_endpoint: `${ISSUER}/token` };
  const client: oauth.Client = { client_id: clientId };
  // The library goes by the clock of the machine; so does the issuer of these tests.
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
  for (let requests = 1; ; requests++) {
    const response = await oauth.genericTokenEndpointRequest(
      server,
      client,
      oauth.ClientSecretBasic(clientSecret),
      grant,
      parameters,
      {
        DPoP,
        [oauth.customFetch]: (url, { method, headers, body }) =>
          issuer.fetch(new Request(url, { method, headers, body })),
      },
    );
    try {
      const token = await oauth.processGenericTokenEndpointResponse(server, client, response);
      return { token, requests };
    } catch (error) {
      if (!oauth.isDPoPNonceError(error) || requests > 1) throw error;
    }
  }
}

describe.each([
  ['without nonces', false, 1],
  ['with nonces', true, 2],
])('oauth4webapi, %s', (_, dpopNonce, expected) => {
  it('gets a bound token and exchanges it for another one', async () => {
    const harness = createHarness({ dpopNonce, now: Date.now });
    const web = await harness.register({ clientId: 'web' });
    const shop = await addService(harness, { clientId: 'shop', resources: [BILLING], serves: [ORDERS] });
    const first = await askUntilGiven(harness, web, ['client_credentials', { resource: ORDERS }]);
    expect(first).toMatchObject({ requests: expected, token: { token_type: 'dpop', scope: 'read write' } });
    const second = await askUntilGiven(harness, shop, [
      EXCHANGE,
      { subject_token: first.token.access_token, subject_token_type: ACCESS_TOKEN, scope: 'read' },
    ]);
    expect(second).toMatchObject({
      requests: expected,
      token: { token_type: 'dpop', scope: 'read', issued_token_type: ACCESS_TOKEN },
    });
    expect(decodeJwt(second.token.access_token)).toMatchObject({
      sub: 'web',
      client_id: 'shop',
      aud: BILLING,
      act: { sub: 'shop' },
      cnf: { jkt: expect.any(String) },
    });
  });
});
