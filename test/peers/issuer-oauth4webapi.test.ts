/** The issuer, with the oauth4webapi package as its client, over real sockets. */
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLIENT_CREDENTIALS,
  type Connect,
  fetchOf,
  type PeerOptions,
  parameters,
  peerSuite,
} from '../helpers/issuer-peer-suite.ts';
import { type IssuerWorld, ORDERS, type Party, startIssuerWorld } from '../helpers/issuer-world.ts';

function authenticationOf(party: Party, { audience, jti }: PeerOptions): oauth.ClientAuth {
  const { way, clientSecret, key } = party;
  const modify = {
    [oauth.modifyAssertion](_header: object, payload: Record<string, oauth.JsonValue | undefined>) {
      if (audience !== undefined) payload.aud = audience;
      if (jti !== undefined) payload.jti = jti;
    },
  };
  switch (way) {
    case 'client_secret_basic':
      return oauth.ClientSecretBasic(clientSecret);
    case 'client_secret_post':
      return oauth.ClientSecretPost(clientSecret);
    case 'client_secret_jwt':
      return oauth.ClientSecretJwt(clientSecret, modify);
    case 'private_key_jwt by jwks':
    case 'private_key_jwt by jwks_uri':
      return oauth.PrivateKeyJwt({ key: key.privateKey, kid: 'service-1' }, modify);
    case 'tls_client_auth':
      return oauth.TlsClientAuth();
    case 'a federated assertion':
      return async (_server, { client_id }, body) => {
        body.set('client_id', client_id);
        body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
        body.set('client_assertion', await party.assertion(audience === undefined ? {} : { aud: audience }));
      };
  }
}

/** Proofs are made anew with the nonce of the refusal, which the library has kept. */
async function withNonce<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (oauth.isDPoPNonceError(error)) return attempt();
    throw error;
  }
}

const connect: Connect = async (world, party, options = {}) => {
  const send = {
    [oauth.customFetch]: fetchOf(party),
    [oauth.allowInsecureRequests]: world.tls === undefined,
  };
  const issuer = new URL(world.url);
  const metadata = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...send });
  const server = await oauth.processDiscoveryResponse(issuer, metadata);
  const client: oauth.Client = {
    client_id: party.clientId,
    ...(options.signed && { introspection_signed_response_alg: 'ES256' }),
    ...(party.way === 'tls_client_auth' && { use_mtls_endpoint_aliases: true }),
  };
  const auth = authenticationOf(party, options);
  const proofs =
    options.dpop && oauth.DPoP(client, await oauth.generateKeyPair(options.dpop, { extractable: true }));
  const request = proofs === undefined ? send : { ...send, DPoP: proofs };
  return {
    token: (grant, asked) =>
      withNonce(async () => {
        const response = await oauth.genericTokenEndpointRequest(server, client, auth, grant, asked, request);
        return oauth.processGenericTokenEndpointResponse(server, client, response);
      }),
    async introspect(token) {
      const response = await oauth.introspectionRequest(server, client, auth, token, send);
      const answer = await oauth.processIntrospectionResponse(server, client, response);
      if (options.signed) await oauth.validateApplicationLevelSignature(server, response, send);
      return answer;
    },
    async revoke(token) {
      await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, token, send));
    },
    async call(url, token) {
      try {
        return await withNonce(() =>
          oauth.protectedResourceRequest(token, 'GET', new URL(url), undefined, undefined, request),
        );
      } catch (error) {
        if (error instanceof oauth.WWWAuthenticateChallengeError) return error.response;
        throw error;
      }
    },
  };
};

describe('oauth4webapi', () => {
  peerSuite(connect);
});

describe('oauth4webapi as a resource server', () => {
  let world: IssuerWorld;
  beforeAll(async () => {
    world = await startIssuerWorld();
  });
  afterAll(() => world.close());

  it('accepts the JWTs of the issuer (RFC 9068), and none for others', async () => {
    const party = await world.join('client_secret_basic');
    const client = await connect(world, party);
    const { access_token } = await client.token(CLIENT_CREDENTIALS, parameters({ resource: ORDERS }));
    const issuer = new URL(world.url);
    const insecure = { [oauth.allowInsecureRequests]: true };
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...insecure });
    const server = await oauth.processDiscoveryResponse(issuer, response);
    const request = (): Request =>
      new Request('https://orders.example/orders', { headers: { authorization: `Bearer ${access_token}` } });
    const claims = await oauth.validateJwtAccessToken(server, request(), ORDERS, insecure);
    expect(claims).toMatchObject({ sub: party.clientId, client_id: party.clientId, aud: ORDERS });
    const elsewhere = oauth.validateJwtAccessToken(server, request(), 'https://stock.example', insecure);
    await expect(elsewhere).rejects.toThrow('aud');
  });
});
