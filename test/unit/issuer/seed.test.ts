import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type IssuerOptions,
  type IssuerSeed,
  type IssuerStorage,
  libsqlStorage,
  memoryStorage,
} from '../../../src/issuer/index.ts';
import { BILLING, createHarness, type Harness, ORDERS } from './harness.ts';

const secretKey = 'a secret key that all of the issuers have';
const GIVEN = 'a-secret-that-somebody-brought-along';
const ORDERS_RESOURCE = { resource: ORDERS, name: 'Orders', scopes: ['read', 'write'] };
const orders = { registration: { clientId: 'orders', name: 'Orders', scopes: [], serves: [ORDERS] } };
const billing = {
  registration: { clientId: 'billing', name: 'Billing', scopes: ['read', 'write'], resources: [ORDERS] },
  clientSecret: GIVEN,
};
const SEED: IssuerSeed = { resources: [ORDERS_RESOURCE], services: [orders, billing] };

const unchanged = { outcome: 'unchanged', differences: [] };
const created = { outcome: 'created', differences: [] };

function harnessOn(storage: IssuerStorage, options: Partial<IssuerOptions> = {}): Harness {
  return createHarness({ storage, secretKey, ...options });
}

async function actionsOf({ storage }: Harness): Promise<string[]> {
  const entries = await storage.listAudit({ limit: 100 });
  return entries.map(({ actor, action, target }) => `${actor} ${action} ${target}`).reverse();
}

/** A storage of which one function does something else. */
function withFault(storage: IssuerStorage, fault: Partial<IssuerStorage>): IssuerStorage {
  return { ...storage, ...fault };
}

