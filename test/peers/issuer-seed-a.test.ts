/** Moving over from the recipe of an auth platform for one API that calls another: all of it, over real sockets. */
import express, { type Express } from 'express';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { requireServiceAuth } from '../../adapters/express.ts';
import {
  clientSecretPost,
  createAuthedFetch,
  createVerifier,
  type ServiceAuthEvent,
} from '../../src/index.ts';
import {
  type AdminClient,
  createAdminClient,
  type IssuerServer,
  serveIssuer,
} from '../../src/issuer/index.ts';
import { ADMIN_TOKEN } from '../helpers/issuer-world.ts';
import { serve, type TestServer } from '../unit/cli/harness.ts';

const API_B = 'https://b.example';
const API_C = 'https://c.example';
const CACHED_SECONDS = 900;
const AHEAD_SECONDS = 60;

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

let offsetMs: number;
const now = (): number => Date.now() + offsetMs;
let issuer: IssuerServer;
let admin: AdminClient;
let issued: Extract<ServiceAuthEvent, { type: 'issuer.token_issued' }>[];
beforeEach(async () => {
  offsetMs = 0;
  issued = [];
  issuer = await serveIssuer({
    port: 0,
    adminToken: ADMIN_TOKEN,
    now,
    onEvent: (event) => {
      if (event.type === 'issuer.token_issued') issued.push(event);
    },
  });
  cleanUps.push(() => issuer.close());
  admin = createAdminClient({ issuer: issuer.url, adminToken: ADMIN_TOKEN });
});

/** Makes something under the environment that a deployment would give its process. */
function inEnvironment<T>(variables: Readonly<Record<string, string | undefined>>, make: () => T): T {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(`SERVICE_AUTH_${name}`, value);
  try {
    return make();
  } finally {
    vi.unstubAllEnvs();
  }
}

async function startApp(app: Express): Promise<TestServer> {
  const server = await serve(app);
  cleanUps.push(() => server.close());
  return server;
}

async function registerSystem(
  clientId: string,
  more: { resources?: readonly string[]; serves?: readonly string[]; scopes?: readonly string[] },
): Promise<string> {
  const created = await admin.services.create({
    clientId,
    name: clientId,
    scopes: ['read', 'write'],
    ...more,
  });
  if (created.clientSecret === undefined) throw new Error('there is no secret');
  return created.clientSecret;
}

/** What the deployment of system A is given, before it is known where B is. */
const environmentOfA = (secret: string): Record<string, string> => ({
  ISSUER: issuer.url,
  CLIENT_ID: 'system-a',
  CLIENT_SECRET: secret,
  RESOURCE: API_B,
  SCOPE: 'read write',
});

