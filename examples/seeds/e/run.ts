/** The registry and a Nest service before and after; while services move over, tokens of both kinds are good. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { INestApplication } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import { compare, statusOf, tampered } from '../../kit/comparison.ts';
import { startIssuer } from '../../kit/issuer.ts';
import type { Stage } from '../../kit/stage.ts';
import * as after from './after.ts';
import * as before from './before.ts';
import type { Registry } from './registry.ts';

interface Side {
  readonly registry: Registry;
  readonly url: string;
  /** Starts another instance of the service. */
  serve(): Promise<string>;
}

const SCOPES = ['orders:read'];

export async function run(stage: Stage): Promise<void> {
  const shared = randomBytes(32).toString('hex');
  process.env.REGISTRY_SECRET = shared;
  const issuer = await stage.step(
    'an issuer',
    () => startIssuer(stage),
    ({ url }) => url,
  );
  const serve = async (app: INestApplication): Promise<string> => {
    await app.listen(0, '127.0.0.1');
    stage.atEnd(() => app.close());
    return `${await app.getUrl()}/orders`;
  };
  const start = async (registry: Registry, create: () => Promise<INestApplication>): Promise<Side> => {
    const serveOne = async (): Promise<string> => serve(await create());
    return { registry, url: await serveOne(), serve: serveOne };
  };
  const sides = {
    before: await start(before.createRegistry(shared), before.createOrders),
    after: await start(after.createRegistry(issuer.admin, issuer.url), () =>
      after.createOrders(issuer.url, shared),
    ),
  };
  const { same, better } = compare(stage, sides);

  await same(
    'a service is created, listed and read',
    ({ registry }) => createAndRead(registry),
    'the secret is shown once',
  );
  await same(
    'its secret is rotated',
    ({ registry }) => rotate(registry),
    'old and new, then the new one alone',
  );
  await same('it is revoked', ({ registry }) => revoke(registry), 'no token, and the record stays');

  await same('no token', ({ url }) => statusOf(url), 401);
  const tokens = { before: await tokenOf(sides.before), after: await tokenOf(sides.after) };
  await same('a token', ({ url }, name) => statusOf(url, tokens[name]), 200);
  await same('a token of the old registry', ({ url }) => statusOf(url, tokens.before), 200);
  await same('a tampered token', ({ url }, name) => statusOf(url, tampered(tokens[name])), 401);
  await same('the wrong scope', ({ url }, name) => post(url, tokens[name]), 403);
  const claims = { client_id: 'ada', token_type: 'user', scopes: SCOPES };
  const ofUser = jwt.sign(claims, shared, { issuer: before.ISSUER, subject: 'ada', expiresIn: 900 });
  await same('a token of a user', ({ url }) => statusOf(url, ofUser), 403);

  await better(
    'a live token of a revoked service',
    async ({ registry, serve: serveOne }, name) => {
      await registry.revoke('billing');
      return statusOf(await serveOne(), tokens[name]);
    },
    { before: 200, after: 401 },
  );
  const moved = await serve(await after.createOrders(issuer.url));
  const forged = jwt.sign({ ...claims, token_type: 'service', client_id: 'root' }, shared, {
    issuer: before.ISSUER,
    subject: 'root',
    expiresIn: 900,
  });
  await better(
    'made by a service, with the secret that all share',
    ({ url }, name) => statusOf(name === 'before' ? url : moved, forged),
    { before: 200, after: 401 },
  );
}

async function createAndRead(registry: Registry): Promise<string> {
  const secret = await registry.create('stock', SCOPES);
  const shown = await registry.read('stock');
  assert.deepEqual(await registry.list(), ['stock']);
  assert(secret.length >= 40 && !shown.includes(secret));
  assert.notEqual(await registry.token('stock', secret), undefined);
  return 'the secret is shown once';
}

async function rotate(registry: Registry): Promise<string> {
  const old = await registry.create('mail', SCOPES);
  const added = await registry.addSecret('mail');
  for (const secret of [old, added]) assert.notEqual(await registry.token('mail', secret), undefined);
  await registry.removeOldestSecret('mail');
  assert.equal(await registry.token('mail', old), undefined);
  assert.notEqual(await registry.token('mail', added), undefined);
  return 'old and new, then the new one alone';
}

async function revoke(registry: Registry): Promise<string> {
  const secret = await registry.create('shipping', SCOPES);
  await registry.revoke('shipping');
  assert.equal(await registry.token('shipping', secret), undefined);
  assert.match(await registry.read('shipping'), /"revokedAt":"\d{4}-/);
  return 'no token, and the record stays';
}

async function tokenOf({ registry }: Side): Promise<string> {
  const token = await registry.token('billing', await registry.create('billing', SCOPES));
  assert(token);
  return token;
}

async function post(url: string, token: string | undefined): Promise<number> {
  const response = await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  await response.body?.cancel();
  return response.status;
}
