/** What programmers read of mistakes in the options of a verifier: the whole message, and the limits at their edges. */
import { describe, expect, it } from 'vitest';
import { createVerifier, isOptionError, type VerifierOptions } from '../../../src/index.ts';
import { keyAlgorithms } from '../../../src/shared/crypto.ts';
import { audience, issuer, nowMs } from '../../helpers/tokens.ts';

const jwksUri = `${issuer}/jwks`;
const longSecret = 'x'.repeat(64);
const base: VerifierOptions = { issuer: { issuer, jwksUri }, audience, now: () => nowMs };
const make = (options: object) => createVerifier({ ...base, ...(options as VerifierOptions) });

/** The code, and the message without the name of the function and where to read on. */
function mistakeOf(options: object): readonly [code: string, message: string] {
  try {
    make(options);
  } catch (error) {
    if (!isOptionError(error)) throw error;
    const { code, message } = error;
    expect(message).toMatch(/^createVerifier: /);
    expect(message.endsWith(` (npx service-auth explain ${code})`)).toBe(true);
    return [code, message.slice('createVerifier: '.length, message.indexOf(' (npx'))];
  }
  throw new Error('it was accepted');
}

const of = (more: object) => ({ issuer: { issuer, ...more } });
const nonce = (more: object) => ({ dpop: { nonce: { secret: 'x'.repeat(32), ...more } } });
const texts = 'a non-empty string or a non-empty list of them';
const httpsUrl = 'an https URL (plain http only on loopback addresses)';
const publicUrl = 'an http or https URL without query, fragment and user';
const noBytes = 'dpop.nonce.secret must be of at least 32 bytes, or a non-empty list of such';
const endpoint = `${issuer}/introspect`;
const introspecting = (name: string) => ({
  issuer: name,
  jwksUri,
  introspection: { endpoint, clientId: 'orders', clientSecret: 'of-orders' },
});

