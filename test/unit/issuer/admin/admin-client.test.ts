import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createAuthedFetch, isServiceAuthError, type ServiceAuthError } from '../../../../src/index.ts';
import { createAdminClient, serveIssuer } from '../../../../src/issuer/index.ts';
import { ADMIN_TOKEN, createHarness, type Harness, ISSUER, ORDERS } from '../harness.ts';

function clientOf({ issuer }: Harness, more: object = {}) {
  return createAdminClient({
    issuer: ISSUER,
    adminToken: ADMIN_TOKEN,
    fetch: (url, init) => issuer.fetch(new Request(url, init)),
    ...more,
  });
}

async function failureOf(work: Promise<unknown>): Promise<ServiceAuthError> {
  const outcome: unknown = await work.then(
    () => 'done',
    (error) => error,
  );
  if (!isServiceAuthError(outcome)) throw new Error(`no failure: ${inspect(outcome)}`);
  return outcome;
}

const SERVICE = { name: 'Billing', scopes: ['read'], resources: [ORDERS] };

it('does all that the API does, over HTTP', async () => {
  const server = await serveIssuer({ port: 0, adminToken: ADMIN_TOKEN });
  try {
    const { services, secrets, resources, keys, audit } = createAdminClient({
      issuer: server.url,
      adminToken: () => ADMIN_TOKEN,
    });
    const created = await services.create({ ...SERVICE, clientId: 'spiffe://a/b?c' });
    expect(created.clientSecret).toMatch(/^sas_/);
    const { clientSecret: _, ...shown } = created;
    const id = created.clientId;
    expect(await services.get(id)).toEqual(shown);
    const updated = await services.update(id, { name: 'Invoices', description: null }, { ifVersion: 1 });
    expect([updated.name, updated.version]).toEqual(['Invoices', 2]);
    const late = await failureOf(services.update(id, { name: 'x' }, { ifVersion: 1 }));
    expect([late.code, late.status, late.problem?.code]).toEqual(['admin_refused', 412, 'version_mismatch']);

    const secret = await secrets.create(id, { expiresInSeconds: 60, expireOthersInSeconds: 0 });
    expect(secret.clientSecret).toMatch(/^sas_/);
    expect(await secrets.remove(id, secret.id)).toBeUndefined();
    expect((await services.get(id)).secrets.length).toBe(1);

    const orders = await resources.create({ resource: ORDERS, scopes: ['read'] });
    expect(await resources.get(ORDERS)).toEqual(orders);
    expect((await resources.update(ORDERS, { name: 'Orders' }, { ifVersion: 1 })).name).toBe('Orders');
    const second = await failureOf(resources.update(ORDERS, { name: 'x' }, { ifVersion: 1 }));
    expect([second.status, second.problem?.code]).toEqual([412, 'version_mismatch']);
    expect((await resources.list()).resources.length).toBe(1);
    expect(await resources.remove(ORDERS)).toBeUndefined();

    expect((await keys.rotate({ immediately: true })).state).toBe('active');
    expect((await keys.list()).keys.map(({ state }) => state)).toEqual(['retiring', 'active']);

    expect(await services.revoke(id)).toBeUndefined();
    expect((await services.list({ limit: 1 })).services[0]?.revokedAt).toBeDefined();
    const { entries, next } = await audit.list({ limit: 1, target: id });
    expect([entries[0]?.action, next]).toEqual(['service.revoked', entries[0]?.sequence]);
    const older = await audit.list({ target: id, ...(next !== undefined && { before: next }) });
    expect(older.entries.at(-1)?.action).toBe('service.created');
  } finally {
    await server.close();
  }
});

it('gives all services, page by page', async () => {
  const harness = createHarness();
  const paths: string[] = [];
  const { services } = clientOf(harness, {
    fetch: (url: string, init: RequestInit) => {
      paths.push(new URL(url).search.replace(/after=[\w-]+/, 'after=…'));
      return harness.issuer.fetch(new Request(url, init));
    },
  });
  for (let count = 0; count < 201; count++) await harness.register({ clientId: `s${count}` });
  const found: string[] = [];
  for await (const { clientId } of services.all()) found.push(clientId);
  expect(found).toEqual(Array.from({ length: 201 }, (_, at) => `s${at}`));
  expect(paths).toEqual(['?limit=200', '?after=…&limit=200']);
});

it('goes with an authed fetch in place of a token', async () => {
  const harness = createHarness();
  const ops = await harness.register({ clientId: 'ops', scopes: ['services:admin'], resources: [ISSUER] });
  const authedFetch = createAuthedFetch({
    issuer: ISSUER,
    ...ops,
    dpop: true,
    now: () => harness.nowSeconds() * 1000,
    targets: [{ origin: ISSUER, scope: 'services:admin', resource: ISSUER }],
    fetch: (url, init) => harness.issuer.fetch(new Request(url, init)),
  });
  const { audit, services } = createAdminClient({
    issuer: ISSUER,
    fetch: (url, init) => authedFetch(url, init),
  });
  await services.create({ ...SERVICE, clientId: 'billing' });
  expect((await audit.list({ limit: 1 })).entries[0]).toMatchObject({ actor: 'ops', target: 'billing' });
  await authedFetch.close();
});

