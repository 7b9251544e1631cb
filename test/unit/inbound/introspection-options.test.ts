import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type IntrospectionSettings,
  resolveIntrospection,
} from '../../../src/inbound/introspection-options.ts';
import { createVerifier } from '../../../src/index.ts';
import type { ClientAuth } from '../../../src/shared/client-auth.ts';
import { OptionChecker } from '../../../src/shared/options.ts';

function resolve(option: unknown): IntrospectionSettings {
  const settings = resolveIntrospection(new OptionChecker('createVerifier'), option);
  if (settings === undefined) throw new Error('introspection is off');
  return settings;
}

async function authorization({ clientAuth, clientId }: IntrospectionSettings): Promise<string | undefined> {
  const headers: Record<string, string> = {};
  const endpoint = 'https://idp.example/introspect';
  const form = new URLSearchParams();
  await clientAuth({ issuer: undefined, endpoint, clientId, form, headers, refusals: 0, now: Date.now });
  return headers.authorization;
}

const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
const client = { clientId: 'orders', clientSecret: 's3cret' };
const noAuth: ClientAuth = () => {};
afterEach(() => vi.unstubAllEnvs());

describe('resolveIntrospection', () => {
  it('fills in the defaults, and freezes the result', async () => {
    const settings = resolve(client);
    expect(settings).toEqual({
      endpoint: undefined,
      clientId: 'orders',
      clientAuth: expect.any(Function),
      cacheSeconds: 30,
      negativeCacheSeconds: 10,
      timeoutMs: 3000,
      retries: 1,
      tokens: 'opaque',
      response: 'json',
      store: undefined,
    });
    expect(settings).toSatisfy(Object.isFrozen);
    expect(await authorization(settings)).toBe(basic('orders:s3cret'));
  });

  it('takes the credentials from the environment, where they are not given', async () => {
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_ID', 'environment');
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET', 'of-environment');
    expect(await authorization(resolve(true))).toBe(basic('environment:of-environment'));
    expect(await authorization(resolve({ timeoutMs: 50 }))).toBe(basic('environment:of-environment'));
    expect(await authorization(resolve(client))).toBe(basic('orders:s3cret'));
    expect(resolve({ clientAuth: noAuth })).toMatchObject({ clientId: 'environment', clientAuth: noAuth });
  });

  it('names the variable that is missing', () => {
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_ID', '');
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET', '');
    expect(() => resolve(true)).toThrow(
      'createVerifier: introspection.clientId is required; give it or set SERVICE_AUTH_INTROSPECTION_CLIENT_ID',
    );
    expect(() => resolve({ clientAuth: noAuth })).toThrow(/introspection.clientId is required/);
  });

  it('says that only the secret is missing, where the client is that of the environment', () => {
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_ID', 'orders');
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET', '');
    const message =
      'createVerifier: introspection.clientSecret is required; give it or set SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET';
    expect(() => resolve(true)).toThrow(message);
    expect(() => resolve({ clientId: 'orders' })).toThrow(message);
  });

  it("the environment's secret serves the environment's client alone", async () => {
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_ID', 'orders');
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET', 'of-environment');
    expect(await authorization(resolve({ clientId: 'orders' }))).toBe(basic('orders:of-environment'));
    expect(() => resolve({ clientId: 'stock' })).toThrow(
      'createVerifier: introspection.clientSecret is required; ' +
        'SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET serves SERVICE_AUTH_INTROSPECTION_CLIENT_ID alone',
    );
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_ID', '');
    expect(() => resolve({ clientId: 'orders' })).toThrow(/introspection.clientSecret is required/);
  });

  it("the environment's secret does not stand in for one that was to be given", () => {
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_ID', 'orders');
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET', 'of-environment');
    const unset =
      /introspection.clientSecret is undefined; .* does not stand in for one that was to be given/;
    expect(() => resolve({ clientId: 'orders', clientSecret: undefined })).toThrow(unset);
    expect(() => resolve({ clientSecret: undefined })).toThrow(unset);
  });

  it('false is off', () => {
    expect(resolveIntrospection(new OptionChecker('createVerifier'), false)).toBeUndefined();
    const off = { issuer: 'https://idp.example', introspection: false };
    const verifier = createVerifier({ issuer: off, audience: null });
    expect(verifier.health().issuers).toMatchObject([{ introspection: undefined }]);
  });

  it.each([
    [null, /introspection must be an object/],
    [
      { ...client, cacheSecond: 5 },
      /unknown option cacheSecond in introspection; did you mean cacheSeconds\?/,
    ],
    [{ ...client, endpoint: 'http://idp.example/' }, /introspection.endpoint must be an https URL/],
    [{ ...client, endpoint: 'nowhere' }, /introspection.endpoint must be an https URL/],
    [{ ...client, clientId: '' }, /introspection.clientId must be a non-empty string/],
    [
      { ...client, cacheSeconds: -1 },
      /introspection.cacheSeconds must be a number of seconds from 0 to 86400/,
    ],
    [{ ...client, negativeCacheSeconds: Number.NaN }, /negativeCacheSeconds must be a number of seconds/],
    [{ ...client, timeoutMs: 0 }, /introspection.timeoutMs must be a number of milliseconds/],
    [{ ...client, retries: 6 }, /introspection.retries must be a whole number of retries from 0 to 5/],
    [{ ...client, retries: 1.5 }, /introspection.retries must be a whole number of retries .*got 1.5/],
    [{ ...client, tokens: 'jwt' }, /introspection.tokens must be one of 'opaque', 'all'/],
    [{ ...client, response: 'jws' }, /introspection.response must be one of 'json', 'jwt'/],
    [{ ...client, store: { get() {} } }, /introspection.store must be a store with get, set and delete/],
    [{ clientId: 'orders', clientAuth: 'basic' }, /introspection.clientAuth must be a function/],
  ])('refuses %j', (option, message) => {
    expect(() => resolve(option)).toThrow(message);
  });

  it('a secret that is given twice, or is none, is refused without being shown', () => {
    const twice = { ...client, clientAuth: noAuth };
    expect(() => resolve(twice)).toThrow(/given clientSecret or clientAuth, not both/);
    expect(() => resolve({ clientId: 'orders', clientSecret: '' })).toThrow(TypeError);
  });
});
