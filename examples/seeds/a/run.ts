/** System B before and after, called by system A before and after, in front of one issuer. */
import assert from 'node:assert/strict';
import express, { type Express } from 'express';
import { createTokenClient, isServiceAuthError } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';
import { compare, inEnvironment, outageOf, statusOf, tampered } from '../../kit/comparison.ts';
import { type ExampleIssuer, startIssuer } from '../../kit/issuer.ts';
import type { Stage } from '../../kit/stage.ts';
import * as after from './after.ts';
import * as before from './before.ts';

const API_B = 'https://b.example';
const API_C = 'https://c.example';
const HERD = 50;

export async function run(stage: Stage): Promise<void> {
  let issued = 0;
  const issuer = await stage.step(
    'an issuer',
    () =>
      startIssuer(stage, {
        onEvent: (event) => {
          if (event.type === 'issuer.token_issued') issued++;
        },
      }),
    ({ url }) => url,
  );
  const secrets = await registerSystems(issuer);
  const systemC = await startSystemC(stage, issuer.url);
  const [secretOfA = '', secretOfB = ''] = [secrets['system-a'], secrets['system-b']];
  const shared = { API_B, API_C, SYSTEM_B_SECRET: secretOfB };
  const environment = {
    ...shared,
    ISSUER: issuer.url,
    TOKEN_URL: `${issuer.url}/token`,
    CLIENT_ID: 'system-a',
    CLIENT_SECRET: secretOfA,
    SERVICE_AUTH_ISSUER: issuer.url,
    SERVICE_AUTH_AUDIENCE: API_B,
    SERVICE_AUTH_CLIENT_ID: 'system-a',
    SERVICE_AUTH_CLIENT_SECRET: secretOfA,
    SERVICE_AUTH_RESOURCE: API_B,
  };
  const start = async (systems: Systems) => {
    const serve = async (): Promise<string> =>
      (await stage.serve(inEnvironment(environment, () => systems.createSystemB(systemC)))).url;
    const url = await serve();
    const startA = (more: Record<string, string> = {}) =>
      inEnvironment({ ...environment, SERVICE_AUTH_TARGETS: url, ...more }, () => systems.createSystemA());
    return { url, serve, startA };
  };
  const { same, better } = compare(stage, { before: await start(before), after: await start(after) });
  const tokenOf = (clientId: string, resource: string): Promise<string> =>
    requestToken(issuer, clientId, secrets[clientId] ?? '', resource);
  const good = await tokenOf('system-a', API_B);
  const foreign = await tokenOf('system-x', API_B);
  const elsewhere = await tokenOf('system-x', API_C);

  await same('no token', ({ url }) => statusOf(`${url}/orders`), 401);
  await same('system A', async ({ url, startA }) => (await startA()(`${url}/orders`)).status, 200);
  await same('another client', ({ url }) => statusOf(`${url}/orders`, foreign), 403);
  await same('a token for another API', ({ url }) => statusOf(`${url}/orders`, elsewhere), 401);
  await same('a tampered token', ({ url }) => statusOf(`${url}/orders`, tampered(good)), 401);
  await same(
    'C, asked on behalf of A',
    async ({ url, startA }) => (await startA()(`${url}/stock`)).text(),
    '{"subject":"system-a","actor":{"sub":"system-b"}}',
  );
  await same(
    'no secret in the environment',
    ({ startA }) => {
      assert.throws(() => startA({ CLIENT_SECRET: '', SERVICE_AUTH_CLIENT_SECRET: '' }));
      return 'an error at start';
    },
    'an error at start',
  );

  await better(
    `${HERD} calls at once, no token yet`,
    async ({ url, startA }) => {
      issued = 0;
      const call = startA();
      const answers = await Promise.all(Array.from({ length: HERD }, () => call(`${url}/orders`)));
      assert(answers.every(({ status }) => status === 200));
      return `${issued} token requests`;
    },
    { before: `${HERD} token requests`, after: '1 token requests' },
  );
  const stranger = await startStranger(stage);
  await better('a call to what is not B', ({ startA }) => callStranger(startA(), stranger), {
    before: 'it gets the token',
    after: 'untrusted_target',
  });
  await issuer.stop();
  await same('keys known, issuer down', ({ url }) => statusOf(`${url}/orders`, good), 200);
  await better(
    'B just started, issuer down',
    async ({ serve }) => outageOf(`${await serve()}/orders`, good),
    {
      before: '401',
      after: '503 Retry-After',
    },
  );
}

type Call = (url: string) => Promise<Response>;

/** What both files export. */
interface Systems {
  createSystemA(): Call;
  createSystemB(systemC: string): Express;
}

async function registerSystems(issuer: ExampleIssuer): Promise<Record<string, string>> {
  const scopes = ['read', 'write'];
  return {
    'system-a': await issuer.register({ clientId: 'system-a', scopes, resources: [API_B] }),
    'system-b': await issuer.register({ clientId: 'system-b', scopes, serves: [API_B], resources: [API_C] }),
    'system-x': await issuer.register({ clientId: 'system-x', scopes, resources: [API_B, API_C] }),
  };
}

async function startSystemC(stage: Stage, issuer: string): Promise<string> {
  const app = express();
  const policy = { issuer, audience: API_C, scope: 'read', actors: ['system-b'] };
  app.get('/stock', requireServiceAuth(policy), ({ caller }, res) => {
    res.json({ subject: caller?.subject, actor: caller?.actor });
  });
  return `${(await stage.serve(app)).url}/stock`;
}

/** Somebody else, whose address has come into the configuration by mistake. */
async function startStranger(stage: Stage): Promise<string> {
  const { url } = await stage.serve((request, response) => {
    response.end(request.headers.authorization === undefined ? 'it gets nothing' : 'it gets the token');
  });
  return url;
}

function callStranger(call: Call, stranger: string): Promise<string> {
  return call(stranger).then(
    (response) => response.text(),
    (error: unknown) => (isServiceAuthError(error) ? error.code : String(error)),
  );
}

async function requestToken(
  issuer: ExampleIssuer,
  clientId: string,
  clientSecret: string,
  resource: string,
): Promise<string> {
  const tokens = createTokenClient({ issuer: issuer.url, clientId, clientSecret, resource });
  const { accessToken } = await tokens.getToken();
  tokens.close();
  return accessToken;
}
