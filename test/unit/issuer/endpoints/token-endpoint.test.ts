import { decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import { createHarness, type Harness, ISSUER, ORDERS, type Parameters } from '../harness.ts';

const GRANT = { grant_type: 'client_credentials' };

async function ask(harness: Harness, input: object, parameters: Parameters) {
  return harness.post('/token', parameters, await harness.register(input));
}

describe('an issued token', () => {
  it.each(['ES256', 'EdDSA', 'RS256'] as const)(
    'is a JWT of RFC 9068 that another library accepts: %s',
    async (alg) => {
      const harness = createHarness({ signingAlgorithm: alg });
      const token = await harness.token(await harness.register({ clientId: 'billing' }), { scope: 'read' });
      const { payload, protectedHeader } = await harness.verify(token);
      const { status: _, ...claims } = payload;
      expect(protectedHeader).toEqual({ alg, typ: 'at+jwt', kid: expect.any(String) });
      expect(claims).toEqual({
        iss: ISSUER,
        sub: 'billing',
        aud: ORDERS,
        exp: harness.nowSeconds() + 900,
        iat: harness.nowSeconds(),
        jti: expect.stringMatching(/^[\w-]{22}$/),
        client_id: 'billing',
        scope: 'read',
      });
    },
  );

  it('comes in an answer of RFC 6749 section 5.1 that no cache keeps', async () => {
    const { status, headers, body } = await ask(createHarness(), {}, GRANT);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('pragma')).toBe('no-cache');
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      scope: 'read write',
    });
  });

  it('lives as long as configured', async () => {
    const harness = createHarness({ accessTokenSeconds: 60 });
    const { body } = await ask(harness, {}, GRANT);
    expect(body.expires_in).toBe(60);
    const { payload } = await harness.verify(body.access_token);
    expect(payload.exp).toBe(harness.nowSeconds() + 60);
  });

  it('has an identifier of its own each time', async () => {
    const harness = createHarness();
    const service = await harness.register();
    const first = await harness.verify(await harness.token(service));
    const second = await harness.verify(await harness.token(service));
    expect(first.payload.jti).not.toBe(second.payload.jti);
  });

  it('is reported without the token', async () => {
    const harness = createHarness();
    const service = await harness.register({ clientId: 'billing' });
    const token = await harness.token(service);
    expect(harness.events.at(-1)).toMatchObject({
      type: 'issuer.token_issued',
      clientId: 'billing',
      grantType: 'client_credentials',
      scope: 'read write',
      audience: [ORDERS],
    });
    expect(JSON.stringify(harness.events)).not.toContain(token.split('.')[2]);
  });
});

describe('a request that is wrong in itself', () => {
  it.each<[string, Parameters, string]>([
    ['no grant type', {}, 'invalid_request'],
    ['a grant type without a value', { grant_type: '' }, 'invalid_request'],
    ['another grant type', { grant_type: 'password' }, 'unsupported_grant_type'],
    ['a grant type of the prototype', { grant_type: 'constructor' }, 'unsupported_grant_type'],
    ['a grant type of another case', { grant_type: 'Client_Credentials' }, 'unsupported_grant_type'],
  ])('%s', async (_, parameters, error) => {
    const { status, body, headers } = await ask(createHarness(), {}, parameters);
    expect(status).toBe(400);
    expect(body).toEqual({ error, error_description: expect.any(String) });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.has('www-authenticate')).toBe(false);
  });

  it.each(['grant_type', 'scope', 'client_id', 'anything'])(
    'threat 26: %s sent twice is refused',
    async (name) => {
      const parameters: Parameters = { ...GRANT, [name]: ['a', 'a'] };
      const { status, body } = await ask(createHarness(), {}, parameters);
      expect(status).toBe(400);
      expect(body.error).toBe('invalid_request');
    },
  );

  it('parameters that are not known are ignored', async () => {
    expect((await ask(createHarness(), {}, { ...GRANT, audience: 'x', __proto__x: 'y' })).status).toBe(200);
  });

  it.each(['application/json', 'text/plain', 'multipart/form-data; boundary=x', undefined])(
    'the content type %s is refused',
    async (type) => {
      const body = new TextEncoder().encode('grant_type=client_credentials');
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
      const answer = await createHarness().call('/token', { method: 'POST', headers, body });
      expect(answer.status).toBe(400);
      expect(answer.body.error).toBe('invalid_request');
    },
  );

  it('the content type may have parameters and any case', async () => {
    const harness = createHarness();
    const { clientId, clientSecret } = await harness.register();
    const body = new URLSearchParams({
      ...GRANT,
      client_id: clientId,
      client_secret: clientSecret,
    }).toString();
    const headers = { 'content-type': 'Application/X-WWW-Form-Urlencoded; charset=UTF-8' };
    expect((await harness.call('/token', { method: 'POST', headers, body })).status).toBe(200);
  });

  it('text that is not UTF-8 is refused', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = new Uint8Array([0x67, 0xff, 0x3d, 0x61]);
    const answer = await createHarness().call('/token', { method: 'POST', headers, body });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toBe('invalid_request');
  });

  it('threat 23: a body over 64 KiB is refused, whatever its declared length', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, body } = await createHarness().call('/token', {
      method: 'POST',
      headers,
      body: 'a='.repeat(33_000),
    });
    expect(status).toBe(413);
    expect(body.error).toBe('invalid_request');
  });

  it('threat 27: credentials in the URL are not read', async () => {
    const harness = createHarness();
    const { clientId, clientSecret } = await harness.register();
    const query = new URLSearchParams({ ...GRANT, client_id: clientId, client_secret: clientSecret });
    const answer = await harness.post(`/token?${query}`, GRANT);
    expect(answer.status).toBe(401);
  });
});

it('the header says nothing but algorithm, type and key', async () => {
  const harness = createHarness();
  const header = decodeProtectedHeader(await harness.token(await harness.register()));
  expect(Object.keys(header).sort()).toEqual(['alg', 'kid', 'typ']);
});
