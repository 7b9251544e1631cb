import { CompactSign, createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { createVerifier } from '../../../../src/index.ts';
import { BILLING, basic, createHarness, form, ISSUER, ORDERS } from '../harness.ts';
import { change, createRooms, SECRET_KEY } from '../tokens/support.ts';

const INACTIVE = { active: false };

async function scene(options = {}) {
  const harness = createHarness(options);
  const worker = await harness.register({ clientId: 'worker' });
  const orders = await harness.register({ clientId: 'orders', serves: [ORDERS], resources: [BILLING] });
  const stranger = await harness.register({ clientId: 'stranger', resources: [BILLING] });
  const token = await harness.token(worker);
  const introspect = async (as: typeof worker, text = token) =>
    (await harness.post('/introspect', { token: text }, as)).body;
  return { harness, worker, orders, stranger, token, introspect };
}

describe('an active token', () => {
  it('is described to a service of its audience (RFC 7662 section 2.2)', async () => {
    const { harness, orders, token } = await scene();
    const { status, headers, body } = await harness.post('/introspect', { token }, orders);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    const { status: _, ...payload } = (await harness.verify(token)).payload;
    expect(body).toEqual({ active: true, token_type: 'Bearer', ...payload });
    expect(body).not.toHaveProperty('username');
  });

  it('is described to the service that it was issued to', async () => {
    const { harness, stranger, introspect } = await scene();
    const own = await harness.token(stranger);
    expect(await introspect(stranger, own)).toMatchObject({
      active: true,
      client_id: 'stranger',
      aud: BILLING,
    });
  });

  it('the hint of its type changes nothing', async () => {
    const { harness, orders, token } = await scene();
    const { body } = await harness.post('/introspect', { token, token_type_hint: 'refresh_token' }, orders);
    expect(body.active).toBe(true);
  });
});

describe('a token is inactive, and nothing more is said,', () => {
  it('to a service that it does not concern', async () => {
    const { stranger, introspect } = await scene();
    expect(await introspect(stranger)).toEqual(INACTIVE);
  });

  it('to a service that may only ask tokens for the same resource', async () => {
    const { harness, introspect } = await scene();
    expect(await introspect(await harness.register({ resources: [ORDERS] }))).toEqual(INACTIVE);
  });

  it('once it has expired, to the second', async () => {
    const { harness, orders, introspect } = await scene();
    harness.advance(899);
    expect((await introspect(orders)).active).toBe(true);
    harness.advance(1);
    expect(await introspect(orders)).toEqual(INACTIVE);
  });

  it('once it was revoked', async () => {
    const { harness, worker, orders, token, introspect } = await scene();
    expect((await harness.post('/revoke', { token }, worker)).status).toBe(200);
    expect(await introspect(orders)).toEqual(INACTIVE);
    expect((await introspect(orders, await harness.token(worker))).active).toBe(true);
  });

  it('once its service was revoked', async () => {
    const { harness, orders, introspect } = await scene();
    await harness.admin('DELETE', '/admin/services/worker');
    expect(await introspect(orders)).toEqual(INACTIVE);
  });

  it.each(['abc', 'a.b.c', 'e30.e30.', 'x'.repeat(20_000)])('if it is no token: %.10s', async (text) => {
    const { orders, introspect } = await scene();
    expect(await introspect(orders, text)).toEqual(INACTIVE);
  });

  it('if its signature is another', async () => {
    const { orders, token, introspect } = await scene();
    const at = token.lastIndexOf('.') + 5;
    const other = token[at] === 'A' ? 'B' : 'A';
    expect(await introspect(orders, token.slice(0, at) + other + token.slice(at + 1))).toEqual(INACTIVE);
  });

  it('threat 1 and 5: if it names no algorithm, or another than its key has', async () => {
    const { harness, orders, token, introspect } = await scene();
    const [header = '', payload = ''] = token.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    expect(await introspect(orders, `${encode({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.`)).toEqual(
      INACTIVE,
    );
    const { body } = await harness.call('/jwks');
    const hmac = await new CompactSign(Buffer.from(payload, 'base64url'))
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid })
      .sign(Buffer.from(JSON.stringify(body.keys[0])));
    expect(await introspect(orders, hmac)).toEqual(INACTIVE);
  });

  it('threat 7: if it brings its own key', async () => {
    const { harness, orders, token, introspect } = await scene();
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const { payload, protectedHeader } = await harness.verify(token);
    const jwk = await exportJWK(publicKey);
    const header = { ...protectedHeader, jwk };
    const forged = await new SignJWT(payload).setProtectedHeader(header).sign(privateKey);
    expect(await introspect(orders, forged)).toEqual(INACTIVE);
  });

  it('if another issuer signed it', async () => {
    const { harness, orders, introspect } = await scene();
    const other = createHarness();
    const foreign = await other.token(await other.register({ clientId: 'worker' }));
    expect(await introspect(orders, foreign)).toEqual(INACTIVE);
    expect(harness.events.some(({ type }) => type === 'issuer.request_failed')).toBe(false);
  });

  it('if it names another issuer, though signed with the same key', async () => {
    const secretKey = 'k'.repeat(32);
    const { harness, orders, introspect } = await scene({ secretKey });
    const other = createHarness({ secretKey, storage: harness.storage, issuer: `${ISSUER}/other` });
    const { issuer } = other;
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: orders.clientId,
      client_secret: orders.clientSecret,
    });
    const answer = await issuer.fetch(new Request(`${ISSUER}/other/token`, { method: 'POST', body }));
    const { access_token: token } = await answer.json();
    expect(await introspect(orders, token)).toEqual(INACTIVE);
  });
});

