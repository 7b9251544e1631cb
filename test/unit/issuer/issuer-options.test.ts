import { describe, expect, it } from 'vitest';
import { createIssuer, memoryStorage } from '../../../src/issuer/index.ts';
import { ISSUER } from './harness.ts';

/** Options as a program without types may give them. */
function create(options: Record<string, unknown>): unknown {
  return Reflect.apply(createIssuer, undefined, [options]);
}

function mistake(options: Record<string, unknown>): Error {
  try {
    create({ issuer: ISSUER, ...options });
  } catch (error) {
    if (error instanceof TypeError) return error;
    throw error;
  }
  throw new Error('the options were taken');
}

describe('createIssuer', () => {
  it.each([
    'https://idp.example',
    'https://idp.example/',
    'https://idp.example/tenant',
    'https://idp.example:8443',
    'http://127.0.0.1:4000',
    'http://localhost:4000',
    'http://[::1]:4000',
  ])('takes the issuer %s', (issuer) => {
    expect(createIssuer({ issuer }).issuer).toBe(issuer);
  });

  it.each<[string, unknown, string]>([
    ['missing', undefined, 'got undefined'],
    ['empty', '', 'got ""'],
    ['no URL', 'idp', 'got "idp"'],
    ['plain http', 'http://idp.example', 'got "http://idp.example"'],
    ['another scheme', 'ftp://idp.example', 'got "ftp://idp.example"'],
    ['with a query', 'https://idp.example/?a=b', 'without query'],
    ['with a fragment', 'https://idp.example/#a', 'without query, fragment'],
    ['in capitals', 'https://IDP.example', 'in its canonical spelling, https://idp.example/'],
    ['with a default port', 'https://idp.example:443', 'in its canonical spelling, https://idp.example/'],
    ['with dot segments', 'https://idp.example/a/../b', 'in its canonical spelling, https://idp.example/b'],
  ])('refuses an issuer that is %s', (_, issuer, message) => {
    const { message: text } = mistake({ issuer });
    expect(text).toMatch(/^createIssuer: issuer must be /);
    expect(text).toContain(message);
  });

  it.each<[string, unknown]>([
    ['storage', {}],
    ['storage', null],
    ['resources', 'orders'],
    ['resources', ['https://orders.example#a']],
    ['resources', []],
    ['accessTokenSeconds', 0],
    ['accessTokenSeconds', 86_401],
    ['accessTokenSeconds', 1.5],
    ['accessTokenSeconds', '900'],
    ['accessTokenSeconds', Number.NaN],
    ['signingAlgorithm', 'HS256'],
    ['signingAlgorithm', 'none'],
    ['keyPublishAheadSeconds', -1],
    ['keyPublishAheadSeconds', 0.5],
    ['now', 5],
    ['randomBytes', 'x'],
    ['onEvent', {}],
  ])('refuses %s: %j', (option, value) => {
    expect(mistake({ [option]: value }).message).toMatch(
      new RegExp(`^createIssuer: ${option} must be .*; got `),
    );
  });

  it('names a misspelt option with its likely meaning', () => {
    expect(mistake({ admin_token: 'x' }).message).toContain('did you mean adminToken?');
  });

  it.each<[string, unknown]>([
    ['adminToken', 'canary'],
    ['adminToken', 'canary with spaces in it'],
    ['adminToken', 'canary canary canary é'],
    ['secretKey', 'canary'],
    ['secretKey', new TextEncoder().encode('canary')],
    ['secretKey', ['canary']],
    ['issuer', 'https://user:canary@idp.example'],
  ])('threat 27: refuses %s without saying its value', (option, value) => {
    const { message } = mistake({ [option]: value });
    expect(message).toMatch(new RegExp(`^createIssuer: ${option} must be `));
    expect(message).not.toContain('canary');
  });

  it('insists on a secretKey for durable storage', () => {
    const storage = { ...memoryStorage(), durable: true };
    expect(mistake({ storage }).message).toContain(
      'createIssuer: secretKey must be given with durable storage',
    );
    expect(() => createIssuer({ issuer: ISSUER, storage, secretKey: new Uint8Array(32) })).not.toThrow();
  });

  it('changes nothing of the options, and does not see later changes', async () => {
    const resources = ['https://orders.example'];
    const options = Object.freeze({ issuer: ISSUER, adminToken: 'an-admin-token-for-tests', resources });
    const { fetch } = createIssuer(options);
    resources.push('https://billing.example');
    const body = JSON.stringify({ name: 'a', scopes: [], resources });
    const headers = { authorization: `Bearer ${options.adminToken}`, 'content-type': 'application/json' };
    const response = await fetch(new Request(`${ISSUER}/admin/services`, { method: 'POST', headers, body }));
    expect(response.status).toBe(400);
  });
});
