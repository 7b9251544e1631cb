import { inspect } from 'node:util';
import { jwtVerify } from 'jose';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { optionError } from '../../../src/errors.ts';
import type { ClientAuth, ClientAuthRequest } from '../../../src/shared/client-auth.ts';
import { rejection } from '../outbound/support.ts';

/** Loads the module anew, so that it finds node:crypto or does not. */
async function load(): Promise<typeof import('../../../src/shared/client-secret-jwt.ts')> {
  vi.resetModules();
  return import('../../../src/shared/client-secret-jwt.ts');
}

const node = await load();
const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
const web = await load();
getBuiltinModule.mockRestore();
afterAll(() => vi.resetModules());

const nowMs = 1_800_000_000_000;
const endpoint = 'https://idp.example/token';
/** As many bytes as UTF-8 as the longest hash, in fewer characters. */
const secret = `ü-${'s'.repeat(61)}`;

function requestOf(refusals = 0, issuer: string | undefined = 'https://idp.example'): ClientAuthRequest {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  return { issuer, endpoint, clientId: 'billing', form, headers: {}, refusals, now: () => nowMs };
}

async function send(clientAuth: ClientAuth, request = requestOf()): Promise<string> {
  await clientAuth(request);
  return String(request.form.get('client_assertion'));
}

const verifies = (token: string, key = secret): ReturnType<typeof jwtVerify> =>
  jwtVerify(token, new TextEncoder().encode(key), { currentDate: new Date(nowMs) });

describe.each([
  ['node:crypto', node],
  ['WebCrypto', web],
])('clientSecretJwt by %s', (_runtime, { clientSecretJwt }) => {
  it.each(['HS256', 'HS384', 'HS512'] as const)('signs by %s what jose verifies', async (alg) => {
    const { payload, protectedHeader } = await verifies(await send(clientSecretJwt(secret, { alg })));
    expect(protectedHeader).toEqual({ alg, typ: 'JWT' });
    expect(payload).toEqual({
      iss: 'billing',
      sub: 'billing',
      aud: 'https://idp.example',
      iat: nowMs / 1000,
      exp: nowMs / 1000 + 60,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it('signs by HS256 unless told otherwise, each request anew, and never sends the secret', async () => {
    const clientAuth = clientSecretJwt(secret);
    const [first, second] = [requestOf(), requestOf()];
    const tokens = [await send(clientAuth, first), await send(clientAuth, second)];
    const [one, two] = await Promise.all(tokens.map((token) => verifies(token)));
    expect(one?.protectedHeader.alg).toBe('HS256');
    expect(one?.payload.jti).not.toBe(two?.payload.jti);
    expect([...first.form.keys()]).toEqual([
      'grant_type',
      'client_id',
      'client_assertion_type',
      'client_assertion',
    ]);
    expect(first.form.get('client_assertion_type')).toBe(
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    );
    expect(first.headers).toEqual({});
  });

  it('goes by the options for audience, lifetime and clock', async () => {
    const audience = async (given: string | undefined, request: ClientAuthRequest): Promise<unknown> =>
      (await verifies(await send(clientSecretJwt(secret, { audience: given }), request))).payload.aud;
    expect(await audience(undefined, requestOf())).toBe('https://idp.example');
    expect(await audience('endpoint', requestOf())).toBe(endpoint);
    expect(await audience('urn:idp', requestOf())).toBe('urn:idp');
    expect(await audience(undefined, { ...requestOf(), issuer: undefined })).toBe(endpoint);
    const options = { lifetimeSeconds: 10, now: () => nowMs - 3000 };
    const { payload } = await verifies(await send(clientSecretJwt(secret, options)));
    expect([payload.iat, payload.exp]).toEqual([nowMs / 1000 - 3, nowMs / 1000 + 7]);
  });

  it('takes the next of several secrets after a refusal, and tells them apart', async () => {
    const old = 'o'.repeat(32);
    const clientAuth = clientSecretJwt(() => [secret, old]);
    await verifies(await send(clientAuth));
    await verifies(await send(clientAuth, requestOf(1)), old);
    const used = async (refusals: number): Promise<string | undefined> =>
      (await clientAuth(requestOf(refusals)))?.credential;
    expect(await used(0)).toBe(await used(0));
    expect(await used(0)).not.toBe(await used(1));
  });

  it.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ] as const)('%s takes no secret under %i bytes (threat 4)', async (alg, least) => {
    const short = 'x'.repeat(least - 1);
    for (const given of [short, ['x'.repeat(least), short]]) {
      expect(() => clientSecretJwt(given, { alg })).toThrow(
        optionError('secret_too_short', `clientSecretJwt: secret must be at least ${least} bytes long`),
      );
    }
    const error = await rejection(send(clientSecretJwt(() => short, { alg })));
    expect(error).toMatchObject({
      code: 'client_auth_failed',
      message: `the client secret could not be read (it must be at least ${least} bytes long)`,
    });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(short);
    await verifies(await send(clientSecretJwt(`${short}y`, { alg })), `${short}y`);
  });

  it.each([
    [{ alg: 'RS256' }, /alg must be one of 'HS256', 'HS384', 'HS512'; got "RS256"/],
    [{ audience: '' }, /audience must be a non-empty string/],
    [{ lifetimeSeconds: 3601 }, /lifetimeSeconds must be a number of seconds from 1 to 3600/],
    [{ now: 5 }, /now must be a function/],
    [{ algorithm: 'HS256' }, /unknown option algorithm in options; did you mean alg\?/],
  ])('the options %j are refused', (options, message) => {
    expect(() => clientSecretJwt(secret, options as object)).toThrow(message);
  });

  it('threat 27: shows the secret nowhere', async () => {
    const clientAuth = clientSecretJwt(secret);
    const used = await clientAuth(requestOf());
    const shown = inspect([clientAuth, used], { depth: null, showHidden: true, getters: true });
    expect(`${shown}${JSON.stringify(used)}`).not.toContain(secret);
  });
});

it('is done at once where node:crypto is', () => {
  const request = requestOf();
  expect(node.clientSecretJwt(secret)(request)).not.toBeInstanceOf(Promise);
  expect(request.form.get('client_assertion')).not.toBeNull();
});