describe('a value that does not fit', () => {
  it.each<[object, string]>([
    [{ now: 5 }, 'now must be a function; got 5'],
    [{ fetch: {} }, 'fetch must be a function; got an object'],
    [{ onEvent: 'log' }, 'onEvent must be a function; got a text'],
    [{ clientCertificate: 'pem' }, 'clientCertificate must be a function; got a text'],
    [
      { clockToleranceSeconds: -1 },
      'clockToleranceSeconds must be a number of seconds from 0 to 600; got -1',
    ],
    [
      { clockToleranceSeconds: 601 },
      'clockToleranceSeconds must be a number of seconds from 0 to 600; got 601',
    ],
    [{ maxTokenAgeSeconds: 0 }, 'maxTokenAgeSeconds must be a number of seconds from 1 to 31536000; got 0'],
    [
      { maxTokenAgeSeconds: 31_536_001 },
      'maxTokenAgeSeconds must be a number of seconds from 1 to 31536000; got 31536001',
    ],
    [{ realm: ' ' }, 'realm must be a non-empty string; got " "'],
    [{ realm: 'ü' }, 'realm must be printable ASCII; got "ü"'],
    [{ resourceMetadata: '' }, 'resourceMetadata must be a non-empty string; got ""'],
    [{ resourceMetadata: `${issuer}/ü` }, `resourceMetadata must be printable ASCII; got "${issuer}/ü"`],
    [
      { resourceMetadata: 'metadata' },
      `resourceMetadata must be ${httpsUrl}; got "metadata"; is https:// missing?`,
    ],
    [
      { audience: [] },
      'audience must be a non-empty string, a non-empty list of them, or null for any; got []',
    ],
    [
      { audience: ['a', ''] },
      'audience must be a non-empty string, a non-empty list of them, or null for any; got ""',
    ],
    [{ typ: [] }, `typ must be ${texts}; got []`],
    [{ typ: ['jwt', 'AT JWT'] }, `typ must be 'at+jwt', 'any' or types of other tokens; got "AT JWT"`],
    [{ typ: ['any'] }, `typ must be 'at+jwt', 'any' or types of other tokens; got "any"`],
    [{ cache: true }, 'cache must be an object; got true'],
    [{ cache: { maxTokens: 0 } }, 'cache.maxTokens must be a number of tokens from 1 to 10000000; got 0'],
    [
      { cache: { maxTokens: 10_000_001 } },
      'cache.maxTokens must be a number of tokens from 1 to 10000000; got 10000001',
    ],
    [{ issuer: [] }, 'issuer must be an issuer or a non-empty list of them; got []'],
    [{ issuer: [issuer, issuer] }, `issuer must be named once; got "${issuer}"`],
    [{ issuer: 1 }, 'issuer must be an object; got 1'],
    [{ issuer: { jwksUri } }, 'issuer must be a non-empty string; got undefined'],
    [of({ jwksUri, statusList: 1 }), 'statusList must be true or false; got 1'],
    [
      of({ jwksUri, claims: 'azure' }),
      `claims must be one of 'auth0', 'entra', 'okta', 'cognito', 'keycloak'; got "azure"`,
    ],
    [of({ jwksUri, claims: 7 }), 'claims must be an object; got 7'],
    [of({ jwksUri, claims: { scopes: 'scp' } }), 'claims.scopes must be a function; got a text'],
    [of({ jwksUri, claims: { kind: 7 } }), 'claims.kind must be a function; got 7'],
    [{ publicUrl: '' }, `publicUrl must be ${publicUrl}; got ""`],
    [{ publicUrl: 'ftp://a.example' }, `publicUrl must be ${publicUrl}; got "ftp://a.example"`],
    [
      { publicUrl: 'https://a.example?b' },
      `publicUrl must be ${publicUrl}; got "https://a.example" and a query`,
    ],
    [{ publicUrl: 'https://a.example#b' }, `publicUrl must be ${publicUrl}; got "https://a.example#b"`],
    [{ publicUrl: 'https://u@a.example' }, `publicUrl must be ${publicUrl}; got a text with an @ in it`],
    [{ publicUrl: 'https://:p@a.example' }, `publicUrl must be ${publicUrl}; got a text with an @ in it`],
    [{ publicUrl: 7 }, 'publicUrl must be an object; got 7'],
    [{ publicUrl: {} }, `publicUrl.trustProxy must be ${texts}; got undefined`],
    [
      { publicUrl: { trustProxy: ['proxy'] } },
      `publicUrl.trustProxy must be IP addresses or CIDR ranges such as '10.0.0.0/8'; got "proxy"`,
    ],
    [{ dpop: 7 }, 'dpop must be an object; got 7'],
    [{ dpop: 'maybe' }, `dpop.mode must be one of 'optional', 'required'; got "maybe"`],
    [{ dpop: { mode: '' } }, `dpop.mode must be one of 'optional', 'required'; got ""`],
    [{ dpop: { algorithms: [] } }, `dpop.algorithms must be ${texts}; got []`],
    [
      { dpop: { algorithms: ['ES256', 'HS256'] } },
      `dpop.algorithms must be one of ${keyAlgorithms.map((name) => `'${name}'`).join(', ')}; got "HS256"`,
    ],
    [{ dpop: { maxAgeSeconds: 0 } }, 'dpop.maxAgeSeconds must be a number of seconds from 1 to 3600; got 0'],
    [
      { dpop: { maxAgeSeconds: 3601 } },
      'dpop.maxAgeSeconds must be a number of seconds from 1 to 3600; got 3601',
    ],
    [
      { dpop: { toleranceSeconds: -1 } },
      'dpop.toleranceSeconds must be a number of seconds from 0 to 3600; got -1',
    ],
    [{ dpop: { nonce: true } }, 'dpop.nonce must be an object; got true'],
    [nonce({ secret: 'x'.repeat(31) }), noBytes],
    [nonce({ secret: [] }), noBytes],
    [nonce({ secret: [['x'.repeat(40)]] }), noBytes],
    [nonce({ secret: ['x'.repeat(32), 'short'] }), noBytes],
    [nonce({ secret: new Array(40).fill(7) }), noBytes],
    [
      nonce({ lifetimeSeconds: 0 }),
      'dpop.nonce.lifetimeSeconds must be a number of seconds from 1 to 86400; got 0',
    ],
    [
      nonce({ lifetimeSeconds: 86_401 }),
      'dpop.nonce.lifetimeSeconds must be a number of seconds from 1 to 86400; got 86401',
    ],
    [{ dpop: { replayStore: 7 } }, 'dpop.replayStore must be a store with a method record; got 7'],
    [{ dpop: { replayStore: null } }, 'dpop.replayStore must be a store with a method record; got null'],
    [{ dpop: { replayStore: {} } }, 'dpop.replayStore must be a store with a method record; got an object'],
    [
      { dpop: { replayStore: { record: 7 } } },
      'dpop.replayStore must be a store with a method record; got an object',
    ],
    [of({ secret: 7 }), 'secret must be a string or bytes'],
    [of({ secret: longSecret, algorithms: [] }), `algorithms must be ${texts}; got []`],
    [
      of({ secret: longSecret, algorithms: ['RS256'] }),
      `algorithms must be one of 'HS256', 'HS384', 'HS512'; got "RS256"`,
    ],
  ])('%j', (options, message) => {
    expect(mistakeOf(options)).toEqual(['option_invalid', message]);
  });

  it.each<[object, string, string]>([
    [
      { resourceMetadata: 'http://orders.example/m' },
      'url_not_https',
      `resourceMetadata must be ${httpsUrl}; got "http://orders.example/m"`,
    ],
    [of({ secret: 'x'.repeat(31) }), 'secret_too_short', 'secret must be at least 32 bytes long'],
    [
      of({ secret: 'x'.repeat(47), algorithms: ['HS256', 'HS384'] }),
      'secret_too_short',
      'secret must be at least 48 bytes long for HS384',
    ],
    [
      of({ secret: '-----BEGIN PUBLIC KEY-----' }),
      'secret_misplaced',
      'secret must be a random value; this is a public or private key, which belongs into jwks',
    ],
    [
      { issuer: [introspecting(issuer), introspecting('https://other.example')] },
      'options_conflict',
      `issuer must be a list with introspection at one issuer at most; got "${issuer} and https://other.example"`,
    ],
    [
      { issuer: { ...introspecting('name'), introspection: { clientId: 'a', clientSecret: 'b' } } },
      'issuer_not_url',
      `issuer must be ${httpsUrl}; got "name"; is https:// missing?`,
    ],
  ])('%j, with a code of its own', (options, code, message) => {
    expect(mistakeOf(options)).toEqual([code, message]);
  });
});