describe.each(['memory', 'libsql'] as const)('a seed on %s', (kind) => {
  let directory: string;
  let storage: IssuerStorage;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'service-auth-seed-'));
    storage = kind === 'memory' ? memoryStorage() : await libsqlStorage({ directory });
  });
  afterEach(async () => {
    await storage.close();
    await rm(directory, { recursive: true });
  });

  it('is created: each thing in one entry, with the secret given, or one that is made and told once', async () => {
    const harness = harnessOn(storage);
    const report = await harness.issuer.seed(SEED);
    const made = report.services[0]?.clientSecret ?? '';
    expect(made).toMatch(/^sas_/);
    expect(report).toEqual({
      resources: [{ resource: ORDERS, ...created }],
      services: [
        { clientId: 'orders', ...created, clientSecret: made },
        { clientId: 'billing', ...created },
      ],
    });
    await harness.token({ clientId: 'orders', clientSecret: made });
    const credentials = { clientId: 'billing', clientSecret: GIVEN };
    const { payload } = await harness.verify(await harness.token(credentials, { resource: ORDERS }));
    expect(payload).toMatchObject({ sub: 'billing', aud: ORDERS, scope: 'read write' });
    expect(await actionsOf(harness)).toEqual([
      `seed resource.created ${ORDERS}`,
      'seed service.created orders',
      'seed service.created billing',
    ]);
    const [entry] = await storage.listAudit({ limit: 1 });
    expect(entry?.after).toEqual((await harness.admin('GET', '/admin/services/billing')).body);
    const kept = inspect(
      [await storage.listServices({ limit: 9 }), await storage.listAudit({ limit: 9 })],
      false,
      9,
    );
    for (const secret of [made, GIVEN]) expect(kept + JSON.stringify(harness.events)).not.toContain(secret);
    expect(harness.events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['issuer.resource_changed', 'issuer.service_created']),
    );
  });

  it('changes nothing when it is sown again, and shows no secret again', async () => {
    const harness = harnessOn(storage);
    await harness.issuer.seed(SEED);
    const before = await storage.listServices({ limit: 9 });
    expect(await harness.issuer.seed(SEED)).toEqual({
      resources: [{ resource: ORDERS, ...unchanged }],
      services: [
        { clientId: 'orders', ...unchanged },
        { clientId: 'billing', ...unchanged },
      ],
    });
    expect(await storage.listServices({ limit: 9 })).toEqual(before);
    expect((await actionsOf(harness)).length).toBe(3);
  });

  it('is created once by many that are at it at once, whose others see what there is', async () => {
    const harnesses = Array.from({ length: 8 }, () => harnessOn(storage));
    const reports = await Promise.all(harnesses.map(({ issuer }) => issuer.seed(SEED)));
    for (const clientId of ['orders', 'billing']) {
      const outcomes = reports.flatMap(({ services }) => services.filter((one) => one.clientId === clientId));
      expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual([
        'created',
        ...Array(7).fill('unchanged'),
      ]);
    }
    expect(reports.map(({ resources: [one] }) => one?.outcome).sort()[0]).toBe('created');
    const [first] = harnesses;
    if (first === undefined) throw new Error('there is no issuer');
    expect((await actionsOf(first)).length).toBe(3);
    const secrets = reports.flatMap(({ services }) => services.flatMap((one) => one.clientSecret ?? []));
    expect(secrets.length).toBe(1);
    await first.token({ clientId: 'orders', clientSecret: secrets[0] ?? '' });
  });

  it('tells what differs, and leaves it', async () => {
    const harness = harnessOn(storage);
    await harness.issuer.seed(SEED);
    await harness.admin('PATCH', '/admin/services/orders', { tokenFormat: 'opaque' });
    await harness.admin('DELETE', '/admin/services/billing');
    const before = await storage.listServices({ limit: 9 });
    const other: IssuerSeed = {
      resources: [{ resource: ORDERS, scopes: [] }],
      services: [
        { registration: { ...orders.registration, name: 'Other' } },
        {
          registration: { ...billing.registration, scopes: ['write', 'read'] },
          clientSecret: `${GIVEN}-2`,
        },
      ],
    };
    expect(await harness.issuer.seed(other)).toEqual({
      resources: [{ resource: ORDERS, outcome: 'differs', differences: ['name', 'scopes'] }],
      services: [
        { clientId: 'orders', outcome: 'differs', differences: ['name', 'tokenFormat'] },
        { clientId: 'billing', outcome: 'differs', differences: ['revokedAt', 'secret'] },
      ],
    });
    expect(await storage.listServices({ limit: 9 })).toEqual(before);
    expect(await storage.findResource(ORDERS)).toMatchObject({ name: 'Orders', version: 1 });
  });

  it('goes on where it was cut off: what was created is whole', async () => {
    let left = 1;
    const failing = withFault(storage, {
      createService: async (...parts) => {
        if (left-- === 0) throw new Error('the database is gone');
        return storage.createService(...parts);
      },
    });
    const first = harnessOn(failing);
    await expect(first.issuer.seed({ ...SEED, services: [billing, orders] })).rejects.toThrow(
      'the database is gone',
    );
    const second = harnessOn(storage);
    await second.token({ clientId: 'billing', clientSecret: GIVEN });
    const { services } = await second.issuer.seed({ ...SEED, services: [billing, orders] });
    expect(services.map(({ outcome }) => outcome)).toEqual(['unchanged', 'created']);
    expect((await actionsOf(second)).length).toBe(3);
  });

  it('keeps a given secret sealed for client_secret_jwt alone', async () => {
    const harness = harnessOn(storage);
    const registration = { clientId: 'jwt', name: 'JWT', scopes: [] };
    await harness.issuer.seed({
      services: [
        { registration: { ...registration, authMethods: ['client_secret_jwt'] }, clientSecret: GIVEN },
        { registration: { ...registration, clientId: 'basic' }, clientSecret: GIVEN },
      ],
    });
    const sealed = async (id: string) => (await storage.findService(id))?.secrets[0]?.sealed;
    expect([typeof (await sealed('jwt')), await sealed('basic')]).toEqual(['string', undefined]);
  });
});

