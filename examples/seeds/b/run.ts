/** The resource server before and after, in front of one issuer: 401, 200, and 401 again after revocation. */
import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import { postgresStorage } from 'service-auth/issuer';
import { compare, outageOf, statusOf } from '../../kit/comparison.ts';
import { type ExampleIssuer, startIssuer } from '../../kit/issuer.ts';
import type { Stage } from '../../kit/stage.ts';
import * as after from './after.ts';
import * as before from './before.ts';

const AUDIENCE = 'https://orders.example';
const CALLS = 50;

export async function run(stage: Stage): Promise<void> {
  let asked = 0;
  subscribe('undici:request:create', (message) => {
    if (isIntrospection(message)) asked++;
  });
  const { DATABASE_URL: database } = process.env;
  const issuer = await stage.step(
    database === undefined ? 'an issuer' : 'an issuer on PostgreSQL',
    () => startIssuerOn(stage, database),
    ({ url }) => url,
  );
  const clientSecret = await issuer.register({ clientId: 'orders', scopes: [], serves: [AUDIENCE] });
  const options = { issuer: issuer.url, audience: AUDIENCE, clientId: 'orders', clientSecret };
  const start = async ({ createResourceServer }: Pick<typeof before, 'createResourceServer'>) => {
    const serve = async (): Promise<string> =>
      `${(await stage.serve(createResourceServer(options))).url}/orders`;
    return { url: await serve(), serve };
  };
  const sides = { before: await start(before), after: await start(after) };
  const { same, better } = compare(stage, sides);
  const billing = await registerClient(issuer, 'billing', 'read');
  const writing = await registerClient(issuer, 'writing', 'write');
  const operators = await registerClient(issuer, 'operators', 'revocations:write');

  const token = await billing.requestToken();
  await same('no token', ({ url }) => statusOf(url), 401);
  await same('a token', ({ url }) => statusOf(url, token), 200);
  await same('one that was never issued', ({ url }) => statusOf(url, `${token}x`), 401);
  await billing.revoke(token);
  const told = async (): Promise<void> => {
    const headers = {
      authorization: `Bearer ${await operators.requestToken()}`,
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ token });
    const { status } = await fetch(new URL('/revocations', sides.after.url), {
      method: 'POST',
      headers,
      body,
    });
    assert.equal(status, 204);
  };
  await told();
  await same('the token, revoked', ({ url }) => statusOf(url, token), 401);

  await better('the wrong scope', async ({ url }) => statusOf(url, await writing.requestToken()), {
    before: 401,
    after: 403,
  });
  const again = await billing.requestToken();
  await better(
    `${CALLS} calls`,
    async ({ url }) => {
      asked = 0;
      const statuses = await Promise.all(Array.from({ length: CALLS }, () => statusOf(url, again)));
      assert(statuses.every((status) => status === 200));
      return `${asked} introspections`;
    },
    { before: `${CALLS} introspections`, after: '1 introspections' },
  );
  await issuer.stop();
  await better('the issuer is down, a token known for seconds', ({ url }) => statusOf(url, again), {
    before: 401,
    after: 200,
  });
  await better('the issuer is down, nothing known', async ({ serve }) => outageOf(await serve(), again), {
    before: '401',
    after: '503 Retry-After',
  });
}

/** In memory, unless there is a database. */
async function startIssuerOn(stage: Stage, database: string | undefined): Promise<ExampleIssuer> {
  if (database === undefined) return startIssuer(stage);
  const storage = await postgresStorage({ url: database });
  stage.atEnd(() => storage.close());
  return startIssuer(stage, { storage });
}

/** Whether this process sends a request to the introspection endpoint. */
function isIntrospection(message: unknown): boolean {
  const { request } = message as { request: { readonly path: string } };
  return request.path === '/introspect';
}

interface Client {
  requestToken(): Promise<string>;
  revoke(token: string): Promise<void>;
}

/** A client whose tokens are opaque. */
async function registerClient(issuer: ExampleIssuer, clientId: string, scope: string): Promise<Client> {
  const client_secret = await issuer.register({
    clientId,
    scopes: [scope],
    resources: [AUDIENCE],
    tokenFormat: 'opaque',
  });
  const post = async (path: string, parameters: Record<string, string>): Promise<Response> => {
    const body = new URLSearchParams({ client_id: clientId, client_secret, ...parameters });
    const response = await fetch(`${issuer.url}${path}`, { method: 'POST', body });
    assert.equal(response.status, 200);
    return response;
  };
  return {
    async requestToken() {
      const response = await post('/token', { grant_type: 'client_credentials' });
      const { access_token } = (await response.json()) as { access_token: string };
      return access_token;
    },
    revoke: async (token) => void (await post('/revoke', { token })),
  };
}
