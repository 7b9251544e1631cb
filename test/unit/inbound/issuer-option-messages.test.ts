/** What programmers read of mistakes in an issuer's keys and introspection, and the limits at their very edge. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  createVerifier,
  isOptionError,
  type ServiceAuthEvent,
  type TrustedIssuer,
} from '../../../src/index.ts';
import { keyAlgorithms } from '../../../src/shared/crypto.ts';
import { audience, createKey, goodClaims, issuer, mint, nowMs, signHmac } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const jwks = { keys: [key.publicJwk] };
const jwksUri = `${issuer}/jwks`;
const secret = 'a shared secret of 48 bytes, which HS384 may use';
const client = { clientId: 'orders', clientSecret: 's3cret' };

afterEach(() => vi.unstubAllEnvs());

const make = (trusted: object) =>
  createVerifier({ issuer: { issuer, ...trusted } as TrustedIssuer, audience, now: () => nowMs });

/** The code, and the message without the function's name in front and the way to more at its end. */
function mistakeOf(trusted: object): readonly [code: string, message: string] {
  try {
    make(trusted);
  } catch (error) {
    if (!isOptionError(error)) throw error;
    const { code, message } = error;
    const [, text = ''] = message.split('createVerifier: ');
    return [code, text.replace(` (npx service-auth explain ${code})`, '')];
  }
  throw new Error('it was taken');
}

const https = 'an https URL (plain http only on loopback addresses)';
const noKey = 'jwks must be a key set with a public signature key (RSA of 2048 bits or more, EC or Ed25519)';

