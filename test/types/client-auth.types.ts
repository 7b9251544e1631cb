/** Compiled, never run: the ways in which clients authenticate, and ones of a program's own. */
import { createPrivateKey } from 'node:crypto';
import {
  type ClientAssertionOptions,
  type ClientAuth,
  type ClientAuthRequest,
  type ClientSecretBasicOptions,
  type ClientSecretJwtOptions,
  type CredentialUsed,
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  createTokenClient,
  type FederatedAssertionOptions,
  type FederatedAssertionSource,
  federatedAssertion,
  kubernetesServiceAccountToken,
  type MaybePromise,
  type PrivateKey,
  type PrivateKeyJwtOptions,
  privateKeyJwt,
  type Secret,
  secretFile,
  tlsClientAuth,
} from 'service-auth';
import type { Equal } from './equal.ts';

const issuer = 'https://idp.example';
const using = (clientAuth: ClientAuth) => createTokenClient({ issuer, clientId: 'billing', clientAuth });

// Secrets
const secrets: readonly Secret[] = [
  'secret',
  ['new', 'old'],
  () => 'secret',
  async () => ['new', 'old'],
  secretFile('/run/secrets/billing'),
];
const basic: Required<ClientSecretBasicOptions> = { encoding: 'raw' };
for (const secret of secrets) using(clientSecretBasic(secret, basic));
using(clientSecretPost('secret'));
// @ts-expect-error: a secret that may be unset
clientSecretBasic(process.env.SECRET);
// @ts-expect-error: nor may a source give nothing
clientSecretPost(() => process.env.SECRET);
// @ts-expect-error: a secret is a text
clientSecretPost(new Uint8Array(32));
// @ts-expect-error: an unknown encoding
clientSecretBasic('secret', { encoding: 'base64' });
// @ts-expect-error: the post method has no options
clientSecretPost('secret', basic);
// @ts-expect-error: the path of a secret may be unset
secretFile(process.env.SECRET_FILE);
export const read: () => string = secretFile('/run/secrets/billing');

// Assertions: a literal needs every option, and may have no other.
const assertion: Required<ClientAssertionOptions> = {
  audience: 'endpoint',
  lifetimeSeconds: 60,
  now: Date.now,
};
const ofSecret: Required<ClientSecretJwtOptions> = { ...assertion, alg: 'HS384' };
using(clientSecretJwt(() => 'secret', ofSecret));
using(clientSecretJwt('secret', { audience: 'https://idp.example/token' }));
// @ts-expect-error: a secret signs with the HS family
clientSecretJwt('secret', { alg: 'ES256' });
// @ts-expect-error: durations are numbers
clientSecretJwt('secret', { lifetimeSeconds: '60' });
// @ts-expect-error: one audience, which servers compare
clientSecretJwt('secret', { audience: [issuer] });

// Keys, in every form
declare const cryptoKey: CryptoKey;
declare const pair: CryptoKeyPair;
const keys: readonly PrivateKey[] = [
  { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' },
  '-----BEGIN PRIVATE KEY-----',
  cryptoKey,
  createPrivateKey('-----BEGIN PRIVATE KEY-----'),
];
for (const key of keys) {
  const ofKey: Required<PrivateKeyJwtOptions> = { ...assertion, key, alg: 'ES256', kid: 'a' };
  using(privateKeyJwt(ofKey));
}
using(privateKeyJwt({ key: async () => cryptoKey }));
// @ts-expect-error: a key is needed
privateKeyJwt({ kid: 'a' });
// @ts-expect-error: the private half, not both
privateKeyJwt({ key: pair });
// @ts-expect-error: bytes do not tell which form they are of
privateKeyJwt({ key: new Uint8Array(32) });
// @ts-expect-error: a key signs with its own family
privateKeyJwt({ key: cryptoKey, alg: 'HS256' });
// @ts-expect-error: a key that may be unset
privateKeyJwt({ key: process.env.KEY });
// @ts-expect-error: the parameter of the assertion is called `alg`
privateKeyJwt({ key: cryptoKey, algorithm: 'ES256' });

// Workloads
const sources: readonly FederatedAssertionSource[] = [
  kubernetesServiceAccountToken(),
  kubernetesServiceAccountToken('/var/run/secrets/tokens/idp'),
  { file: '/var/run/secrets/tokens/idp' },
  async () => 'assertion',
];
const federated: Required<FederatedAssertionOptions> = { marginSeconds: 10 };
for (const source of sources) using(federatedAssertion(source, federated));
// @ts-expect-error: an assertion does not last, so there is none as a text
federatedAssertion('assertion');
// @ts-expect-error: a file is named by its path
federatedAssertion({ path: '/var/run/secrets/tokens/idp' });
// @ts-expect-error: the margin carries its unit
federatedAssertion(kubernetesServiceAccountToken(), { margin: 10 });

// Certificates
using(tlsClientAuth());
// @ts-expect-error: the certificate is the connection's
tlsClientAuth({ cert: 'certificate' });

// Ways of a program's own
const viaGateway: ClientAuth = ({ form, headers, clientId, endpoint, issuer = endpoint }) => {
  form.set('client_id', clientId);
  headers['x-gateway'] = issuer;
};
const rotating: ClientAuth = async ({ refusals, now }: ClientAuthRequest): Promise<CredentialUsed> => {
  const credential: string = `${refusals} at ${now().toFixed()}`;
  return { credential, hint: refusals > 0 ? 'it was refused before' : undefined };
};
using(viaGateway);
using(rotating);
using(Object.assign(() => undefined, { mutualTls: true }));
// @ts-expect-error: what was used is told by its own name
export const unnamed: ClientAuth = () => ({ secret: 'secret' });
// @ts-expect-error: the credential is what tells one from the next
export const hintOnly: CredentialUsed = { hint: 'expired?' };
// @ts-expect-error: a secret alone does not say how it is sent
using('secret');
// @ts-expect-error: the issuer may be unknown
export const needsIssuer: ClientAuth = ({ issuer }) => void issuer.length;
export const request: ClientAuthRequest = {
  issuer: undefined,
  endpoint: `${issuer}/token`,
  clientId: 'billing',
  form: new URLSearchParams(),
  headers: {},
  refusals: 0,
  now: Date.now,
};
export const maybe: Equal<MaybePromise<string>, string | Promise<string>> = true;
