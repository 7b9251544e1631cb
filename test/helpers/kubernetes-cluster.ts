/** A stand-in for what a cluster does for its service accounts: it signs tokens, publishes their keys, replaces them in files. */
import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './tls.ts';
import { createKey, type TestKey } from './tokens.ts';

export interface ServiceAccountToken {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audience: string;
  readonly expirationSeconds: number;
}

export interface Cluster {
  readonly url: string;
  /** How often its keys were asked for. */
  keyRequests(): number;
  mint(token: ServiceAccountToken): Promise<string>;
  /** Keeps a token in a file, as the kubelet does for a projected volume. */
  project(path: string, token: ServiceAccountToken): Promise<void>;
  /** Signs with another key from now on, and renews all files; the one before stays published. */
  rotateKey(): Promise<void>;
  close(): Promise<void>;
}

const KEYS_PATH = '/openid/v1/jwks';

export async function startCluster({ key, cert }: Certificate): Promise<Cluster> {
  const keys: TestKey[] = [];
  const projected = new Map<string, ServiceAccountToken>();
  let keyRequests = 0;

  const server = createServer({ key, cert }, (request, response) => {
    const metadata = { issuer: url, jwks_uri: `${url}${KEYS_PATH}` };
    if (request.url === KEYS_PATH) {
      keyRequests++;
      response.setHeader('content-type', 'application/jwk-set+json');
      response.end(JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) }));
    } else {
      response.statusCode = request.url === '/.well-known/openid-configuration' ? 200 : 404;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(metadata));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;

  /** No `typ`, and a list of audiences: so they are. */
  function mint(token: ServiceAccountToken): Promise<string> {
    const { namespace, serviceAccount, audience, expirationSeconds } = token;
    const signer = keys.at(-1);
    if (signer === undefined) throw new Error('the cluster has no key');
    const iat = Math.floor(Date.now() / 1000);
    const claims = {
      iss: url,
      sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
      aud: [audience],
      iat,
      nbf: iat,
      exp: iat + expirationSeconds,
      jti: randomUUID(),
      'kubernetes.io': { namespace, serviceaccount: { name: serviceAccount, uid: randomUUID() } },
    };
    return signer.sign({ typ: undefined }, claims);
  }

  async function project(path: string, token: ServiceAccountToken): Promise<void> {
    projected.set(path, token);
    const draft = `${path}.new`;
    writeFileSync(draft, await mint(token));
    renameSync(draft, path);
  }

  async function rotateKey(): Promise<void> {
    keys.push(await createKey('RS256', randomUUID()));
    for (const [path, token] of projected) await project(path, token);
  }

  await rotateKey();
  return {
    url,
    keyRequests: () => keyRequests,
    mint,
    project,
    rotateKey,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
