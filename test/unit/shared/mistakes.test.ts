/** Classic mistakes in options are recognised when something is made, and say where to read about them. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  clientSecretBasic,
  createTokenClient,
  createVerifier,
  isOptionError,
  type OptionErrorCode,
  secretFile,
} from '../../../src/index.ts';

const audience = 'https://orders.example';
const issuer = 'https://idp.example';

function mistakeOf(work: () => unknown): Error & { code?: unknown } {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}

const verifier = (options: object) => () => createVerifier(options);
const client = (options: object) => () => createTokenClient({ clientId: 'billing', ...options });

it.each(['user:hunter2@idp.example', '//user:hunter2@idp.example', 'https://user:hunter2@idp.example:x'])(
  '%s shows no password',
  (url) => {
    const { message } = mistakeOf(verifier({ issuer: url, audience }));
    expect(message).toContain('without a user in it');
    expect(message).not.toContain('hunter2');
  },
);

it.each<[OptionErrorCode, () => unknown, string]>([
  ['issuer_not_https', verifier({ issuer: 'http://idp.example', audience }), 'got "http://idp.example"'],
  ['issuer_not_https', client({ issuer: 'http://idp.example', clientSecret: 's' }), 'an https URL'],
  ['issuer_not_url', verifier({ issuer: 'idp.example', audience }), 'is https:// missing?'],
  ['issuer_not_url', verifier({ issuer: 'idp.example:8443', audience }), 'is https:// missing?'],
  ['issuer_not_url', verifier({ issuer: `${issuer}?tenant=a`, audience }), 'without query'],
  ['issuer_not_url', verifier({ issuer: `${issuer} `, audience }), 'without white space'],
  [
    'issuer_is_document',
    verifier({ issuer: `${issuer}/realms/a/.well-known/openid-configuration`, audience }),
    'probably https://idp.example/realms/a or https://idp.example/realms/a/',
  ],
  [
    'issuer_is_document',
    client({ issuer: `${issuer}/.well-known/oauth-authorization-server/tenant`, clientSecret: 's' }),
    'probably https://idp.example/tenant or',
  ],
  [
    'issuer_is_document',
    verifier({ issuer: `${issuer}/.well-known/jwks.json`, audience }),
    'probably https://idp.example or https://idp.example/',
  ],
  [
    'url_not_https',
    client({ tokenEndpoint: 'http://idp.example/token', clientSecret: 's' }),
    'tokenEndpoint',
  ],
  ['audience_missing', verifier({ issuer }), 'SERVICE_AUTH_AUDIENCE; null would take tokens for any service'],
  ['option_missing', verifier({ audience }), 'give it or set SERVICE_AUTH_ISSUER'],
  ['option_missing', client({ issuer }), 'clientSecret is required'],
  ['option_unset', client({ issuer, clientSecret: undefined }), 'clientSecret is undefined'],
  ['option_unknown', verifier({ isuer: issuer }), 'did you mean issuer?'],
  ['option_invalid', verifier({ issuer, audience, clockToleranceSeconds: '5' }), 'clockToleranceSeconds'],
  [
    'options_conflict',
    client({ issuer, clientSecret: 's', clientAuth: clientSecretBasic('s') }),
    'absent where clientAuth is given',
  ],
  ['secret_too_short', verifier({ issuer: { issuer, secret: 'short' }, audience }), 'at least 32 bytes'],
  [
    'secret_misplaced',
    verifier({ issuer: { issuer, secret: '-----BEGIN PUBLIC KEY-----' }, audience }),
    'belongs into jwks',
  ],
  ['secret_misplaced', () => secretFile('-----BEGIN PRIVATE KEY-----\n'), 'not what the file holds'],
])('%s, %#', (code, work, text) => {
  const mistake = mistakeOf(work);
  expect(mistake).toBeInstanceOf(TypeError);
  expect(isOptionError(mistake)).toBe(true);
  expect(mistake.code).toBe(code);
  expect(mistake.message).toContain(text);
  expect(mistake.message).toMatch(new RegExp(`\\(npx service-auth explain ${code}\\)$`));
});

it('a static key set needs no issuer that can be fetched', () => {
  const secret = 'x'.repeat(32);
  expect(() => createVerifier({ issuer: { issuer: 'http://idp.example', secret }, audience })).not.toThrow();
});

describe('isOptionError', () => {
  it.each([
    ['of the platform', new TypeError('x')],
    ['of Node', Object.assign(new TypeError('x'), { code: 'ERR_INVALID_ARG_TYPE' })],
    ['of another class', Object.assign(new Error('x'), { code: 'option_invalid' })],
    ['that is none', { code: 'option_invalid' }],
    ['that is nothing', undefined],
  ])('tells an error %s', (_what, value) => {
    expect(isOptionError(value)).toBe(false);
  });
});

it('no file throws a TypeError without a code', () => {
  // The testing kit has its own; the last two put the place in front of a mistake that has its code already.
  const allowed = ['src/errors.ts', 'src/cli/gateway/policy.ts', 'adapters/nest/guard.ts'];
  const bare = ['src', 'adapters']
    .flatMap((folder) => readdirSync(folder, { recursive: true }).map((file) => `${folder}/${file}`))
    .filter((file) => file.endsWith('.ts') && !file.startsWith('adapters/testing'))
    .filter((file) => readFileSync(file, 'utf8').includes('new TypeError('));
  expect(bare.sort()).toEqual(allowed.sort());
});
