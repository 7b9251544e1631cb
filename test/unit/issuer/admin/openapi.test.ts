import { expect, it } from 'vitest';
import { createAdminRoutes } from '../../../../src/issuer/admin/admin-routes.ts';
import { createClientKeys } from '../../../../src/issuer/clients/client-keys.ts';
import { createSecrets } from '../../../../src/issuer/clients/secrets.ts';
import { createHousekeeping } from '../../../../src/issuer/housekeeping.ts';
import { createLimits } from '../../../../src/issuer/limits/limits.ts';
import { createResourceRegistry } from '../../../../src/issuer/resource-registry.ts';
import { ADMIN_TOKEN } from '../harness.ts';
import { createRooms } from '../tokens/support.ts';
import { createAdminHarness, type Document } from './support.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

async function readDocument(issuer?: string): Promise<Document & Record<string, unknown>> {
  const harness = createAdminHarness(issuer === undefined ? {} : { issuer });
  const { status, headers, body } = await harness.call(`${harness.issuer.issuer}/admin/openapi.json`);
  expect([status, headers.get('content-type')]).toEqual([200, 'application/json']);
  return body;
}

it('needs no token, holds none, and names the issuer as its server', async () => {
  const document = await readDocument('https://idp.example/tenants/a');
  expect(document.openapi).toMatch(/^3\.1\./);
  expect(document.servers).toEqual([{ url: 'https://idp.example/tenants/a' }]);
  expect(JSON.stringify(document)).not.toContain(ADMIN_TOKEN);
});

it('has every route and method that the router has, and no other', async () => {
  const { paths } = await readDocument();
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const harness = createAdminHarness();
  const answered: string[] = [];
  for (const path of Object.keys(paths)) {
    for (const method of METHODS) {
      const { status } = await harness.call(path.replaceAll(/\{\w+\}/g, 'x'), { method });
      if (status !== 405) answered.push(`${method} ${path}`);
      expect([200, 401, 405]).toContain(status);
    }
  }
  expect(answered.sort()).toEqual(documented.sort());
});

it('each route of the router is a path of the document', async () => {
  const { paths } = await readDocument();
  const { settings, storage, keys, tokens } = createRooms();
  const routes = createAdminRoutes(
    {
      settings,
      keys,
      tokens,
      secrets: createSecrets(settings.secretKey, settings.randomBytes),
      clientKeys: createClientKeys(settings, undefined),
      housekeeping: createHousekeeping(storage, settings.now),
      limits: createLimits(settings, undefined),
      resources: createResourceRegistry(settings),
      emit: undefined,
    },
    '',
  );
  const templates = routes.map(({ path }) => path.replaceAll(/:(\w+)/g, '{$1}'));
  expect(templates.sort()).toEqual(Object.keys(paths).sort());
});

it('every reference leads to a schema, and every schema is used', async () => {
  const document = await readDocument();
  const text = JSON.stringify(document);
  const used = new Set([...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name));
  expect([...used].sort()).toEqual(Object.keys(document.components.schemas).sort());
});

it('says what input may be: bodies, queries, headers and paths', async () => {
  const { paths } = await readDocument();
  const create = JSON.stringify(paths['/admin/services']?.post);
  for (const member of [
    'clientId',
    'tlsClientAuth',
    'federatedIdentities',
    'Idempotency-Key',
    'private_key_jwt',
  ]) {
    expect(create).toContain(member);
  }
  const list: { parameters?: unknown } = Object(paths['/admin/services']?.get);
  expect(list.parameters).toEqual([
    expect.objectContaining({ name: 'after', in: 'query', required: false }),
    expect.objectContaining({
      name: 'limit',
      schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
    }),
  ]);
  const patch: { requestBody?: { content: object } } = Object(paths['/admin/services/{clientId}']?.patch);
  expect(Object.keys(patch.requestBody?.content ?? {})).toEqual([
    'application/merge-patch+json',
    'application/json',
  ]);
  expect(paths['/admin/openapi.json']?.get).toMatchObject({ security: [] });
});
