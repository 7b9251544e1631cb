import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ClientAuth,
  type ClientAuthRequest,
  clientSecretBasic,
  clientSecretPost,
} from '../../../src/shared/client-auth.ts';
import vectors from '../../vectors/rfc6749-client.json' with { type: 'json' };
import { rejection, secretCanary } from '../outbound/support.ts';

async function authenticate(auth: ClientAuth, clientId: string): Promise<ClientAuthRequest> {
  const request: ClientAuthRequest = {
    issuer: undefined,
    endpoint: 'https://idp.example/token',
    clientId,
    form: new URLSearchParams({ grant_type: 'client_credentials' }),
    headers: {},
  };
  await auth(request);
  return request;
}

function decodeBasic(header: string | undefined): string {
  expect(header).toMatch(/^Basic [A-Za-z0-9+/]+=*$/);
  return Buffer.from((header ?? '').slice('Basic '.length), 'base64').toString('utf8');
}

const formDecode = (text: string): string => new URLSearchParams(`v=${text}`).get('v') ?? '';
/** Anything that can be encoded at all: no lone surrogates, and not blank. */
const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => value.trim() !== '');

describe('clientSecretBasic (RFC 6749 section 2.3.1)', () => {
  it.each(vectors.cases.filter((vector) => vector.authorization !== undefined))('$id', async (vector) => {
    const { client_id: id = '', client_secret: secret = '', authorization } = vector;
    const { headers, form } = await authenticate(clientSecretBasic(secret), id);
    expect(headers).toEqual({ authorization });
    expect([...form.keys()]).toEqual(['grant_type']);
  });

  it('encodes as appendix B shows', async () => {
    const { input = '', output } = vectors.cases.find(({ id }) => id === 'rfc6749-appendix-b') ?? {};
    const { headers } = await authenticate(clientSecretBasic(`x${input}`), 'a');
    expect(decodeBasic(headers.authorization)).toBe(`a:x${output}`);
  });

  it('gives back any id and secret when decoded', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (id, secret) => {
        const { headers } = await authenticate(clientSecretBasic(secret), id);
        const pair = decodeBasic(headers.authorization);
        expect(pair.split(':')).toHaveLength(2);
        const [encodedId = '', encodedSecret = ''] = pair.split(':');
        expect(encodedId).toMatch(/^[\w.*+%-]+$/);
        expect([formDecode(encodedId), formDecode(encodedSecret)]).toEqual([id, secret]);
      }),
    );
  });

  it('leaves id and secret as they are with the raw encoding', async () => {
    const { headers } = await authenticate(clientSecretBasic('p+%:ü', { encoding: 'raw' }), 'a b');
    expect(decodeBasic(headers.authorization)).toBe('a b:p+%:ü');
  });

  it('refuses an id with a colon in the raw encoding, where it would end the id', async () => {
    const error = await rejection(authenticate(clientSecretBasic('secret', { encoding: 'raw' }), 'a:b'));
    expect(error).toMatchObject({ code: 'client_auth_failed' });
  });

  it('refuses an unknown encoding and an unknown option', () => {
    expect(() => clientSecretBasic('s', { encoding: 'plain' as 'raw' })).toThrow(
      `clientSecretBasic: encoding must be one of 'form', 'raw'; got "plain"`,
    );
    expect(() => clientSecretBasic('s', { encodign: 'raw' } as object)).toThrow('did you mean encoding?');
  });
});

describe('clientSecretPost (RFC 6749 section 2.3.1)', () => {
  it('puts id and secret into the body and nothing into the headers', async () => {
    const { headers, form } = await authenticate(clientSecretPost('p&=ß'), 'a b');
    expect(headers).toEqual({});
    expect(Object.fromEntries(new URLSearchParams(form.toString()))).toEqual({
      grant_type: 'client_credentials',
      client_id: 'a b',
      client_secret: 'p&=ß',
    });
  });
});

describe.each([
  ['clientSecretBasic', clientSecretBasic],
  ['clientSecretPost', clientSecretPost],
])('%s: where the secret comes from', (name, create) => {
  it.each(['', '   ', undefined, null, 0, {}, []])('refuses %j at creation', (secret) => {
    expect(() => create(secret as string)).toThrow(
      new TypeError(`${name}: secret must be a non-empty string or a function that gives one`),
    );
  });

  it('asks a function anew for each request', async () => {
    const secrets = ['first', 'second'];
    const auth = create(async () => secrets.shift() ?? '');
    const seen = [await authenticate(auth, 'a'), await authenticate(auth, 'a')];
    const shown = seen.map(({ headers: { authorization: basic }, form }) =>
      basic === undefined ? form.get('client_secret') : decodeBasic(basic).slice(2),
    );
    expect(shown).toEqual(['first', 'second']);
  });

  it.each(['', undefined, 7])('refuses a function that gives %j', async (secret) => {
    const error = await rejection(
      authenticate(
        create(() => secret as string),
        'a',
      ),
    );
    expect(error).toMatchObject({ name: 'ServiceAuthError', code: 'client_auth_failed' });
  });

  it('says of a failing function its code, never its message', async () => {
    const failure = Object.assign(new Error(`cannot read ${secretCanary}`), { code: 'ENOENT' });
    const error = await rejection(
      authenticate(
        create(() => Promise.reject(failure)),
        'a',
      ),
    );
    expect(error).toMatchObject({ code: 'client_auth_failed' });
    expect(error).not.toHaveProperty('cause');
    expect(String(error)).toContain('ENOENT');
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(secretCanary);
  });

  it('threat 27: shows no secret to util.inspect and JSON', () => {
    const auth = create(secretCanary);
    expect(inspect(auth, { depth: null, showHidden: true, getters: true })).not.toContain(secretCanary);
    expect(JSON.stringify({ auth, text: String(auth) })).not.toContain(secretCanary);
  });
});