describe('a create whose answer is lost', () => {
  function losing(harness: Harness, losses: number) {
    const keys: (string | null)[] = [];
    const fetch = async (url: string, init?: RequestInit): Promise<Response> => {
      const request = new Request(url, init);
      keys.push(request.headers.get('idempotency-key'));
      const response = await harness.issuer.fetch(request);
      if (keys.length <= losses) throw new TypeError('fetch failed');
      return response;
    };
    return { keys, client: clientOf(harness, { fetch }) };
  }

  it('is asked for once more with the same key, and done once', async () => {
    const harness = createHarness();
    const { keys, client } = losing(harness, 1);
    const { clientSecret, clientId } = await client.services.create(SERVICE);
    expect(keys).toEqual([keys[0], keys[0]]);
    expect(keys[0]).toMatch(/^[\w-]{22}$/);
    expect((await harness.storage.listServices({ limit: 10 })).length).toBe(1);
    expect(await harness.token({ clientId, clientSecret: clientSecret ?? '' })).toEqual(expect.any(String));
  });

  it('under the key that was given, for secrets, too', async () => {
    const harness = createHarness();
    const { clientId } = await harness.register();
    const { keys, client } = losing(harness, 1);
    await client.secrets.create(clientId, {}, { idempotencyKey: 'mine' });
    expect(keys).toEqual(['mine', 'mine']);
    expect((await harness.storage.findService(clientId))?.secrets.length).toBe(2);
  });

  it('not a third time, and nothing else is asked twice', async () => {
    const harness = createHarness();
    const { keys, client } = losing(harness, 3);
    expect((await failureOf(client.services.create(SERVICE))).code).toBe('network_failed');
    expect(keys.length).toBe(2);
    expect((await failureOf(client.keys.rotate())).code).toBe('network_failed');
    expect(keys.length).toBe(3);
  });

  it('a refusal is no loss', async () => {
    const harness = createHarness();
    const { keys, client } = losing(harness, 0);
    const { code, problem } = await failureOf(client.services.create({ ...SERVICE, scopes: ['a b'] }));
    expect([code, problem?.errors[0]?.path, keys.length]).toEqual(['admin_refused', 'scopes.0', 1]);
  });
});

describe('failures', () => {
  it('say what the issuer said', async () => {
    const { message, problem, status } = await failureOf(clientOf(createHarness()).services.get('nobody'));
    expect(message).toBe(`${ISSUER}/admin/services/nobody answered 404; there is no such service`);
    expect([status, problem?.detail]).toEqual([404, 'there is no such service']);
    const input = { ...SERVICE, name: '' };
    const refused = await failureOf(clientOf(createHarness()).services.create(input));
    expect(refused.message).toContain('the input is not valid; name: ');
  });

  it('never show the token', async () => {
    const wrong = `${ADMIN_TOKEN}-wrong`;
    const failures = [
      await failureOf(clientOf(createHarness(), { adminToken: wrong }).services.list()),
      await failureOf(
        clientOf(createHarness(), {
          adminToken: wrong,
          fetch: () => Promise.reject(new TypeError(`no ${wrong}`)),
        }).services.list(),
      ),
      await failureOf(
        clientOf(createHarness(), {
          adminToken: () => {
            throw new Error(wrong);
          },
        }).keys.list(),
      ),
      await failureOf(clientOf(createHarness(), { adminToken: () => `${wrong}\nx` }).keys.list()),
    ];
    expect(failures.map(({ code }) => code)).toEqual([
      'admin_refused',
      'network_failed',
      'client_auth_failed',
      'client_auth_failed',
    ]);
    expect(inspect(failures, { depth: 9 })).not.toContain(wrong);
  });

  it('an answer that is none of this API is told apart', async () => {
    const answering = (body: string, init: ResponseInit) =>
      clientOf(createHarness(), { fetch: async () => new Response(body, init) }).keys.list();
    expect((await failureOf(answering('<html>', { status: 200 }))).code).toBe('response_malformed');
    expect((await failureOf(answering('{"keys":[{}]}', { status: 200 }))).code).toBe('response_malformed');
    const gateway = await failureOf(answering('<html>', { status: 502, headers: { 'retry-after': '7' } }));
    expect([gateway.code, gateway.status, gateway.retryAfterMs]).toEqual(['admin_refused', 502, 7000]);
    const moved = { status: 302, headers: { location: 'https://elsewhere.example' } };
    expect((await failureOf(answering('', moved))).code).toBe('redirect_refused');
  });

  it('members of a later version are no failure', async () => {
    const body = { keys: [], later: true };
    const client = clientOf(createHarness(), { fetch: async () => Response.json(body) });
    expect(await client.keys.list()).toEqual({ keys: [] });
  });
});

it.each([
  [{ issuer: 'http://idp.example' }, /issuer must be an https URL/],
  [{ issuer: ISSUER, adminToken: 'two words' }, /adminToken must be a token or a function/],
  [{ issuer: ISSUER, adminToken: '' }, /adminToken/],
  [{ issuer: ISSUER, timeoutMs: 0 }, /timeoutMs/],
  [{ issuer: ISSUER, token: 'x' }, /unknown option token/],
])('%j is refused at creation', (options, message) => {
  expect(() => createAdminClient(options)).toThrow(message);
  expect(() => createAdminClient(options)).toThrow(TypeError);
});
