/** The issuer, with the openid-client package as its client, over real sockets. */
import * as client from 'openid-client';
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

function authenticationOf(party: Party, { audience, jti }: PeerOptions): client.ClientAuth {
  const { way, clientSecret, key } = party;
  const modify = {
    [client.modifyAssertion](_header: object, payload: Record<string, client.JsonValue | undefined>) {
      if (audience !== undefined) payload.aud = audience;
      if (jti !== undefined) payload.jti = jti;
    },
  };
  switch (way) {
    case 'client_secret_basic':
      return client.ClientSecretBasic(clientSecret);
    case 'client_secret_post':
      return client.ClientSecretPost(clientSecret);
    case 'client_secret_jwt':
      return client.ClientSecretJwt(clientSecret, modify);
    case 'private_key_jwt by jwks':
    case 'private_key_jwt by jwks_uri':
      return client.PrivateKeyJwt({ key: key.privateKey, kid: 'service-1' }, modify);
    case 'tls_client_auth':
      return client.TlsClientAuth();
    case 'a federated assertion':
      return async (_server, { client_id }, body) => {
        body.set('client_id', client_id);
        body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
        body.set('client_assertion', await party.assertion(audience === undefined ? {} : { aud: audience }));
      };
  }
}

const connect: Connect = async (world, party, options = {}) => {
  const metadata = {
    ...(options.signed && { introspection_signed_response_alg: 'ES256' }),
    ...(party.way === 'tls_client_auth' && { use_mtls_endpoint_aliases: true }),
  };
  const config = await client.discovery(
    new URL(world.url),
    party.clientId,
    metadata,
    authenticationOf(party, options),
    {
      algorithm: 'oauth2',
      [client.customFetch]: fetchOf(party),
      execute: [
        ...(world.tls === undefined ? [client.allowInsecureRequests] : []),
        ...(options.signed ? [client.enableNonRepudiationChecks] : []),
      ],
    },
  );
  const keyPair = options.dpop && (await client.randomDPoPKeyPair(options.dpop));
  const proofs = keyPair === undefined ? {} : { DPoP: client.getDPoPHandle(config, keyPair) };
  return {
    token: (grant, asked) =>
      grant === CLIENT_CREDENTIALS
        ? client.clientCredentialsGrant(config, asked, proofs)
        : client.genericGrantRequest(config, grant, asked, proofs),
    introspect: (token) => client.tokenIntrospection(config, token),
    revoke: (token) => client.tokenRevocation(config, token),
    async call(url, token) {
      try {
        return await client.fetchProtectedResource(
          config,
          token,
          new URL(url),
          'GET',
          null,
          undefined,
          proofs,
        );
      } catch (error) {
        if (error instanceof client.WWWAuthenticateChallengeError) return error.response;
        throw error;
      }
    },
  };
};

describe('openid-client', () => {
  peerSuite(connect);
});

describe('openid-client, as its documentation has it', () => {
  let world: IssuerWorld;
  beforeAll(async () => {
    world = await startIssuerWorld();
  });
  afterAll(() => world.close());

  it('discovers by OpenID Connect and authenticates with a secret, and nothing else said', async () => {
    const { clientId, clientSecret } = await world.admin.services.create({
      name: 'Billing',
      scopes: ['read'],
      resources: [ORDERS],
    });
    const config = await client.discovery(new URL(world.url), clientId, clientSecret, undefined, {
      execute: [client.allowInsecureRequests],
    });
    expect(config.serverMetadata()).toMatchObject({
      issuer: world.url,
      token_endpoint: `${world.url}/token`,
    });
    const tokens = await client.clientCredentialsGrant(config, parameters({ scope: 'read' }));
    expect(tokens.expiresIn()).toBeGreaterThan(890);
    expect(await client.tokenIntrospection(config, tokens.access_token)).toMatchObject({ active: true });
    await client.tokenRevocation(config, tokens.access_token);
    expect(await client.tokenIntrospection(config, tokens.access_token)).toEqual({ active: false });
  });
});
