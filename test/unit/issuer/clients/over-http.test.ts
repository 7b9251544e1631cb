import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type ClientAuth,
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  createTokenClient,
  createVerifier,
  federatedAssertion,
  type Jwk,
  kubernetesServiceAccountToken,
  privateKeyJwt,
} from '../../../../src/index.ts';
import {
  type IssuerStorage,
  memoryStorage,
  type StoredService,
  serveIssuer,
} from '../../../../src/issuer/index.ts';
import { publishes, startIssuerStub } from '../../../helpers/issuer-stub.ts';
import { createKey } from '../../../helpers/tokens.ts';
import { ORDERS } from '../harness.ts';
import { addSecretService, addService, SECRET_KEY } from '../service-records.ts';

interface Scene {
  readonly url: string;
  readonly storage: IssuerStorage;
}

async function createScene(): Promise<Scene> {
  const storage = memoryStorage();
  const { url, close } = await serveIssuer({ port: 0, storage, secretKey: SECRET_KEY });
  onTestFinished(close);
  return { url, storage };
}

/** Gets a token by discovery, and has it verified as a resource server would. */
async function clientOfToken({ url }: Scene, clientAuth: ClientAuth): Promise<string | undefined> {
  const tokens = createTokenClient({ issuer: url, clientId: 'billing', clientAuth });
  const { accessToken } = await tokens.getToken();
  const verdict = await createVerifier({ issuer: url, audience: ORDERS }).verifyToken(accessToken);
  return verdict.ok ? verdict.caller.clientId : verdict.rejection.reason;
}

describe('over HTTP, with the clock as it is, a client gets its token', () => {
  const id = 'billing: a/b+c%';

  it.each<[keyof typeof methods]>([['client_secret_basic'], ['client_secret_post'], ['client_secret_jwt']])(
    'by %s',
    async (method) => {
      const scene = await createScene();
      const secret = await addSecretService(scene.storage, { authMethods: [method] }, { keepSecret: true });
      expect(await clientOfToken(scene, methods[method](secret))).toBe('billing');
    },
  );

  const methods = {
    client_secret_basic: clientSecretBasic,
    client_secret_post: clientSecretPost,
    client_secret_jwt: clientSecretJwt,
  } as const;

  it('by Basic with an identifier that must be encoded', async () => {
    const { url, storage } = await createScene();
    const secret = await addSecretService(storage, { clientId: id });
    const tokens = createTokenClient({ issuer: url, clientId: id, clientAuth: clientSecretBasic(secret) });
    expect((await tokens.getToken()).tokenType).toBe('Bearer');
  });

  it('by private_key_jwt, with keys that it publishes', async () => {
    const scene = await createScene();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const published = { keys: [publicKey.export({ format: 'jwk' }) as Jwk] };
    const remote = await startIssuerStub((_, response) => response.end(JSON.stringify(published)));
    onTestFinished(() => remote.close());
    const service: Partial<StoredService> = {
      authMethods: ['private_key_jwt'],
      jwksUri: `${remote.url}/jwks`,
    };
    await addService(scene.storage, service);
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    expect(await clientOfToken(scene, privateKeyJwt({ key: pem }))).toBe('billing');
    expect(remote.requests).toEqual(['/jwks']);
  });

  it('by the token that a cluster has put into its file', async () => {
    const scene = await createScene();
    const key = await createKey('RS256', 'cluster-1');
    const cluster = await startIssuerStub((_, response) => response.end());
    onTestFinished(() => cluster.close());
    cluster.answer = publishes(
      () => cluster.url,
      () => ({ keys: [key.publicJwk] }),
    );
    const subject = 'system:serviceaccount:shop:billing';
    const federatedIdentities = [{ issuer: cluster.url, subject }];
    await addService(scene.storage, { authMethods: [], federatedIdentities });
    const folder = await mkdtemp(join(tmpdir(), 'service-auth-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'token');
    const exp = Math.floor(Date.now() / 1000) + 3600;
    await writeFile(file, await key.sign({}, { iss: cluster.url, sub: subject, aud: [scene.url], exp }));
    const auth = federatedAssertion(kubernetesServiceAccountToken(file));
    expect(await clientOfToken(scene, auth)).toBe('billing');
  });
});