it('a request without a token is invalid', async () => {
  const { harness, orders } = await scene();
  const { status, body } = await harness.post('/introspect', {}, orders);
  expect(status).toBe(400);
  expect(body.error).toBe('invalid_request');
});

it.each([[[ORDERS, BILLING]], [[BILLING]]])(
  'a service that is %j may introspect a token for both',
  async (own) => {
    const harness = createHarness();
    const worker = await harness.register({ resources: [ORDERS, BILLING] });
    const reader = await harness.register({ resources: [], serves: own });
    const token = await harness.token(worker, { resource: [ORDERS, BILLING] });
    expect((await harness.post('/introspect', { token }, reader)).body.aud).toEqual([ORDERS, BILLING]);
  },
);

describe('an opaque token', () => {
  it('is described as a JWT is', async () => {
    const { harness, worker, orders } = await scene();
    await change(harness, 'worker', { tokenFormat: 'opaque' });
    const token = await harness.token(worker, { scope: 'read' });
    expect(token).toMatch(/^sat_/);
    const { body } = await harness.post('/introspect', { token }, orders);
    expect(body).toEqual({
      active: true,
      token_type: 'Bearer',
      iss: ISSUER,
      sub: 'worker',
      client_id: 'worker',
      aud: ORDERS,
      scope: 'read',
      iat: harness.nowSeconds(),
      exp: harness.nowSeconds() + 900,
      jti: expect.any(String),
    });
  });

  it('is no longer active once it has expired, or its service was revoked', async () => {
    const { harness, worker, orders, introspect } = await scene();
    await change(harness, 'worker', { tokenFormat: 'opaque' });
    const first = await harness.token(worker);
    harness.advance(450);
    const second = await harness.token(worker);
    expect((await introspect(orders, first)).active).toBe(true);
    harness.advance(450);
    expect(await introspect(orders, first)).toEqual(INACTIVE);
    expect((await introspect(orders, second)).active).toBe(true);
    await harness.admin('DELETE', '/admin/services/worker');
    expect(await introspect(orders, second)).toEqual(INACTIVE);
  });
});

describe.each(['jwt', 'opaque'] as const)('what a token is bound to and who acts is told: %s', (format) => {
  it.each([
    ['a DPoP key', { jkt: 'k'.repeat(43) }, 'DPoP'],
    ['a certificate', { 'x5t#S256': 'c'.repeat(43) }, 'Bearer'],
    ['both', { jkt: 'k'.repeat(43), 'x5t#S256': 'c'.repeat(43) }, 'DPoP'],
  ])('%s', async (_, confirmation, tokenType) => {
    const { harness, orders } = await scene({ secretKey: SECRET_KEY });
    const { tokens } = createRooms({ storage: harness.storage });
    const actor = { sub: 'worker', act: { sub: 'gateway' } };
    const grant = { clientId: 'worker', subject: 'user-7', audience: [ORDERS], scope: 'read' };
    const issued = await tokens.issue({ ...grant, confirmation, actor }, { format, lifetimeSeconds: 60 });
    const { body } = await harness.post('/introspect', { token: issued.accessToken }, orders);
    expect(body).toMatchObject({ active: true, token_type: tokenType, sub: 'user-7', client_id: 'worker' });
    expect(body.cnf).toEqual(confirmation);
    expect(body.act).toEqual(actor);
  });
});