describe('a seed', () => {
  const federated = {
    registration: {
      clientId: 'pod',
      name: 'Pod',
      scopes: [],
      federatedIdentities: [{ issuer: 'https://cluster.example', subject: 'pod' }],
    },
  };

  it('makes no secret for a service that needs none', async () => {
    const { issuer, storage } = createHarness();
    const { services } = await issuer.seed({ services: [federated] });
    expect(services).toEqual([{ clientId: 'pod', ...created }]);
    expect((await storage.findService('pod'))?.secrets).toEqual([]);
  });

  it('loses to a twin that comes in between', async () => {
    const storage = memoryStorage();
    const twin = harnessOn(storage);
    const slow = withFault(storage, {
      createService: async (...parts) => {
        await twin.issuer.seed(SEED);
        return storage.createService(...parts);
      },
    });
    const { services } = await harnessOn(slow).issuer.seed({ services: [orders, billing] });
    expect(services.map(({ outcome }) => outcome)).toEqual(['unchanged', 'unchanged']);
  });

  it('finds the resources of the options', async () => {
    const { issuer, storage } = createHarness({ resources: [{ resource: ORDERS, scopes: ['read'] }] });
    const { resources, services } = await issuer.seed({
      resources: [
        { resource: ORDERS, scopes: ['read'] },
        { resource: BILLING, scopes: ['read'] },
      ],
      services: [{ ...billing, registration: { ...billing.registration, resources: [ORDERS, BILLING] } }],
    });
    expect(resources.map(({ outcome }) => outcome)).toEqual(['unchanged', 'created']);
    expect(services[0]?.outcome).toBe('created');
    expect(await storage.findResource(ORDERS)).toBeUndefined();
  });

  const a = { clientId: 'a', name: 'A', scopes: [] };
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'Issuer.seed: seed must be an object'],
    ['no services', {}, 'Issuer.seed: services must be a list'],
    ['a misspelt member', { services: [], resource: [] }, 'did you mean resources?'],
    [
      'a scope with quotes',
      { services: [{ registration: { ...a, scopes: ['canary"'] } }] },
      "the seed's service a could not be created: scopes.0: must be visible ASCII",
    ],
    [
      'no client id',
      { services: [{ registration: { name: 'A', scopes: [] } }] },
      "the seed's services[0] could not be created: clientId must be given",
    ],
    [
      'mass assignment',
      { services: [{ registration: { ...a, version: 7 } }] },
      "the seed's service a could not be created: Unrecognized key",
    ],
    [
      'a short secret',
      { services: [{ registration: a, clientSecret: 'canary' }] },
      'clientSecret must be 32 to 1000 visible ASCII characters',
    ],
    [
      'a secret that nothing needs',
      { services: [{ ...federated, clientSecret: GIVEN }] },
      'clientSecret is for a method with a secret, which authMethods does not have',
    ],
    [
      'one service twice',
      { services: [{ registration: a }, { registration: a }] },
      'the seed names service a twice',
    ],
    [
      'a resource that is none',
      { resources: [{ resource: 'canary' }], services: [] },
      "the seed's resources[0] could not be created: resource: must be an absolute URI",
    ],
    [
      'a resource that is not known',
      { services: [{ registration: a }, billing] },
      "the seed's service billing could not be created: resources: has a resource that is not known here",
    ],
  ])('with %s is refused before any service is created', async (_, seed, message) => {
    const { issuer, storage } = createHarness({ resources: [BILLING] });
    // What a program without types may pass.
    const failure = await issuer.seed(seed as IssuerSeed).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TypeError);
    expect(String(failure)).toContain(message);
    expect(inspect(failure)).not.toContain('canary');
    expect(inspect(failure)).not.toContain(GIVEN);
    expect(await storage.listServices({ limit: 9 })).toEqual([]);
  });
});
