import { X509Certificate } from 'node:crypto';
import { generate } from 'selfsigned';
import { describe, expect, it } from 'vitest';
import { createIssuer, type IssuerOptions } from '../../../../src/issuer/index.ts';
import { createDpopClient, hashOf } from '../../../helpers/dpop.ts';
import { ADMIN_TOKEN, type Credentials, ISSUER, ORDERS, START_MS } from '../harness.ts';
import { type AdminHarness, auditOf, createAdminHarness, SERVICE } from './support.ts';

const makeCertificate = async (): Promise<Uint8Array> =>
  new X509Certificate((await generate([{ name: 'commonName', value: 'ops' }])).cert).raw;
const certificate = await makeCertificate();
const other = await makeCertificate();

const ADMIN = { clientId: 'ops', scopes: ['services:admin', 'read'], resources: [ISSUER, ORDERS] };

async function createOps(input: object = {}, options: Partial<IssuerOptions> = {}) {
  const harness = createAdminHarness(options);
  const ops = await harness.register({ ...ADMIN, ...input });
  return { harness, ops };
}

function tokenFor(harness: AdminHarness, ops: Credentials, more = {}): Promise<string> {
  return harness.token(ops, { resource: ISSUER, scope: 'services:admin', ...more });
}

function list(harness: AdminHarness, token: string, scheme = 'Bearer') {
  return harness.send('/admin/services', { headers: { authorization: `${scheme} ${token}` } });
}

describe('an access token', () => {
  it.each(['jwt', 'opaque'])('for this issuer with the scope opens it: %s', async (tokenFormat) => {
    const { harness, ops } = await createOps({ tokenFormat });
    expect((await list(harness, await tokenFor(harness, ops))).status).toBe(200);
  });

  it('opens it where there is no admin token, too', async () => {
    const secretKey = 'x'.repeat(32);
    const { harness, ops } = await createOps({}, { secretKey });
    const headers = { authorization: `Bearer ${await tokenFor(harness, ops)}` };
    const { storage, nowSeconds } = harness;
    const without = createIssuer({ issuer: ISSUER, storage, secretKey, now: () => nowSeconds() * 1000 });
    const { status } = await without.fetch(new Request(`${ISSUER}/admin/services`, { headers }));
    expect(status).toBe(200);
  });

  it('is named in the audit log', async () => {
    const { harness, ops } = await createOps();
    const headers = {
      authorization: `Bearer ${await tokenFor(harness, ops)}`,
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ ...SERVICE, clientId: 'billing' });
    expect((await harness.send('/admin/services', { method: 'POST', headers, body })).status).toBe(201);
    expect((await auditOf(harness))[0]).toMatchObject({ actor: 'ops', target: 'billing' });
  });

  it('without the scope is 403, with what is missing', async () => {
    const { harness, ops } = await createOps();
    const { status, headers, body } = await list(harness, await tokenFor(harness, ops, { scope: 'read' }));
    expect([status, body.code]).toEqual([403, 'insufficient_scope']);
    expect(headers.get('www-authenticate')).toMatch(
      /^Bearer realm="service-auth admin", error="insufficient_scope", scope="services:admin", DPoP /,
    );
    expect(harness.events.at(-1)).toMatchObject({
      type: 'issuer.request_refused',
      endpoint: 'admin',
      error: 'insufficient_scope',
      clientId: 'ops',
    });
  });

  it('for another audience, expired, revoked, of a revoked service or of nobody is 401', async () => {
    const { harness, ops } = await createOps();
    const revoked = await tokenFor(harness, ops);
    await harness.post('/revoke', { token: revoked }, ops);
    const expired = await tokenFor(harness, ops);
    harness.advance(901);
    const ofRevoked = await tokenFor(harness, ops);
    const elsewhere = await tokenFor(harness, ops, { resource: ORDERS });
    for (const token of [revoked, expired, elsewhere, 'x.y.z', 'sat_nothing']) {
      const { status, headers } = await list(harness, token);
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toContain(
        'Bearer realm="service-auth admin", error="invalid_token"',
      );
    }
    expect((await list(harness, ofRevoked)).status).toBe(200);
    await harness.admin('DELETE', '/admin/services/ops');
    expect((await list(harness, ofRevoked)).status).toBe(401);
  });

  it('keys of creates belong to whoever used them', async () => {
    const { harness, ops } = await createOps();
    const authorization = `Bearer ${await tokenFor(harness, ops)}`;
    const headers = { authorization, 'content-type': 'application/json', 'idempotency-key': 'k' };
    const init = { method: 'POST', headers, body: JSON.stringify(SERVICE) };
    const mine = await harness.send('/admin/services', init);
    const others = await harness.admin('POST', '/admin/services', SERVICE, { 'idempotency-key': 'k' });
    expect([mine.status, others.status]).toEqual([201, 201]);
    expect(others.body.clientId).not.toBe(mine.body.clientId);
  });
});