describe('keys', () => {
  const invalid = (message: string) => ['option_invalid', message] as const;
  const conflict = (message: string) => ['options_conflict', message] as const;
  const oneSource = 'issuer must be given one source of keys; got';
  const places = "'oauth-authorization-server', 'openid-configuration' or the URL of the metadata";
  const names = keyAlgorithms.map((name) => `'${name}'`).join(', ');

  it.each<[readonly [code: string, message: string], object]>([
    [conflict(`${oneSource} "jwksUri and jwks and secret"`), { jwksUri, jwks, secret }],
    [conflict(`${oneSource} "secret and discovery"`), { secret, discovery: 'openid-configuration' }],
    [invalid('jwks must be an object; got a list'), { jwks: [] }],
    [invalid('jwks must be a JSON Web Key Set: { keys: [...] }; got an object'), { jwks: { keys: {} } }],
    [['option_unknown', 'unknown option url in jwks; known are keys'], { jwks: { keys: [], url: 'a' } }],
    [invalid(noKey), { jwks: { keys: [] } }],
    [invalid(noKey), { jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }],
    [invalid(noKey), { jwks, algorithms: ['RS256'] }],
    [
      invalid('algorithms must be a non-empty string or a non-empty list of them; got []'),
      { jwks, algorithms: [] },
    ],
    [
      conflict('algorithms must be of public keys unless secret is given; got "HS256"'),
      { jwks, algorithms: ['ES256', 'HS256'] },
    ],
    [invalid(`algorithms must be one of ${names}; got "none"`), { jwks, algorithms: ['none'] }],
    [
      ['url_not_https', `jwksUri must be ${https}; got "http://issuer.example/jwks"`],
      { jwksUri: 'http://issuer.example/jwks' },
    ],
    [
      ['issuer_not_https', `issuer must be ${https}; got "http://issuer.example"`],
      { issuer: 'http://issuer.example' },
    ],
    [invalid(`discovery must be ${places}; got "openid"`), { discovery: 'openid' }],
    [invalid('secret must be a string or bytes'), { secret: 7 }],
    [['secret_too_short', 'secret must be at least 32 bytes long'], { secret: 'short' }],
  ])('%j', (mistake, trusted) => {
    expect(mistakeOf(trusted)).toEqual(mistake);
  });

  it.each<[string, object]>([
    ['jwksUri', { jwksUri }],
    ['jwks', { jwks }],
    ['secret', { secret }],
  ])('an issuer with %s need be no URL', (_, source) => {
    expect(() => make({ issuer: 'the issuer', ...source })).not.toThrow();
  });

  it.each<[string, object]>([
    [jwksUri, { jwksUri }],
    [`${issuer}/.well-known/oauth-authorization-server`, {}],
    [`${issuer}/.well-known/openid-configuration`, { discovery: 'openid-configuration' }],
    [`${issuer}/metadata`, { discovery: `${issuer}/metadata` }],
  ])('are looked for at %s first', async (url, source) => {
    const fetch = vi.fn<typeof globalThis.fetch>(() => Promise.reject(new Error('down')));
    const verifier = createVerifier({ issuer: { issuer, ...source } as TrustedIssuer, audience, fetch });
    await expect(verifier.ready()).rejects.toThrow();
    expect(fetch.mock.calls[0]?.[0]).toBe(url);
  });

  it('a shared secret is the key of every algorithm that it is long enough for, by any name', async () => {
    const events: ServiceAuthEvent[] = [];
    const onEvent = (event: ServiceAuthEvent) => events.push(event);
    const verifier = createVerifier({ issuer: { issuer, secret }, audience, now: () => nowMs, onEvent });
    await verifier.ready();
    expect(verifier.health().issuers).toMatchObject([{ issuer, keys: undefined }]);
    for (const [algorithm, header] of [
      ['HS256', {}],
      ['HS384', { kid: 'any' }],
    ] as const) {
      const token = signHmac(secret, header, goodClaims({ jti: algorithm }), algorithm);
      expect(await verifier.verifyToken(token)).toMatchObject({ ok: true });
      expect(await verifier.verifyToken(token)).toMatchObject({ ok: true });
    }
    const cached = events.map((event) => event.type === 'request.accepted' && event.cached);
    expect(cached).toEqual([false, true, false, true]);
    const token = signHmac(secret, {}, goodClaims(), 'HS512');
    expect(await verifier.verifyToken(token)).toMatchObject({
      rejection: { reason: 'algorithm_not_allowed', detail: { expected: 'HS256 HS384', actual: 'HS512' } },
    });
  });

  it('only the algorithms that are named are taken', async () => {
    const verifier = make({ jwks, algorithms: ['ES384', 'ES256'] });
    expect(await verifier.verifyToken(await mint(key))).toMatchObject({ ok: true });
    const token = signHmac(secret, {}, goodClaims());
    expect(await verifier.verifyToken(token)).toMatchObject({
      rejection: { detail: { expected: 'ES384 ES256', actual: 'HS256' } },
    });
  });
});

