/** What a developer reads of a mistake in the options, to the letter, and where the limits of numbers are. */
import { describe, expect, it, vi } from 'vitest';
import { createTokenClient } from '../../../src/outbound/token-client.ts';
import { clientSecretBasic } from '../../../src/shared/client-auth.ts';
import { createMemoryTokenStore } from '../../../src/shared/memory-token-store.ts';
import { clientOptions, mistake, secretCanary, withoutEnvironment } from './support.ts';

const issuer = 'https://idp.example';
const tokenEndpoint = 'https://idp.example/token';
const good = { issuer, clientId: 'a', clientSecret: 's' };
const secure = 'an https URL (plain http only on loopback addresses)';

withoutEnvironment();

describe('createTokenClient', () => {
  it.each<[object, string, string?]>([
    [
      { clientsecret: 1 },
      'unknown option clientsecret in options; did you mean clientSecret?',
      'option_unknown',
    ],
    [{ zzzz: 1 }, `unknown option zzzz in options; known are ${clientOptions}`, 'option_unknown'],
    [
      { issuer: undefined },
      'issuer (or tokenEndpoint) is required; give it or set SERVICE_AUTH_ISSUER',
      'option_missing',
    ],
    [
      { issuer: 'idp.example' },
      `issuer must be ${secure}; got "idp.example"; is https:// missing?`,
      'issuer_not_url',
    ],
    [
      { issuer: 'https://a.example https://b.example' },
      `issuer must be ${secure}; got "https://a.example https://b.example"`,
      'issuer_not_url',
    ],
    [{ issuer: 7, tokenEndpoint }, 'issuer must be a non-empty string; got 7'],
    [
      { issuer: undefined, tokenEndpoint: 'http://idp.example/token' },
      `tokenEndpoint must be ${secure}; got "http://idp.example/token"`,
      'url_not_https',
    ],
    [
      { tokenEndpoint, discovery: 'openid-configuration' },
      'discovery must be absent where tokenEndpoint is given; got "openid-configuration"',
      'options_conflict',
    ],
    [
      { discovery: 'oidc' },
      "discovery must be 'oauth-authorization-server', 'openid-configuration' or the URL of the metadata; got \"oidc\"",
    ],
    [
      { clientId: undefined },
      'clientId is required; give it or set SERVICE_AUTH_CLIENT_ID',
      'option_missing',
    ],
    [{ clientId: 7 }, 'clientId must be a non-empty string; got 7'],
    [{ audience: '' }, 'audience must be a non-empty string; got ""'],
    [
      { clientSecret: '' },
      'clientSecret must be a non-empty string, a non-empty list of them, or a function that gives either',
    ],
    [
      { clientSecret: undefined },
      'clientSecret is undefined; SERVICE_AUTH_CLIENT_SECRET does not stand in for one that was to be given',
      'option_unset',
    ],
    [
      { clientAuth: clientSecretBasic('x') },
      'clientSecret must be absent where clientAuth is given; give the secret to that function',
      'options_conflict',
    ],
    [
      { clientSecret: undefined, clientAuth: secretCanary },
      'clientAuth must be a function such as clientSecretBasic(secret)',
    ],
    [{ scope: 7 }, 'scope must be a non-empty string or a non-empty list of them; got 7'],
    [{ scope: 'a "b"' }, 'scope must be of the characters of RFC 6749; got "\\"b\\""'],
    [
      { resource: 'orders' },
      'resource must be an absolute URI without fragment; other names belong into audience; got "orders"',
    ],
    [
      { resource: ['https://a.example', 'https://a.example/#b'] },
      'resource must be an absolute URI without fragment; other names belong into audience; got "https://a.example/#b"',
    ],
    [{ extraParameters: 'a=b' }, 'extraParameters must be an object of strings; got a text'],
    [{ extraParameters: null }, 'extraParameters must be an object of strings; got null'],
    [{ extraParameters: ['a'] }, 'extraParameters must be an object of strings; got a list'],
    [{ extraParameters: { a: 'b', c: 1 } }, 'extraParameters.c must be a string'],
    [{ dpop: 'yes' }, 'dpop must be an object; got a text'],
    [{ dpop: { alg: 1 } }, 'unknown option alg in dpop; did you mean algorithm?', 'option_unknown'],
    [
      { dpop: { zzzz: 1 } },
      'unknown option zzzz in dpop; known are algorithm, keyPair, rotate',
      'option_unknown',
    ],
    [{ dpop: { algorithm: 'RS256' } }, "dpop.algorithm must be one of 'ES256', 'EdDSA'; got \"RS256\""],
    [{ dpop: { rotate: 1 } }, 'dpop.rotate must be true or false; got 1'],
    [
      { dpop: { rotate: true, keyPair: {} } },
      'dpop.rotate must be absent where keyPair is given; got true',
      'options_conflict',
    ],
    [{ dpop: { keyPair: 7 } }, 'dpop.keyPair must be a CryptoKeyPair that signs with ES256; got 7'],
    [{ dpop: { keyPair: null } }, 'dpop.keyPair must be a CryptoKeyPair that signs with ES256; got null'],
    [
      { dpop: { keyPair: {}, algorithm: 'EdDSA' } },
      'dpop.keyPair must be a CryptoKeyPair that signs with EdDSA; got an object',
    ],
    [
      { store: createMemoryTokenStore() },
      'storeKey must be given with store: tokens are encrypted there',
      'options_conflict',
    ],
    [{ storeKey: secretCanary }, 'storeKey must be absent where there is no store', 'options_conflict'],
    [{ refresh: 7 }, 'refresh must be an object; got 7'],
    [
      { refresh: { zzzz: 1 } },
      'unknown option zzzz in refresh; known are aheadSeconds, mandatorySeconds',
      'option_unknown',
    ],
    [{ fetch: 1 }, 'fetch must be a function; got 1'],
    [{ now: 1 }, 'now must be a function; got 1'],
    [{ random: 1 }, 'random must be a function; got 1'],
    [{ onEvent: 1 }, 'onEvent must be a function; got 1'],
  ])('%j', (options, message, code) => {
    expect(() => createTokenClient({ ...good, ...options })).toThrow(
      mistake(`createTokenClient: ${message}`, code),
    );
  });

  it.each([
    'grant_type',
    'scope',
    'resource',
    'audience',
    'client_id',
    'client_secret',
    'client_assertion',
    'client_assertion_type',
    'subject_token',
    'subject_token_type',
    'actor_token',
    'actor_token_type',
  ])('extraParameters must leave %s alone', (name) => {
    const message = `createTokenClient: extraParameters must be free of what service-auth sets; got "${name}"`;
    expect(() => createTokenClient({ ...good, extraParameters: { [name]: 'x' } })).toThrow(mistake(message));
  });

  it.each<[string, (value: number) => object, string, number, number]>([
    ['refresh.aheadSeconds', (aheadSeconds) => ({ refresh: { aheadSeconds } }), 'seconds', 0, 86_400],
    [
      'refresh.mandatorySeconds',
      (mandatorySeconds) => ({ refresh: { mandatorySeconds } }),
      'seconds',
      0,
      3600,
    ],
    [
      'defaultLifetimeSeconds',
      (defaultLifetimeSeconds) => ({ defaultLifetimeSeconds }),
      'seconds',
      1,
      86_400,
    ],
    ['timeoutMs', (timeoutMs) => ({ timeoutMs }), 'milliseconds', 1, 600_000],
  ])('%s is taken up to its limits', (name, options, unit, least, most) => {
    const create = (value: number) => () => createTokenClient({ ...good, ...options(value) });
    for (const value of [least, most]) expect(create(value)).not.toThrow();
    for (const value of [least - 0.001, most + 0.001, Number.NaN, '1' as unknown as number]) {
      const got = typeof value === 'string' ? '"1"' : value;
      const rule = `a number of ${unit} from ${least} to ${most}`;
      expect(create(value)).toThrow(mistake(`createTokenClient: ${name} must be ${rule}; got ${got}`));
    }
  });

  it('without any options', () => {
    const missing = 'issuer (or tokenEndpoint) is required; give it or set SERVICE_AUTH_ISSUER';
    expect(() => createTokenClient()).toThrow(mistake(`createTokenClient: ${missing}`, 'option_missing'));
    expect(() => createTokenClient(secretCanary as unknown as object)).toThrow(
      mistake('createTokenClient: options must be an object; got a text'),
    );
  });
});

