/** The resource server before and after, in front of oidc-provider, with opaque tokens of users and of machines. */
import assert from 'node:assert/strict';
import { compare, outageOf, statusOf } from '../../kit/comparison.ts';
import type { Stage } from '../../kit/stage.ts';
import * as after from './after.ts';
import * as before from './before.ts';
import { secrets, startProvider, startSilentProvider } from './provider.ts';

const AUDIENCE = 'https://orders.example';
const CALLS = 20;

type Systems = Pick<typeof before, 'createCaller' | 'createResourceServer'>;

export async function run(stage: Stage): Promise<void> {
  const provider = await stage.step(
    'oidc-provider',
    () => startProvider(stage, AUDIENCE),
    ({ issuer }) => issuer,
  );
  const { issuer, requests } = provider;
  const silent = await startSilentProvider(stage, provider);
  const orders = { issuer, clientId: 'orders', clientSecret: secrets.orders };
  const start = async ({ createCaller, createResourceServer }: Systems) => {
    const serve = async (): Promise<string> =>
      (await stage.serve(createResourceServer(orders, AUDIENCE))).url;
    const url = await serve();
    const connect = (from = issuer) =>
      createCaller({ issuer: from, clientId: 'billing', clientSecret: secrets.billing }, AUDIENCE, url);
    return { url, serve, connect, call: connect() };
  };
  const { same, better } = compare(stage, { before: await start(before), after: await start(after) });
  const ofUser = await provider.tokenOfUser();
  const asked = (path: string): number => requests.filter((each) => each === path).length;

  await same('no token', ({ url }) => statusOf(`${url}/orders`), 401);
  await same(
    'a token of a machine',
    async ({ url, call }) => (await call(`${url}/orders`)).text(),
    '{"kind":"service","caller":"billing"}',
  );
  await same(
    'a token of a user',
    async ({ url }) =>
      (await fetch(`${url}/orders`, { headers: { authorization: `Bearer ${ofUser}` } })).text(),
    '{"kind":"user","caller":"web"}',
  );
  await same(
    'a user, where services alone may come',
    ({ url }) => statusOf(`${url}/services-only`, ofUser),
    403,
  );
  await same('one that was never issued', ({ url }) => statusOf(`${url}/orders`, 'made-up'), 401);
  await same(
    'two calls, when expires_in is missing',
    async ({ url, connect }) => {
      const earlier = asked('/token');
      const call = connect(silent);
      for (const _ of [1, 2]) assert.equal((await call(`${url}/orders`)).status, 200);
      return `${asked('/token') - earlier} token`;
    },
    '1 token',
  );
  await better(
    `${CALLS} calls with a token that was made up`,
    async ({ url }) => {
      const earlier = asked('/token/introspection');
      for (const _ of Array(CALLS)) await statusOf(`${url}/orders`, 'made-up-too');
      return `${asked('/token/introspection') - earlier} introspections`;
    },
    { before: `${CALLS} introspections`, after: '1 introspections' },
  );
  await provider.stop();
  await same('the provider is down, a token known', ({ url }) => statusOf(`${url}/orders`, ofUser), 200);
  await better(
    'the provider is down, nothing known',
    async ({ serve }) => outageOf(`${await serve()}/orders`, ofUser),
    {
      before: '500',
      after: '503 Retry-After',
    },
  );
}
