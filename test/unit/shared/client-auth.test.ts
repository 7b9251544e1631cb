import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { optionError } from '../../../src/errors.ts';
import {
  authenticateClient,
  type ClientAuth,
  type ClientAuthRequest,
  clientSecretBasic,
  clientSecretPost,
} from '../../../src/shared/client-auth.ts';
import type { Secret } from '../../../src/shared/secret.ts';
import vectors from '../../vectors/rfc6749-client.json' with { type: 'json' };
import { rejection, secretCanary } from '../outbound/support.ts';

function requestOf(clientId: string, refusals = 0): ClientAuthRequest {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  const endpoint = 'https://idp.example/token';
  return { issuer: undefined, endpoint, clientId, form, headers: {}, refusals, now: Date.now };
}

async function authenticate(auth: ClientAuth, clientId: string, refusals = 0): Promise<ClientAuthRequest> {
  const request = requestOf(clientId, refusals);
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

/** The secret that went into the request. */
async function sent(auth: ClientAuth, refusals = 0): Promise<string | null> {
  const { headers, form } = await authenticate(auth, 'a', refusals);
  const { authorization } = headers;
  return authorization === undefined ? form.get('client_secret') : decodeBasic(authorization).slice(2);
}

describe.each([
  ['clientSecretBasic', clientSecretBasic],
  ['clientSecretPost', clientSecretPost],
])('%s: where the secret comes from', (name, create) => {
  it.each(['', '   ', undefined, null, 0, {}, [], ['good', ''], ['good', 5]])(
    'refuses %j at creation',
    (secret) => {
      expect(() => create(secret as string)).toThrow(
        optionError(
          'option_invalid',
          `${name}: secret must be a non-empty string, a non-empty list of them, or a function that gives either`,
        ),
      );
    },
  );

  it('asks a function anew for each request', async () => {
    const secrets = ['first', 'second'];
    const auth = create(async () => secrets.shift() ?? '');
    expect([await sent(auth), await sent(auth)]).toEqual(['first', 'second']);
  });

  it('takes the next of several after each refusal, and stays with the last', async () => {
    for (const source of [['new', 'old'], () => ['new', 'old'], async () => ['new', 'old']]) {
      const auth = create(source as Secret);
      const seen = [await sent(auth, 0), await sent(auth, 1), await sent(auth, 2), await sent(auth, 0)];
      expect(seen).toEqual(['new', 'old', 'old', 'new']);
    }
  });

  it('asks a function again after a refusal', async () => {
    const secrets = ['stale', 'fresh'];
    const auth = create(() => secrets.shift() ?? '');
    expect([await sent(auth, 0), await sent(auth, 1)]).toEqual(['stale', 'fresh']);
  });

  it('is not changed by a list that changes', async () => {
    const list = ['new'];
    const auth = create(list);
    list[0] = 'other';
    expect(await sent(auth)).toBe('new');
  });

  it('tells one credential from another', async () => {
    const auth = create(['new', 'old']);
    const used = async (refusals: number): Promise<string | undefined> =>
      (await authenticateClient(auth, requestOf('a', refusals), 1000))?.credential;
    expect(await used(0)).toBe(await used(0));
    expect(await used(0)).not.toBe(await used(1));
  });

  it.each(['', undefined, 7, [], ['good', '']])('refuses a function that gives %j', async (secret) => {
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

describe('authenticateClient', () => {
  const seen = (used: unknown): string => inspect(used, { depth: null, showHidden: true, getters: true });
  const use = (auth: unknown): ReturnType<typeof authenticateClient> =>
    authenticateClient(auth as ClientAuth, requestOf('a'), 50);
  afterEach(() => void vi.useRealTimers());

  it.each([
    ['a secret', clientSecretPost(secretCanary)],
    ['a function of somebody else', () => ({ credential: secretCanary })],
    ['a promise of somebody else', async () => ({ credential: secretCanary })],
  ])('threat 27: gives what identifies %s, and shows it nowhere', async (_name, auth) => {
    const used = await use(auth);
    expect(used?.credential).toBe(secretCanary);
    expect(seen(used)).not.toContain(secretCanary);
    expect(JSON.stringify({ used, ...used })).not.toContain(secretCanary);
  });

  it.each([undefined, null, 7, 'x', {}, { credential: 7 }, []])(
    'a function that gives %j identifies nothing',
    async (result) => {
      expect(await use(() => result)).toBeUndefined();
      expect(await use(async () => result)).toBeUndefined();
    },
  );

  it('waits for anything with a then', async () => {
    // biome-ignore lint/suspicious/noThenProperty: promises of other makes are the matter here
    const thenable = { then: (done: (value: unknown) => void) => done({ credential: 'x' }) };
    expect((await use(() => thenable))?.credential).toBe('x');
  });

  it('says of a failing function its code, never its message', async () => {
    const failure = Object.assign(new Error(secretCanary), { code: 'EACCES' });
    for (const auth of [() => Promise.reject(failure), () => raise(failure)]) {
      const error = await rejection(use(auth));
      expect(error).toMatchObject({
        code: 'client_auth_failed',
        message: 'the client could not be authenticated (EACCES)',
      });
      expect(seen(error)).not.toContain(secretCanary);
    }
  });

  it('waits no longer than it may', async () => {
    vi.useFakeTimers();
    const error = rejection(use(() => new Promise(() => {})));
    await vi.advanceTimersByTimeAsync(50);
    expect(await error).toMatchObject({
      code: 'timeout',
      message: 'the credential of the client was not there within 50 ms',
    });
    expect(vi.getTimerCount()).toBe(0);
  });
});

function raise(error: Error): never {
  throw error;
}