describe('a name that is not known', () => {
  it.each<[object, string]>([
    [{ isuer: issuer }, 'unknown option isuer in options; did you mean issuer?'],
    [{ cache: { size: 1 } }, 'unknown option size in cache; known are maxTokens'],
    [of({ jwksURL: '' }), 'unknown option jwksURL in issuer; did you mean jwksUri?'],
    [of({ jwksUri, claims: { scope: 1 } }), 'unknown option scope in claims; did you mean scopes?'],
    [
      of({ jwksUri, claims: { roles: 1 } }),
      'unknown option roles in claims; known are scopes, clientId, audience, kind',
    ],
    [{ publicUrl: { proxies: [] } }, 'unknown option proxies in publicUrl; known are trustProxy'],
    [
      { dpop: { a: 1 } },
      'unknown option a in dpop; known are mode, algorithms, maxAgeSeconds, toleranceSeconds, nonce, replayStore',
    ],
    [nonce({ a: 1 }), 'unknown option a in dpop.nonce; known are secret, lifetimeSeconds'],
  ])('%j', (options, message) => {
    expect(mistakeOf(options)).toEqual(['option_unknown', message]);
  });
});

describe('tenants', () => {
  const template = 'https://login.example/{tenant}/v2.0';
  const plain = 'https://login.example';
  const elsewhere = `${plain}/{region}/keys`;
  const text = 'a URL with no other place than {tenant}';

  it.each<[object, string, string]>([
    [
      { issuer: template },
      'options_conflict',
      'tenants must be given, since issuer holds {tenant}; got undefined',
    ],
    [
      { issuer: `${plain}/{region}` },
      'options_conflict',
      `issuer must be without {tenant}, since no tenants are given; got "${plain}/{region}"`,
    ],
    [
      { issuer: plain, jwksUri: elsewhere },
      'options_conflict',
      `jwksUri must be without {tenant}, since no tenants are given; got "${elsewhere}"`,
    ],
    [
      { issuer: plain, tenants: ['a'] },
      'options_conflict',
      `issuer must be a URL with {tenant}, since tenants are given; got "${plain}"`,
    ],
    [
      { issuer: template, tenants: ['a'], secret: longSecret },
      'options_conflict',
      'secret must be left out where tenants would share it',
    ],
    [
      { issuer: template, tenants: ['a'], jwksUri: elsewhere },
      'option_invalid',
      `jwksUri must be ${text}; got "${elsewhere}"`,
    ],
    [{ issuer: template, tenants: [] }, 'option_invalid', `tenants must be ${texts}; got []`],
    [
      { issuer: template, tenants: ['a', 'b/c'] },
      'option_invalid',
      'tenants must be of letters, digits, dots, hyphens and underscores; got "b/c"',
    ],
    [
      { issuer: template, tenants: ['a'.repeat(256)] },
      'option_invalid',
      `tenants must be of letters, digits, dots, hyphens and underscores; got "${'a'.repeat(100)}"`,
    ],
    [
      { issuer: template, tenants: ['a', 'b', 'a'] },
      'option_invalid',
      'tenants must be named once each; got ["a", "b", "a"]',
    ],
    [{ issuer: 7, tenants: ['a'] }, 'option_invalid', 'issuer must be a non-empty string; got 7'],
    [
      { issuer: template, tenants: ['a'], jwksUri: 7 },
      'option_invalid',
      `jwksUri must be ${httpsUrl}; got 7`,
    ],
  ])('%j', (given, code, message) => {
    expect(mistakeOf({ issuer: given })).toEqual([code, message]);
  });

  it('of 255 letters, and one by itself, are none', () => {
    const tenants = ['a'.repeat(255), '...', '.a', '-'];
    const { issuers } = make({ issuer: { issuer: template, tenants, jwksUri } }).health();
    expect(issuers.map((one) => one.issuer)).toEqual(
      tenants.map((name) => template.replace('{tenant}', name)),
    );
    const shared = [
      { issuer: template, tenants: 'a', jwksUri },
      { issuer: template, tenants: ['a'], jwksUri },
    ];
    expect(mistakeOf({ issuer: shared })[1]).toBe(
      'issuer must be named once; got "https://login.example/a/v2.0"',
    );
  });
});