describe('system A', () => {
  it('is created by the admin, who sees its secret once', async () => {
    const secret = await registerSystem('system-a', { resources: [API_B] });
    expect(secret).toMatch(/^\S{40,}$/);
    const shown = [
      await admin.services.get('system-a'),
      await admin.services.list(),
      await admin.audit.list(),
    ];
    expect(JSON.stringify(shown)).not.toContain(secret);
    expect(shown[0]).toMatchObject({ secrets: [{ hint: secret.slice(-4) }] });
  });

  it('posts client_id, client_secret and resource, and gets a JWT whose sub it is', async () => {
    const secret = await registerSystem('system-a', { resources: [API_B, API_C] });
    const response = await fetch(`${issuer.url}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: 'system-a',
        client_secret: secret,
        resource: API_B,
      }),
    });
    const { access_token, ...rest } = await response.json();
    expect([response.status, rest]).toEqual([
      200,
      { token_type: 'Bearer', expires_in: CACHED_SECONDS, scope: 'read write' },
    ]);
    expect(decodeProtectedHeader(access_token)).toMatchObject({ alg: 'ES256', typ: 'at+jwt' });
    expect(decodeJwt(access_token)).toMatchObject({
      iss: issuer.url,
      sub: 'system-a',
      client_id: 'system-a',
      aud: API_B,
    });
  });

  it.each(['ISSUER', 'CLIENT_ID', 'CLIENT_SECRET'])(
    'does not start without SERVICE_AUTH_%s',
    async (name) => {
      const secret = await registerSystem('system-a', { resources: [API_B] });
      const variables = { ...environmentOfA(secret), TARGETS: API_B };
      expect(() => inEnvironment({ ...variables, [name]: undefined }, () => createAuthedFetch())).toThrow(
        new RegExp(`SERVICE_AUTH_${name}`),
      );
      expect(() => inEnvironment({ ...variables, [name]: ' ' }, () => createAuthedFetch())).toThrow(
        TypeError,
      );
      inEnvironment(variables, () => createAuthedFetch()).close();
    },
  );

  it('keeps its token, and renews it 60 seconds before it expires', async () => {
    const secret = await registerSystem('system-a', { resources: [API_B] });
    const { tokens } = inEnvironment({ ...environmentOfA(secret), TARGETS: API_B }, () =>
      createAuthedFetch({ clientAuth: clientSecretPost(secret), now, random: () => 0 }),
    );
    const first = await tokens.getToken();
    offsetMs = (CACHED_SECONDS - AHEAD_SECONDS - 5) * 1000;
    expect((await tokens.getToken()).accessToken).toBe(first.accessToken);
    expect(issued).toHaveLength(1);
    offsetMs += 5 * 1000;
    // The one that is still good serves while the next is fetched.
    expect((await tokens.getToken()).accessToken).toBe(first.accessToken);
    await expect.poll(async () => (await tokens.getToken()).accessToken).not.toBe(first.accessToken);
    expect(issued).toHaveLength(2);
    tokens.close();
  });
});

describe('system B', () => {
  it('lets system A alone in, by issuer, audience and keys, and asks nobody for it', async () => {
    const secret = await registerSystem('system-a', { resources: [API_B, API_C] });
    const otherSecret = await registerSystem('system-x', { resources: [API_B] });
    const fetched: string[] = [];
    const verifier = inEnvironment({ ISSUER: issuer.url, AUDIENCE: API_B }, () =>
      createVerifier({
        now,
        fetch: (url, init) => {
          fetched.push(url);
          return fetch(url, init);
        },
      }),
    );
    const app = express();
    const policy = { scope: 'read', clients: ['system-a'], serviceOnly: true } as const;
    app.get('/orders', requireServiceAuth({ verifier, ...policy }), ({ caller }, response) => {
      response.json({ client: caller?.clientId });
    });
    const { url } = await startApp(app);
    const callAs = (clientId: string, clientSecret: string, resource = API_B) =>
      inEnvironment(
        { ...environmentOfA(clientSecret), CLIENT_ID: clientId, RESOURCE: resource, TARGETS: url },
        () => createAuthedFetch({ clientAuth: clientSecretPost(clientSecret) }),
      );
    const authedFetch = callAs('system-a', secret);
    const first = await authedFetch(`${url}/orders`);
    expect([first.status, await first.json()]).toEqual([200, { client: 'system-a' }]);
    const documents = fetched.length;
    expect(new Set(fetched.map((from) => new URL(from).pathname))).toEqual(
      new Set(['/.well-known/oauth-authorization-server', '/jwks']),
    );
    const all = await Promise.all(Array.from({ length: 50 }, () => authedFetch(`${url}/orders`)));
    expect(all.every(({ status }) => status === 200)).toBe(true);
    expect([fetched.length, issued.length]).toEqual([documents, 1]);

    expect((await fetch(`${url}/orders`)).status).toBe(401);
    expect((await callAs('system-x', otherSecret)(`${url}/orders`)).status).toBe(403);
    expect((await callAs('system-a', secret, API_C)(`${url}/orders`)).status).toBe(401);
    await expect(callAs('system-a', otherSecret)(`${url}/orders`)).rejects.toMatchObject({
      oauthError: 'invalid_client',
    });
  });

  it('calls system C on behalf of A: sub stays, act is B, scope is narrower, for ten minutes at most', async () => {
    const secretOfA = await registerSystem('system-a', { resources: [API_B] });
    const secretOfB = await registerSystem('system-b', { serves: [API_B], resources: [API_C] });
    const seen: string[] = [];
    const systemC = express();
    const atC = { issuer: issuer.url, audience: API_C, scope: 'read', actors: ['system-b'] };
    systemC.get('/stock', requireServiceAuth(atC), ({ caller }, response) => {
      if (caller !== undefined) seen.push(caller.token);
      response.json({ subject: caller?.subject, actor: caller?.actor, write: caller?.hasScope('write') });
    });
    const c = await startApp(systemC);

    const callC = inEnvironment({ ISSUER: issuer.url, CLIENT_ID: 'system-b' }, () =>
      createAuthedFetch({
        clientAuth: clientSecretPost(secretOfB),
        targets: [{ origin: c.url, scope: 'read', resource: API_C }],
      }),
    );
    const systemB = express();
    systemB.get(
      '/orders',
      requireServiceAuth({ issuer: issuer.url, audience: API_B, clients: ['system-a'] }),
      async ({ caller }, response) => {
        if (caller === undefined) throw new Error('nobody calls');
        const answer = await callC.onBehalfOf(caller)(`${c.url}/stock`);
        response.status(answer.status).json(await answer.json());
      },
    );
    const b = await startApp(systemB);

    const callB = inEnvironment({ ...environmentOfA(secretOfA), TARGETS: b.url }, () => createAuthedFetch());
    const answers = await Promise.all(Array.from({ length: 10 }, () => callB(`${b.url}/orders`)));
    for (const answer of answers) {
      expect([answer.status, await answer.json()]).toEqual([
        200,
        { subject: 'system-a', actor: { sub: 'system-b' }, write: false },
      ]);
    }
    expect(issued.map(({ clientId }) => clientId)).toEqual(['system-a', 'system-b']);
    const { exp = 0, iat = 0, ...claims } = decodeJwt(seen[0] ?? '');
    expect(exp - iat).toBeLessThanOrEqual(600);
    expect(claims).toMatchObject({
      sub: 'system-a',
      client_id: 'system-b',
      act: { sub: 'system-b' },
      aud: API_C,
      scope: 'read',
    });
    // B's own token is nobody's behalf: C wants an actor.
    expect((await callC(`${c.url}/stock`)).status).toBe(403);
  });
});