describe('a signed answer (RFC 9701)', () => {
  const SIGNED = 'application/token-introspection+jwt';

  async function ask(accept: string, token?: string) {
    const { harness, orders, token: own } = await scene();
    const answer = await harness.call('/introspect', {
      method: 'POST',
      headers: { authorization: basic(orders), accept },
      body: form({ token: token ?? own }),
    });
    return { harness, answer, own };
  }

  it('says the same, signed for the one who asks', async () => {
    const { harness, answer, own } = await ask(SIGNED);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe(SIGNED);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const keys = createLocalJWKSet((await harness.call('/jwks')).body);
    const { payload, protectedHeader } = await jwtVerify(answer.text, keys, {
      currentDate: new Date(harness.nowSeconds() * 1000),
    });
    expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'token-introspection+jwt' });
    const { status: _, ...claims } = (await harness.verify(own)).payload;
    expect(payload).toEqual({
      iss: ISSUER,
      aud: 'orders',
      iat: harness.nowSeconds(),
      token_introspection: { active: true, token_type: 'Bearer', ...claims },
    });
  });

  it('says of an inactive token that alone', async () => {
    const { harness, answer } = await ask(SIGNED, 'sat_unknown');
    const keys = createLocalJWKSet((await harness.call('/jwks')).body);
    const { payload } = await jwtVerify(answer.text, keys);
    expect(payload.token_introspection).toEqual(INACTIVE);
  });

  it('is no access token', async () => {
    const { harness, answer } = await ask(SIGNED);
    const orders = await harness.register({ serves: [ORDERS] });
    expect((await harness.post('/introspect', { token: answer.text }, orders)).body).toEqual(INACTIVE);
  });

  it.each([
    [SIGNED, true],
    [SIGNED.toUpperCase(), true],
    [`${SIGNED}, */*`, true],
    [`${SIGNED}, application/json;q=0.5`, true],
    [`application/json, ${SIGNED}`, true],
    [`application/json; q=0.9, ${SIGNED}; q=1.0`, true],
    [`application/json, ${SIGNED};q=0.5`, false],
    [`${SIGNED};q=0`, false],
    [`${SIGNED};q=0.1, */*`, false],
    [`${SIGNED};q=0.1, application/*`, false],
    [`${SIGNED};q=x`, false],
    ['*/*', false],
    ['application/*', false],
    ['application/jwt', false],
    ['', false],
  ])('is given to whom prefers it: %s', async (accept, isSigned) => {
    const { answer } = await ask(accept);
    expect(answer.headers.get('content-type')).toBe(isSigned ? SIGNED : 'application/json');
  });
});

describe("this project's verifier", () => {
  it.each([
    ['jwt', 'json'],
    ['jwt', 'jwt'],
    ['opaque', 'json'],
    ['opaque', 'jwt'],
  ] as const)('asks about a token, %s, and reads the answer, %s', async (tokenFormat, response) => {
    const { harness, worker, orders } = await scene();
    await change(harness, 'worker', { tokenFormat });
    const token = await harness.token(worker);
    const verifier = createVerifier({
      issuer: { issuer: ISSUER, introspection: { ...orders, tokens: 'all', response, cacheSeconds: 10 } },
      audience: ORDERS,
      now: () => harness.nowSeconds() * 1000,
      fetch: (input, init) => harness.issuer.fetch(new Request(input, init)),
    });
    const outcome = await verifier.verifyToken(token);
    expect(outcome).toMatchObject({
      ok: true,
      caller: { issuer: ISSUER, clientId: 'worker', kind: 'service', audience: [ORDERS] },
    });
    await harness.post('/revoke', { token }, worker);
    harness.advance(11);
    expect(await verifier.verifyToken(token)).toMatchObject({
      ok: false,
      rejection: { status: 401, reason: 'inactive_token' },
    });
  });
});
