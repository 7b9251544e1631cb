/** The issuer of the package, in the runtime itself. */
import { createTokenClient, createVerifier } from 'service-auth';
import { equal } from '../support/expect.mjs';
import { judge } from '../support/judge.mjs';
import { audience } from '../support/tokens.mjs';

const issuer = 'https://own.example';
const adminToken = 'an-admin-token-for-the-checks';

async function setUp(host, options = {}) {
  const own = await host.createIssuer({ issuer, adminToken, ...options });
  const fetch = (input, init) => own.fetch(new Request(input, init));
  const clientSecret = 'sa_a-secret-of-the-checks-that-is-long-enough-for-any-rule';
  const registration = {
    clientId: 'billing',
    name: 'Billing',
    scopes: ['orders:read'],
    resources: [audience],
  };
  await own.seed({ services: [{ registration, clientSecret }] });
  const client = { issuer, clientId: 'billing', clientSecret, fetch, resource: audience };
  return { own, client, verifier: createVerifier({ issuer, audience, fetch }) };
}

async function checkAlgorithm(host, signingAlgorithm) {
  const { own, client, verifier } = await setUp(host, { signingAlgorithm });
  const { accessToken } = await createTokenClient(client).getToken();
  equal(await judge(verifier, accessToken, { policy: { scope: 'orders:read' } }), '200');
  await own.close();
}

async function checkClosed(host) {
  const { own, client } = await setUp(host);
  await own.close();
  const error = await createTokenClient(client)
    .getToken()
    .catch((reason) => reason);
  equal(error.status, 503, 'the status');
}

export const ownIssuer = {
  title: 'The issuer in the runtime',
  checks: {
    ...Object.fromEntries(
      ['ES256', 'EdDSA', 'RS256'].map((alg) => [
        `${alg}: a service gets a token, and a verifier accepts it`,
        (host) => checkAlgorithm(host, alg),
      ]),
    ),
    'a closed issuer: 503': checkClosed,
  },
};
