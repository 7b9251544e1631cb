import { describe, expect, it } from 'vitest';
import { decodeBasic } from '../../../../src/issuer/clients/basic-credentials.ts';
import vectors from '../../../vectors/rfc6749-client.json';
import { basic, createHarness, form, type Parameters } from '../harness.ts';

const GRANT = { grant_type: 'client_credentials' };
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('HTTP Basic as OAuth encodes it', () => {
  const cases = vectors.cases.filter(({ options }) => options.kind === 'client-auth');

  it('has vectors', () => expect(cases.length).toBe(2));

  it.each(cases)('RFC 6749: $id', ({ authorization = '', client_id, client_secret }) => {
    expect(decodeBasic(authorization)).toEqual({ clientId: client_id, clientSecret: client_secret });
  });

  it('RFC 6749 appendix B: space, percent, ampersand, plus, pound, euro', () => {
    const vector = vectors.cases.find(({ id }) => id === 'rfc6749-appendix-b');
    expect(decodeBasic(`Basic ${base64(`a:${vector?.output}`)}`)?.clientSecret).toBe(vector?.input);
  });

  it.each(['basic', 'BASIC', 'bAsIc'])('the scheme has no case: %s', (scheme) => {
    expect(decodeBasic(`${scheme} ${base64('a:b')}`)).toEqual({ clientId: 'a', clientSecret: 'b' });
  });

  it('a colon in the secret belongs to the secret', () => {
    expect(decodeBasic(`Basic ${base64('a:b:c')}`)).toEqual({ clientId: 'a', clientSecret: 'b:c' });
  });

  it.each([
    ['no credentials', 'Basic'],
    ['empty credentials', 'Basic '],
    ['another scheme', `Bearer ${base64('a:b')}`],
    ['no scheme', base64('a:b')],
    ['no colon', `Basic ${base64('ab')}`],
    ['no client', `Basic ${base64(':b')}`],
    ['no secret', `Basic ${base64('a:')}`],
    ['not base64', 'Basic ab!='],
    ['base64 without its padding', `Basic ${base64('ab:c').replaceAll('=', '')}`],
    ['left-over bits', 'Basic YTpiYx=='],
    ['base64 with a space in it', 'Basic YTpi YTpi'],
    ['two headers joined', `Basic ${base64('a:b')}, Basic ${base64('c:d')}`],
    ['a broken percent sign', `Basic ${base64('a:%zz')}`],
    ['an encoding that is not UTF-8', `Basic ${base64('a:%ff')}`],
  ])('%s is refused', (_, authorization) => {
    expect(decodeBasic(authorization)).toBeUndefined();
  });
});

describe('a client that authenticates', () => {
  it('may do so with Basic', async () => {
    const harness = createHarness();
    expect((await harness.post('/token', GRANT, await harness.register())).status).toBe(200);
  });

  it('may do so in the body', async () => {
    const harness = createHarness();
    const { clientId, clientSecret } = await harness.register();
    const parameters = { ...GRANT, client_id: clientId, client_secret: clientSecret };
    expect((await harness.post('/token', parameters)).status).toBe(200);
  });

  it('may repeat its identifier in the body', async () => {
    const harness = createHarness();
    const service = await harness.register();
    expect((await harness.post('/token', { ...GRANT, client_id: service.clientId }, service)).status).toBe(
      200,
    );
  });

  it.each(['__proto__', 'constructor', 'toString', 'a:b', 'spiffe://x/y', "it's%41+"])(
    'threat 12: may be called %s',
    async (clientId) => {
      const harness = createHarness();
      const { payload } = await harness.verify(await harness.token(await harness.register({ clientId })));
      expect(payload.sub).toBe(clientId);
    },
  );

  it.each<[string, Parameters]>([
    ['another identifier in the body', { ...GRANT, client_id: 'other' }],
    ['a secret in the body too', { ...GRANT, client_secret: 'x' }],
    ['identifier and secret in the body too', { ...GRANT, client_id: 'billing', client_secret: 'x' }],
  ])('must do so in one way: %s', async (_, parameters) => {
    const harness = createHarness();
    const service = await harness.register({ clientId: 'billing' });
    const { status, body } = await harness.post('/token', parameters, service);
    expect(status).toBe(400);
    expect(body.error).toBe('invalid_request');
  });
});

describe('a client that does not authenticate', () => {
  it.each<[string, Parameters, Record<string, string>]>([
    ['no credentials', GRANT, {}],
    ['an identifier alone', { ...GRANT, client_id: 'billing' }, {}],
    ['a secret alone', { ...GRANT, client_secret: 'x' }, {}],
    ['an empty secret', { ...GRANT, client_id: 'billing', client_secret: '' }, {}],
    ['a wrong secret', { ...GRANT, client_id: 'billing', client_secret: 'x' }, {}],
    ['a wrong secret by Basic', GRANT, { authorization: basic({ clientId: 'billing', clientSecret: 'x' }) }],
    ['an unknown client', { ...GRANT, client_id: '__proto__', client_secret: 'x' }, {}],
    ['an identifier with control characters', { ...GRANT, client_id: 'a\0', client_secret: 'x' }, {}],
    ['an endless identifier', { ...GRANT, client_id: 'a'.repeat(1000), client_secret: 'x' }, {}],
    ['another scheme', GRANT, { authorization: 'Bearer abc' }],
    ['a malformed header', GRANT, { authorization: 'Basic' }],
  ])('%s: 401 with a challenge', async (_, parameters, headers) => {
    const harness = createHarness();
    await harness.register({ clientId: 'billing' });
    for (const path of ['/token', '/introspect', '/revoke']) {
      const body = form(parameters);
      const answer = await harness.call(path, { method: 'POST', headers, body });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm="/);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.body.error).toBe('invalid_client');
    }
  });

  it('is reported without what it sent', async () => {
    const harness = createHarness();
    await harness.post('/token', GRANT, { clientId: 'someone', clientSecret: 'canary' });
    expect(harness.events.at(-1)).toEqual({
      type: 'issuer.request_refused',
      endpoint: 'token',
      error: 'invalid_client',
      description: 'the client is unknown or its credentials are wrong',
      clientId: undefined,
      at: expect.any(Number),
    });
  });
});
