/** The services of the Kubernetes example on this machine: billing has no secret, only the token in its file. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { freePort } from '../kit/free-port.ts';
import { startIssuer } from '../kit/issuer.ts';
import { node } from '../kit/programs.ts';
import type { Stage } from '../kit/stage.ts';

const ACCOUNT = 'system:serviceaccount:shop:billing';
const CLUSTER = 'https://kubernetes.default.svc.cluster.local';
const pod = { HOST: '127.0.0.1', DRAIN_SECONDS: '0' };

/** What a cluster does for its service accounts: it signs tokens, and the kubelet keeps them in files. */
interface Cluster {
  readonly jwk: JWK;
  project(file: string, audience: string, account?: string): Promise<void>;
}

export async function run(stage: Stage): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'service-auth-example-'));
  stage.atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'token');
  const cluster = await createCluster();
  const issuer = await stage.step(
    'an issuer',
    () => startIssuer(stage),
    ({ url }) => url,
  );
  // The URL of orders is what tokens for it are for, so it is known before it is started.
  const port = String(await freePort());
  const resource = `http://127.0.0.1:${port}`;
  await stage.step(
    'billing registered, by its service account',
    () =>
      issuer.admin.services.create({
        clientId: 'billing',
        name: 'Billing',
        scopes: ['orders:read'],
        resources: [resource],
        federatedIdentities: [
          { issuer: CLUSTER, subject: ACCOUNT, audience: issuer.url, jwks: { keys: [cluster.jwk] } },
        ],
      }),
    ({ clientSecret }) => `${clientSecret === undefined ? 'no' : 'a'} secret is made`,
  );
  await cluster.project(file, issuer.url);
  await stage.step(
    'orders',
    () =>
      stage.start(node('kubernetes/services/orders.ts'), {
        ...pod,
        PORT: port,
        SERVICE_AUTH_ISSUER: issuer.url,
        SERVICE_AUTH_AUDIENCE: resource,
      }),
    ({ url }) => url,
  );
  const startBilling = () =>
    stage.start(node('kubernetes/services/billing.ts'), {
      ...pod,
      SERVICE_AUTH_ISSUER: issuer.url,
      SERVICE_AUTH_CLIENT_ID: 'billing',
      SERVICE_AUTH_RESOURCE: resource,
      SERVICE_ACCOUNT_TOKEN_FILE: file,
    });
  const billing = await stage.step('billing', startBilling, ({ url }) => url);
  await stage.step('billing asks orders', () => invoices(billing.url, 200, /"caller":"billing"/));

  await cluster.project(file, issuer.url, 'system:serviceaccount:shop:visitor');
  const visitor = await stage.step('the same, as another service account', startBilling, ({ url }) => url);
  await stage.step('it asks orders', () => invoices(visitor.url, 502, /token_request_rejected/));
  await cluster.project(file, 'https://elsewhere.example');
  await stage.step('with a token for another audience', () =>
    invoices(visitor.url, 502, /token_request_rejected/),
  );
  await cluster.project(file, issuer.url);
  await stage.step('the file is renewed, with its own', () =>
    invoices(visitor.url, 200, /"caller":"billing"/),
  );
}

async function createCluster(): Promise<Cluster> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const kid = randomUUID();
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' },
    async project(file, audience, account = ACCOUNT) {
      const token = await new SignJWT()
        .setProtectedHeader({ alg: 'RS256', kid })
        .setIssuer(CLUSTER)
        .setSubject(account)
        .setAudience([audience])
        .setIssuedAt()
        .setExpirationTime('1h')
        .setJti(randomUUID())
        .sign(privateKey);
      // At once, so that nobody reads half of it.
      writeFileSync(`${file}.new`, token);
      renameSync(`${file}.new`, file);
    },
  };
}

async function invoices(url: string, status: number, expected: RegExp): Promise<string> {
  const response = await fetch(`${url}/invoices`);
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(text, expected);
  return `${status} ${text}`;
}
