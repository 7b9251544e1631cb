/** The Hono service before and after, called by the client before and after, with tokens that are bound to a key. */
import assert from 'node:assert/strict';
import { getRequestListener } from '@hono/node-server';
import { compare, statusOf } from '../../kit/comparison.ts';
import { startIssuer } from '../../kit/issuer.ts';
import type { Stage } from '../../kit/stage.ts';
import * as after from './after.ts';
import type { Client, ClientOptions } from './before.ts';
import * as before from './before.ts';

const AUDIENCE = 'https://orders.example';
const HERD = 20;

/** What both files export. */
interface Side {
  createClient(options: ClientOptions): Client;
  createService(issuer: string, audience: string): { fetch(request: Request): Response | Promise<Response> };
}

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
  const scopes = ['orders:read', 'orders:write'];
  const clientSecret = await issuer.register({
    clientId: 'billing',
    scopes,
    resources: [AUDIENCE],
    dpopBound: true,
  });
  const serve = async ({ createService }: Side): Promise<string> => {
    const { fetch: answer } = createService(issuer.url, AUDIENCE);
    return `${(await stage.serve(getRequestListener(answer))).url}/orders`;
  };
  const urls = { before: await serve(before), after: await serve(after) };
  const origins = Object.values(urls).map((url) => new URL(url).origin);
  const start = (side: Side, url: string) => {
    const connect = (scope: string | readonly string[]): Client =>
      side.createClient({
        issuer: issuer.url,
        clientId: 'billing',
        clientSecret,
        scope,
        resource: AUDIENCE,
        origins,
      });
    return { url, connect, client: connect(scopes), serve: () => serve(side) };
  };
  const { same, better } = compare(stage, {
    before: start(before, urls.before),
    after: start(after, urls.after),
  });

  await same('no token', ({ url }) => statusOf(url), 401);
  await same('the client', async ({ url, client }) => (await client.call(url)).status, 200);
  await same(
    'its client with the other service',
    async ({ client }, name) => {
      const url = name === 'before' ? urls.after : urls.before;
      return (await client.call(url)).text();
    },
    '{"orders":["tea"],"caller":"billing"}',
  );
  await same(
    'the wrong scope',
    async ({ url, connect }) => (await connect('orders:write').call(url)).status,
    403,
  );
  await same(
    'the token without its proof',
    async ({ url, client }) => {
      const { authorization = '' } = await client.headers(url);
      return statusOf(url, authorization.split(' ')[1]);
    },
    401,
  );
  await same(
    'a proof for another URL',
    async ({ url, client }) => {
      return (await fetch(url, { headers: await client.headers(`${url}/7`) })).status;
    },
    401,
  );
  await same('a scope that is not registered', ({ client }) => client.failure('admin'), '400 invalid_scope');

  await better(
    'a request that somebody sends again',
    async ({ url, client }) => {
      const headers = await client.headers(url);
      assert.equal((await fetch(url, { headers })).status, 200);
      return (await fetch(url, { headers })).status;
    },
    { before: 200, after: 401 },
  );
  await better(
    `${HERD} calls at once, no token yet`,
    async ({ url, connect }) => {
      issued = 0;
      const client = connect(scopes);
      await Promise.all(Array.from({ length: HERD }, () => client.call(url)));
      return `${issued} token requests`;
    },
    { before: `${HERD} token requests`, after: '1 token requests' },
  );
  await issuer.stop();
  await better(
    'the service just started, issuer down',
    async ({ serve, client }) => {
      const url = await serve();
      return (await fetch(url, { headers: await client.headers(url) })).status;
    },
    { before: 401, after: 503 },
  );
}
