import { describe, expect, it } from 'vitest';
import type { ResourceOptions } from '../../../src/issuer/index.ts';
import { memoryStorage } from '../../../src/issuer/index.ts';
import { createResourceRegistry } from '../../../src/issuer/resource-registry.ts';
import { BILLING, ISSUER, ORDERS, START_MS } from './harness.ts';

async function createRegistry(configured: readonly ResourceOptions[] | undefined) {
  const storage = memoryStorage();
  const stored = { name: undefined, createdAtMs: START_MS, updatedAtMs: START_MS, version: 1 };
  const audit = {
    atMs: START_MS,
    actor: 'admin',
    action: 'resource.created',
    before: undefined,
    after: undefined,
  };
  for (const [resource, scopes] of [
    [BILLING, ['bills:read']],
    [ORDERS, ['stored']],
  ] as const) {
    await storage.createResource({ ...stored, resource, scopes }, { ...audit, target: resource });
  }
  const resources = configured && new Map(configured.map((options) => [options.resource, options]));
  return createResourceRegistry({ issuer: ISSUER, resources, storage });
}

describe('the registry of resources', () => {
  it('knows those of the options before those of the admin API, and no others', async () => {
    const registry = await createRegistry([{ resource: ORDERS, scopes: ['configured'] }]);
    expect(await registry.find(ORDERS)).toEqual({ resource: ORDERS, scopes: ['configured'] });
    expect(await registry.find(BILLING)).toMatchObject({ resource: BILLING, scopes: ['bills:read'] });
    expect(await registry.find('https://other.example')).toBeUndefined();
    expect(await registry.find('__proto__')).toBeUndefined();
  });

  it('without options takes any, with the scopes of the admin API where it has them', async () => {
    const registry = await createRegistry(undefined);
    expect(await registry.find('https://other.example')).toEqual({ resource: 'https://other.example' });
    expect(await registry.find(BILLING)).toMatchObject({ scopes: ['bills:read'] });
  });

  it('knows the issuer, as the resource of its admin API', async () => {
    expect(await (await createRegistry([{ resource: ORDERS }])).find(ISSUER)).toEqual({ resource: ISSUER });
  });
});