describe('a token that is bound to a DPoP key', () => {
  async function createBound(options: Partial<IssuerOptions> = {}) {
    const { harness, ops } = await createOps({}, options);
    const client = await createDpopClient();
    const prove = (claims: object = {}) => client.prove({ iat: harness.nowSeconds(), ...claims });
    async function ask(extra: object = {}) {
      const dpop = await prove({ htm: 'POST', htu: `${ISSUER}/token`, ...extra });
      const credentials = Buffer.from(`${ops.clientId}:${ops.clientSecret}`).toString('base64');
      return harness.call('/token', {
        method: 'POST',
        headers: { authorization: `Basic ${credentials}`, dpop },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          resource: ISSUER,
          scope: 'services:admin',
        }),
      });
    }
    let issued = await ask();
    const nonce = issued.headers.get('dpop-nonce');
    if (nonce !== null) issued = await ask({ nonce });
    const token: string = issued.body.access_token;
    const url = `${ISSUER}/admin/services`;
    const good = { htm: 'GET', htu: url, ath: hashOf(token), ...(nonce !== null && { nonce }) };
    const send = (dpop: string | undefined, scheme = 'DPoP') =>
      harness.send(url, {
        headers: { authorization: `${scheme} ${token}`, ...(dpop !== undefined && { dpop }) },
      });
    return { harness, token, prove, good, send };
  }

  it('opens it with a proof, once', async () => {
    const { harness, prove, good, send } = await createBound();
    const proof = await prove(good);
    expect((await send(proof)).status).toBe(200);
    const again = await send(proof);
    expect(again.status).toBe(401);
    expect(again.headers.get('www-authenticate')).toContain(
      'DPoP realm="service-auth admin", error="invalid_dpop_proof"',
    );
    expect(harness.events.filter(({ type }) => type === 'dpop.replay').length).toBe(1);
  });

  it('opens nothing as Bearer, without a proof, or with a proof of something else', async () => {
    const { token, prove, good, send } = await createBound();
    const stranger = await createDpopClient();
    const iat = START_MS / 1000;
    for (const [dpop, scheme] of [
      [await prove(good), 'Bearer'],
      [undefined, 'DPoP'],
      ['x', 'DPoP'],
      [await prove({ ...good, htm: 'POST' }), 'DPoP'],
      [await prove({ ...good, htu: `${ISSUER}/admin/audit` }), 'DPoP'],
      [await prove({ ...good, htu: 'https://other.example/admin/services' }), 'DPoP'],
      [await prove({ ...good, ath: hashOf('another') }), 'DPoP'],
      [await prove({ ...good, ath: undefined }), 'DPoP'],
      [await prove({ ...good, iat: iat - 3600 }), 'DPoP'],
      [await stranger.prove({ ...good, iat }), 'DPoP'],
      [`${await prove(good)}, ${await prove(good)}`, 'DPoP'],
    ] as const) {
      expect((await send(dpop, scheme)).status, `${scheme} ${dpop}`).toBe(401);
    }
    expect(hashOf(token)).toBe(good.ath);
    expect((await send(await prove(good))).status).toBe(200);
  });

  it('needs a nonce where the issuer wants one', async () => {
    const { prove, good, send } = await createBound({ dpopNonce: true });
    expect(good).toHaveProperty('nonce');
    const { status, headers } = await send(await prove({ ...good, nonce: undefined }));
    expect([status, headers.get('dpop-nonce')]).toEqual([401, expect.any(String)]);
    expect(headers.get('www-authenticate')).toContain('error="use_dpop_nonce"');
    expect((await send(await prove({ ...good, nonce: headers.get('dpop-nonce') }))).status).toBe(200);
  });
});

it('a token that is not bound does not pass as DPoP, nor does the admin token', async () => {
  const { harness, ops } = await createOps();
  expect((await list(harness, await tokenFor(harness, ops), 'DPoP')).status).toBe(401);
  expect((await list(harness, ADMIN_TOKEN, 'DPoP')).status).toBe(401);
});

it('a token that is bound to a certificate opens it over a connection with that one alone', async () => {
  const { harness, ops } = await createOps({ certificateBound: true });
  const connection = { peerCertificate: certificate, peerCertificateVerified: false };
  const credentials = Buffer.from(`${ops.clientId}:${ops.clientSecret}`).toString('base64');
  const request = new Request(`${ISSUER}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${credentials}` },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      resource: ISSUER,
      scope: 'services:admin',
    }),
  });
  const issued: { access_token: string } = JSON.parse(
    await (await harness.issuer.fetch(request, connection)).text(),
  );
  const init = { headers: { authorization: `Bearer ${issued.access_token}` } };
  expect((await harness.send('/admin/services', init, connection)).status).toBe(200);
  expect((await harness.send('/admin/services', init)).status).toBe(401);
  expect((await harness.send('/admin/services', init, { peerCertificate: other })).status).toBe(401);
});

it('two Authorization headers are none', async () => {
  const headers = new Headers({ authorization: `Bearer ${ADMIN_TOKEN}` });
  headers.append('authorization', `Bearer ${ADMIN_TOKEN}`);
  expect((await createAdminHarness().send('/admin/services', { headers })).status).toBe(401);
});