it.each<object>([
  { clockToleranceSeconds: 0 },
  { clockToleranceSeconds: 600 },
  { maxTokenAgeSeconds: 1 },
  { maxTokenAgeSeconds: 31_536_000 },
  { cache: {} },
  { cache: { maxTokens: 1 } },
  { cache: { maxTokens: 10_000_000 } },
  { typ: 'any' },
  { typ: ['application/at+jwt', 'JWT'] },
  { realm: ' a ~' },
  { dpop: {} },
  { dpop: { maxAgeSeconds: 1, toleranceSeconds: 0 } },
  { dpop: { maxAgeSeconds: 3600, toleranceSeconds: 3600 } },
  { dpop: { nonce: false } },
  { dpop: { algorithms: 'ES256' } },
  nonce({ lifetimeSeconds: 1 }),
  nonce({ lifetimeSeconds: 86_400 }),
  nonce({ secret: 'ü'.repeat(16) }),
  nonce({ secret: ['x'.repeat(32), 'y'.repeat(32)] }),
  of({ secret: 'x'.repeat(32) }),
  { issuer: { issuer: 'accounts', secret: 'x'.repeat(32) } },
  { issuer: introspecting('accounts') },
  of({ secret: new Uint8Array(48), algorithms: ['HS384', 'HS256'] }),
  { issuer: [introspecting(issuer), { issuer: 'https://other.example', jwksUri }] },
])('%j is none', (options) => {
  expect(() => make(options)).not.toThrow();
});
