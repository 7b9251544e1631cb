import {
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  createTokenClient,
  createVerifier,
  federatedAssertion,
  privateKeyJwt,
  secretFile,
} from 'service-auth';
import { equal } from '../support/expect.mjs';
import { judge } from '../support/judge.mjs';
import { connect } from '../support/network.mjs';
import { audience, keyOf, mint } from '../support/tokens.mjs';

/** Registers a service, gets a token in one way, and has it verified. */
async function checkWay(host, registration, clientAuthOf) {
  const network = connect(host);
  const { clientSecret, ...client } = await network.register(registration);
  const clientAuth = await clientAuthOf({ clientSecret, issuer: network.issuer });
  const tokens = createTokenClient({ ...client, clientAuth, resource: audience });
  const { accessToken } = await tokens.getToken();
  const verifier = createVerifier({ issuer: network.issuer, audience, fetch: network.fetch });
  equal(await judge(verifier, accessToken, { policy: { clients: [client.clientId] } }), '200');
}

async function checkPrivateKey(host, alg, form) {
  const { jwk, privateJwk, signer } = await keyOf(alg, 'of a client');
  const { kid } = jwk;
  const key = form === 'jwk' ? privateJwk : signer;
  await checkWay(host, { jwks: { keys: [jwk] } }, () => privateKeyJwt({ key, kid, alg }));
}

async function checkPem(host) {
  const { jwk, signer } = await keyOf('ES256', 'of a client');
  const bytes = new Uint8Array(await crypto.subtle.exportKey('pkcs8', signer));
  const base64 = btoa(String.fromCharCode(...bytes)).replaceAll(/.{64}/g, '$&\n');
  const key = `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`;
  await checkWay(host, { jwks: { keys: [jwk] } }, () => privateKeyJwt({ key, kid: jwk.kid, alg: 'ES256' }));
}

/** The token of another issuer, such as a cluster, in the place of a secret. */
async function checkFederated(host) {
  const key = await keyOf('RS256', 'of a cluster');
  const issuer = 'https://cluster.example';
  const subject = 'system:serviceaccount:shop:billing';
  const federatedIdentities = [{ issuer, subject, jwks: { keys: [key.jwk] } }];
  await checkWay(host, { federatedIdentities }, (given) =>
    federatedAssertion(() =>
      mint(key, { claims: { iss: issuer, sub: subject, aud: given.issuer }, header: { typ: 'JWT' } }),
    ),
  );
}

async function checkFile(host) {
  await checkWay(host, {}, async ({ clientSecret }) =>
    clientSecretBasic(secretFile(await host.writeFile(`${clientSecret}\n`))),
  );
}

const withJwt = { authMethods: ['client_secret_jwt'] };

export const clientAuthentication = {
  title: 'Client authentication',
  checks: {
    client_secret_basic: (host) => checkWay(host, {}, ({ clientSecret }) => clientSecretBasic(clientSecret)),
    client_secret_post: (host) => checkWay(host, {}, ({ clientSecret }) => clientSecretPost(clientSecret)),
    client_secret_jwt: (host) => checkWay(host, withJwt, ({ clientSecret }) => clientSecretJwt(clientSecret)),
    'private_key_jwt, ES256 as JWK': (host) => checkPrivateKey(host, 'ES256', 'jwk'),
    'private_key_jwt, ES256 as PEM': checkPem,
    'private_key_jwt, EdDSA as CryptoKey': (host) => checkPrivateKey(host, 'EdDSA', 'CryptoKey'),
    'private_key_jwt, RS256 as JWK': (host) => checkPrivateKey(host, 'RS256', 'jwk'),
    'private_key_jwt, PS256 as CryptoKey': (host) => checkPrivateKey(host, 'PS256', 'CryptoKey'),
    "a federated assertion: another issuer's token": checkFederated,
    'a secret in a file': checkFile,
  },
};
