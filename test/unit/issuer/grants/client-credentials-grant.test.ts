import { describe, expect, it } from 'vitest';
import { BILLING, createHarness, type Harness, ISSUER, ORDERS, type Parameters } from '../harness.ts';
import { addService } from './support.ts';

const GRANT = { grant_type: 'client_credentials' };

async function ask(harness: Harness, input: object, parameters: Parameters) {
  return harness.post('/token', parameters, await harness.register(input));
}

describe('scope', () => {
  it.each([
    ['none asked: all that is registered', undefined, 'read write'],
    ['one of two', 'write', 'write'],
    ['the same twice', 'read read', 'read'],
    ['superfluous spaces', '  read  ', 'read'],
    ['sent without a value', '', 'read write'],
  ])('%s', async (_, scope, granted) => {
    const { body } = await ask(createHarness(), {}, scope === undefined ? GRANT : { ...GRANT, scope });
    expect(body.scope).toBe(granted);
  });

  it.each([' ', 'admin', 'read admin', 'READ', '__proto__', 'constructor'])(
    '%s is refused',
    async (scope) => {
      const { status, body } = await ask(createHarness(), {}, { ...GRANT, scope });
      expect(status).toBe(400);
      expect(body.error).toBe('invalid_scope');
    },
  );

  it('is left out where none is registered', async () => {
    const harness = createHarness();
    const { body } = await ask(harness, { scopes: [] }, GRANT);
    expect(body).not.toHaveProperty('scope');
    expect((await harness.verify(body.access_token)).payload).not.toHaveProperty('scope');
  });
});

describe('resource (RFC 8707)', () => {
  const both = { resources: [ORDERS, BILLING] };

  it.each<[string, object, Parameters, unknown]>([
    ['one of two', both, { ...GRANT, resource: BILLING }, BILLING],
    ['repeated', both, { ...GRANT, resource: [BILLING, ORDERS] }, [BILLING, ORDERS]],
    ['the same twice', both, { ...GRANT, resource: [ORDERS, ORDERS] }, ORDERS],
    ['none registered: the issuer itself', { resources: [] }, GRANT, ISSUER],
  ])('%s', async (_, input, parameters, audience) => {
    const harness = createHarness();
    const { body } = await ask(harness, input, parameters);
    expect((await harness.verify(body.access_token)).payload.aud).toEqual(audience);
  });

  it('threat 26: none asked where several are registered gives no token for all of them', async () => {
    const { status, body } = await ask(createHarness(), both, GRANT);
    expect(status).toBe(400);
    expect(body).toEqual({
      error: 'invalid_target',
      error_description: 'several resources are registered for this client; ask for one',
    });
  });

  it.each([
    'https://other.example',
    'https://orders.example/',
    'https://ORDERS.example',
    'https://orders.example#part',
    'orders',
    ISSUER,
  ])('threat 26: the audience is decided by registration: %s is refused', async (resource) => {
    const { status, body } = await ask(createHarness(), {}, { ...GRANT, resource });
    expect(status).toBe(400);
    expect(body.error).toBe('invalid_target');
  });

  it('threat 26: one resource too many refuses the whole request', async () => {
    const parameters: Parameters = { ...GRANT, resource: [ORDERS, BILLING] };
    expect((await ask(createHarness(), {}, parameters)).body.error).toBe('invalid_target');
  });

  it('threat 26: a resource that the issuer no longer knows is refused, registered or not', async () => {
    const before = createHarness({ secretKey: 'k'.repeat(32) });
    const service = await before.register(both);
    const after = createHarness({ storage: before.storage, secretKey: 'k'.repeat(32), resources: [BILLING] });
    const asked = await after.post('/token', { ...GRANT, resource: ORDERS }, service);
    expect(asked.body.error).toBe('invalid_target');
    expect((await after.verify(await after.token(service))).payload.aud).toBe(BILLING);
  });

  it('threat 26: a service whose resources are all gone gets no token for something else', async () => {
    const before = createHarness({ secretKey: 'k'.repeat(32) });
    const service = await before.register({ resources: [ORDERS] });
    const after = createHarness({ storage: before.storage, secretKey: 'k'.repeat(32), resources: [BILLING] });
    expect((await after.post('/token', GRANT, service)).body.error).toBe('invalid_target');
  });
});

describe('scopes of resources', () => {
  const resources = [
    { resource: ORDERS, scopes: ['orders:read', 'orders:write'] },
    { resource: BILLING, scopes: ['bills:read'] },
    { resource: 'https://any.example' },
  ];
  const scopes = ['orders:read', 'bills:read', 'other'];
  const registered = { scopes, resources: [ORDERS, BILLING, 'https://any.example'] };

  it.each<[string, Parameters, string | undefined]>([
    ['the default is what service and resource have in common', { resource: ORDERS }, 'orders:read'],
    [
      'of several resources: what any of them takes',
      { resource: [ORDERS, BILLING] },
      'orders:read bills:read',
    ],
    ['one that at least one takes', { resource: [ORDERS, BILLING], scope: 'bills:read' }, 'bills:read'],
    ['a resource without a list takes all', { resource: 'https://any.example' }, scopes.join(' ')],
  ])('%s', async (_, parameters, granted) => {
    const harness = createHarness({ resources });
    const { body } = await ask(harness, registered, { ...GRANT, ...parameters });
    expect(body.scope).toBe(granted);
    expect((await harness.verify(body.access_token)).payload.scope).toBe(granted);
  });

  it.each([
    ['another resource takes it', 'bills:read'],
    ['the resource takes it, but the service is not registered for it', 'orders:write'],
    ['one too many', 'orders:read bills:read'],
  ])('threat 26: refused: %s', async (_, scope) => {
    const { status, body } = await ask(createHarness({ resources }), registered, {
      ...GRANT,
      resource: ORDERS,
      scope,
    });
    expect([status, body.error]).toEqual([400, 'invalid_scope']);
  });

  it('where nothing is in common the token carries none', async () => {
    const input = { scopes: ['other'], resources: [BILLING] };
    const { body } = await ask(createHarness({ resources }), input, GRANT);
    expect(body).not.toHaveProperty('scope');
  });
});

describe('the life of a token', () => {
  it('is that of the service, where it has one', async () => {
    const harness = createHarness({ accessTokenSeconds: 600 });
    const service = await addService(harness, {}, { accessTokenSeconds: 60 });
    const { body } = await harness.post('/token', GRANT, service);
    expect(body.expires_in).toBe(60);
    expect((await harness.verify(body.access_token)).payload.exp).toBe(harness.nowSeconds() + 60);
  });
});

it('audience is no parameter of this grant (RFC 8693 alone has it): the registration decides', async () => {
  const harness = createHarness();
  const { body } = await ask(harness, {}, { ...GRANT, audience: BILLING });
  expect((await harness.verify(body.access_token)).payload.aud).toBe(ORDERS);
});
