/** web calls orders, which asks stock, which asks the warehouse: all for web, each under its own name. */
import assert from 'node:assert/strict';
import { createAuthedFetch } from 'service-auth';
import { type ExampleIssuer, startIssuer } from '../kit/issuer.ts';
import { type Environment, node } from '../kit/programs.ts';
import type { Stage } from '../kit/stage.ts';

const resource = (name: string): string => `https://${name}.example`;
const CHAIN = ['orders', 'stock', 'warehouse'] as const;
/** Whoever starts a chain holds the scopes of its end. */
const scopes = ['orders:read', 'stock:read', 'shelves:read'];

export async function run(stage: Stage): Promise<void> {
  const issuer = await stage.step(
    'an issuer',
    () => startIssuer(stage),
    ({ url }) => url,
  );
  const environments = await stage.step(
    'four services registered',
    () => registerAll(issuer),
    () => `web, ${CHAIN.join(', ')}`,
  );
  const start = (name: (typeof CHAIN)[number], next: Environment = {}): Promise<string> =>
    stage.step(
      name,
      async () => (await stage.start(node(`chain/${name}.ts`), { ...environments[name], ...next })).url,
    );
  const warehouse = await start('warehouse');
  const stock = await start('stock', { WAREHOUSE_URL: warehouse });
  const orders = await start('orders', { STOCK_URL: stock });
  const callAsWeb = createAuthedFetch({
    issuer: issuer.url,
    clientId: 'web',
    clientSecret: environments.web?.SERVICE_AUTH_CLIENT_SECRET ?? '',
    targets: [{ origin: orders, scope: scopes.join(' '), resource: resource('orders') }],
  });
  stage.atEnd(() => callAsWeb.close());

  await stage.step('web asks orders, and the warehouse sees', async () => {
    const response = await callAsWeb(`${orders}/orders`);
    const { stock: answer } = (await response.json()) as { stock: { shelf: Record<string, unknown> } };
    const { subject, actor, scopes: left, secondsLeft } = answer.shelf;
    assert.equal(response.status, 200);
    assert.deepEqual(left, ['shelves:read']);
    assert.deepEqual(actor, { sub: 'stock', act: { sub: 'orders' } });
    assert(Number(secondsLeft) <= 600);
    return `${subject}, through stock, through orders`;
  });
  await showRefusals(stage, issuer, { orders, stock }, callAsWeb);
}

async function showRefusals(
  stage: Stage,
  issuer: ExampleIssuer,
  { orders, stock }: Readonly<Record<'orders' | 'stock', string>>,
  callAsWeb: ReturnType<typeof createAuthedFetch>,
): Promise<void> {
  const ofWeb = { scope: scopes.join(' '), resource: resource('orders') };
  const { accessToken } = await callAsWeb.tokens.getToken(ofWeb);
  await stage.step('the token of web, sent to stock itself', async () => {
    const response = await fetch(`${stock}/stock`, { headers: { authorization: `Bearer ${accessToken}` } });
    assert.equal(response.status, 401);
    return '401, as it is for orders';
  });
  await stage.step('web exchanges a token for orders by itself', async () => {
    const exchange = callAsWeb.tokens.exchange({ subjectToken: accessToken, resource: resource('stock') });
    await assert.rejects(exchange, { code: 'token_request_rejected', oauthError: 'invalid_target' });
    return 'invalid_target, as web may not call stock';
  });
  await stage.step('orders is revoked', async () => {
    await issuer.admin.services.revoke('orders');
    // Of the token before, orders still holds what it was exchanged for.
    await callAsWeb.tokens.getToken({ ...ofWeb, forceRefresh: true });
    const response = await callAsWeb(`${orders}/orders`);
    const text = await response.text();
    assert.deepEqual([response.status, text], [502, '{"error":"token_request_rejected"}']);
    return 'it gets no token for web any more';
  });
}

async function registerAll(issuer: ExampleIssuer): Promise<Record<string, Environment>> {
  const names = ['web', ...CHAIN];
  const environments: Record<string, Environment> = {};
  for (const [at, clientId] of names.entries()) {
    const next = names[at + 1];
    const secret = await issuer.register({
      clientId,
      scopes,
      // What it is itself, and what it calls.
      serves: clientId === 'web' ? [] : [resource(clientId)],
      resources: next === undefined ? [] : [resource(next)],
    });
    environments[clientId] = {
      SERVICE_AUTH_ISSUER: issuer.url,
      SERVICE_AUTH_AUDIENCE: resource(clientId),
      SERVICE_AUTH_CLIENT_ID: clientId,
      SERVICE_AUTH_CLIENT_SECRET: secret,
    };
  }
  return environments;
}