describe('introspection', () => {
  const range = (name: string, unit: string, most: number, got: string) =>
    `introspection.${name} must be a number of ${unit} to ${most}; got ${got}`;
  const retries = 'introspection.retries must be a whole number of retries from 0 to 5';
  const store = 'introspection.store must be a store with get, set and delete';
  const method = () => undefined;

  it.each<[unknown, string, string]>([
    ['yes', 'option_invalid', 'introspection must be an object; got a text'],
    [
      { ...client, cacheSecond: 5 },
      'option_unknown',
      'unknown option cacheSecond in introspection; did you mean cacheSeconds?',
    ],
    [
      { ...client, endpoint: 'http://idp.example/' },
      'url_not_https',
      `introspection.endpoint must be ${https}; got "http://idp.example/"`,
    ],
    [
      { ...client, clientId: '' },
      'option_invalid',
      'introspection.clientId must be a non-empty string; got ""',
    ],
    [
      { ...client, cacheSeconds: -1 },
      'option_invalid',
      range('cacheSeconds', 'seconds from 0', 86_400, '-1'),
    ],
    [
      { ...client, cacheSeconds: 86_401 },
      'option_invalid',
      range('cacheSeconds', 'seconds from 0', 86_400, '86401'),
    ],
    [
      { ...client, negativeCacheSeconds: 3601 },
      'option_invalid',
      range('negativeCacheSeconds', 'seconds from 0', 3600, '3601'),
    ],
    [{ ...client, timeoutMs: 0 }, 'option_invalid', range('timeoutMs', 'milliseconds from 1', 60_000, '0')],
    [
      { ...client, timeoutMs: 60_001 },
      'option_invalid',
      range('timeoutMs', 'milliseconds from 1', 60_000, '60001'),
    ],
    [{ ...client, retries: -1 }, 'option_invalid', `${retries}; got -1`],
    [{ ...client, retries: 6 }, 'option_invalid', `${retries}; got 6`],
    [
      { ...client, tokens: 'jwt' },
      'option_invalid',
      "introspection.tokens must be one of 'opaque', 'all'; got \"jwt\"",
    ],
    [
      { ...client, response: 'jws' },
      'option_invalid',
      "introspection.response must be one of 'json', 'jwt'; got \"jws\"",
    ],
    [{ ...client, store: null }, 'option_invalid', `${store}; got null`],
    [{ ...client, store: 'redis' }, 'option_invalid', `${store}; got "redis"`],
    [{ ...client, store: { get: method, set: method } }, 'option_invalid', `${store}; got an object`],
    [{ ...client, store: { get: method, delete: method } }, 'option_invalid', `${store}; got an object`],
    [{ ...client, store: { set: method, delete: method } }, 'option_invalid', `${store}; got an object`],
    [
      { ...client, clientAuth: method },
      'options_conflict',
      'introspection must be given clientSecret or clientAuth, not both',
    ],
    [
      { clientId: 'orders', clientAuth: 'basic' },
      'option_invalid',
      'introspection.clientAuth must be a function; got a text',
    ],
  ])('%j', (introspection, code, message) => {
    expect(mistakeOf({ introspection })).toEqual([code, message]);
  });

  it.each<object>([
    { cacheSeconds: 0, negativeCacheSeconds: 0, timeoutMs: 1, retries: 0 },
    { cacheSeconds: 86_400, negativeCacheSeconds: 3600, timeoutMs: 60_000, retries: 5 },
    { tokens: 'opaque', response: 'jwt', endpoint: 'http://127.0.0.1/introspect' },
    { tokens: 'all', response: 'json', store: { get: method, set: method, delete: method } },
    { clientSecret: undefined, clientAuth: method },
  ])('%j is taken', (options) => {
    expect(() => make({ introspection: { ...client, ...options } })).not.toThrow();
  });

  const ofVariable = 'SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET';
  it.each<[string, object | true, string, string, string]>([
    [
      'no client',
      true,
      '',
      'option_missing',
      'introspection.clientId is required; give it or set SERVICE_AUTH_INTROSPECTION_CLIENT_ID',
    ],
    [
      'no secret',
      { clientId: 'orders' },
      'orders',
      'option_missing',
      `introspection.clientSecret is required; give it or set ${ofVariable}`,
    ],
    [
      'no secret of another client',
      { clientId: 'stock' },
      'orders',
      'option_missing',
      `introspection.clientSecret is required; ${ofVariable} serves SERVICE_AUTH_INTROSPECTION_CLIENT_ID alone`,
    ],
    [
      'a secret without a value',
      { clientSecret: undefined },
      'orders',
      'option_unset',
      `introspection.clientSecret is undefined; ${ofVariable} does not stand in for one that was to be given`,
    ],
  ])('%s in the environment', (_, introspection, clientId, code, message) => {
    vi.stubEnv('SERVICE_AUTH_INTROSPECTION_CLIENT_ID', clientId);
    vi.stubEnv(ofVariable, '');
    expect(mistakeOf({ introspection })).toEqual([code, message]);
  });
});