describe('the secret of the environment', () => {
  const unset = [
    'createTokenClient: clientSecret is undefined;',
    'SERVICE_AUTH_CLIENT_SECRET does not stand in for one that was to be given',
  ].join(' ');
  const alien = [
    'createTokenClient: clientSecret is required;',
    'SERVICE_AUTH_CLIENT_SECRET serves SERVICE_AUTH_CLIENT_ID alone',
  ].join(' ');

  it.each<[object, string | undefined, string]>([
    [{}, undefined, ''],
    [{ clientSecret: undefined }, undefined, ''],
    [{ clientId: 'env-client' }, undefined, ''],
    [{ clientId: 'env-client', issuer }, undefined, ''],
    [{ tokenEndpoint }, undefined, ''],
    [{ clientSecret: undefined, issuer }, unset, 'option_unset'],
    [{ clientSecret: undefined, tokenEndpoint }, unset, 'option_unset'],
    [{ clientId: 'other', clientSecret: undefined, issuer }, unset, 'option_unset'],
    [{ clientId: 'other' }, alien, 'option_missing'],
    [{ clientId: 'other', clientSecret: undefined }, alien, 'option_missing'],
  ])('with %j', (options, message, code) => {
    vi.stubEnv('SERVICE_AUTH_ISSUER', issuer);
    vi.stubEnv('SERVICE_AUTH_CLIENT_ID', 'env-client');
    vi.stubEnv('SERVICE_AUTH_CLIENT_SECRET', secretCanary);
    const create = () => createTokenClient(options);
    if (message === undefined) expect(create).not.toThrow();
    else expect(create).toThrow(mistake(message, code));
  });

  it('is not enough where none is set', () => {
    const message = 'createTokenClient: clientSecret is required; give it or set SERVICE_AUTH_CLIENT_SECRET';
    vi.stubEnv('SERVICE_AUTH_CLIENT_ID', 'a');
    expect(() => createTokenClient({ issuer, clientId: 'a' })).toThrow(mistake(message, 'option_missing'));
  });

  it('serves one issuer, not a list of them', () => {
    vi.stubEnv('SERVICE_AUTH_ISSUER', 'https://a.example https://b.example');
    const { clientId, clientSecret } = good;
    const message = 'SERVICE_AUTH_ISSUER names several issuers; say by issuer which one gives tokens';
    expect(() => createTokenClient({ clientId, clientSecret })).toThrow(
      mistake(`createTokenClient: ${message}`, 'option_misplaced'),
    );
    expect(() => createTokenClient(good)).not.toThrow();
  });
});
