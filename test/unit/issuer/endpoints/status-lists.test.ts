import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { createVerifier, type Verifier } from '../../../../src/index.ts';
import { memoryStorage } from '../../../../src/issuer/index.ts';
import { createHarness, type Harness, ISSUER, ORDERS } from '../harness.ts';

const TTL = 60;

async function scene(options = {}) {
  const harness = createHarness({ statusListTtlSeconds: TTL, ...options });
  const worker = await harness.register({ clientId: 'worker' });
  return { harness, worker };
}

function verifierOf(harness: Harness): { verifier: Verifier; requests: string[] } {
  const requests: string[] = [];
  const verifier = createVerifier({
    issuer: { issuer: harness.issuer.issuer, statusList: true },
    audience: ORDERS,
    now: () => harness.nowSeconds() * 1000,
    fetch: (input, init) => {
      const request = new Request(input, init);
      requests.push(new URL(request.url).pathname);
      return harness.issuer.fetch(request);
    },
  });
  return { verifier, requests };
}

const reasonOf = async (verifier: Verifier, token: string): Promise<string> => {
  const outcome = await verifier.verifyToken(token);
  return outcome.ok ? 'ok' : outcome.rejection.reason;
};

describe('a status list', () => {
  it('is given as a signed token that may be kept for its ttl', async () => {
    const { harness, worker } = await scene();
    const token = await harness.token(worker);
    const { status } = decodeJwt<{ status: { status_list: { idx: number; uri: string } } }>(token);
    expect(status.status_list).toEqual({ idx: 0, uri: `${ISSUER}/status-lists/1` });
    const answer = await harness.call('/status-lists/1');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/statuslist+jwt');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=60');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const keys = createLocalJWKSet((await harness.call('/jwks')).body);
    const { payload } = await jwtVerify(answer.text, keys, {
      typ: 'statuslist+jwt',
      currentDate: new Date(harness.nowSeconds() * 1000),
    });
    expect(payload.sub).toBe(status.status_list.uri);
  });

  it('is not given again to whom has it (RFC 9110 section 13.1.2)', async () => {
    const { harness, worker } = await scene();
    await harness.token(worker);
    const ask = (tag?: string) =>
      harness.call('/status-lists/1', tag === undefined ? {} : { headers: { 'if-none-match': tag } });
    const etag = (await ask()).headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]+"$/);
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const { status, text, headers } = await ask(tag);
      expect([status, text]).toEqual([304, '']);
      expect(headers.get('etag')).toBe(etag);
      expect(headers.get('cache-control')).toBe('public, max-age=60');
    }
    for (const tag of ['"other"', etag.slice(1, -1), '']) expect((await ask(tag)).status).toBe(200);
    await harness.post('/revoke', { token: await harness.token(worker) }, worker);
    const { status, headers } = await ask(etag);
    expect(status).toBe(200);
    expect(headers.get('etag')).not.toBe(etag);
  });

  it('may be asked for by HEAD', async () => {
    const { harness, worker } = await scene();
    await harness.token(worker);
    const { status, text } = await harness.call('/status-lists/1', { method: 'HEAD' });
    expect([status, text]).toEqual([200, '']);
  });

  it.each([
    '/status-lists/1',
    '/status-lists/__proto__',
    '/status-lists/%2e%2e',
    `/status-lists/${'9'.repeat(50)}`,
  ])('is not found where there is none: %s', async (path) => {
    const { status, headers } = await createHarness().call(path);
    expect(status).toBe(404);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('is not to be had while the storage is away', async () => {
    const storage = memoryStorage();
    let away = false;
    const statusListRevision = (id: string) =>
      away ? Promise.reject(new Error('away')) : storage.statusListRevision(id);
    const { harness, worker } = await scene({ storage: { ...storage, statusListRevision } });
    await harness.token(worker);
    expect((await harness.call('/status-lists/1')).status).toBe(200);
    away = true;
    expect((await harness.call('/status-lists/1')).status).toBe(503);
  });
});

describe("this project's verifier", () => {
  it('sees the revocation of a token within the ttl, and of no other', async () => {
    const { harness, worker } = await scene();
    const { verifier, requests } = verifierOf(harness);
    const [token, other] = [await harness.token(worker), await harness.token(worker)];
    expect(await reasonOf(verifier, token)).toBe('ok');
    await harness.post('/revoke', { token }, worker);
    harness.advance(TTL + 1);
    expect(await reasonOf(verifier, token)).toBe('status_not_valid');
    expect(await reasonOf(verifier, other)).toBe('ok');
    expect(requests.filter((path) => path === '/status-lists/1').length).toBe(2);
  });

  it('sees at once what was revoked before it first asked', async () => {
    const { harness, worker } = await scene();
    const token = await harness.token(worker);
    await harness.post('/revoke', { token }, worker);
    expect(await reasonOf(verifierOf(harness).verifier, token)).toBe('status_not_valid');
  });

  it('sees that a service was revoked by all of its tokens, and by those of no other', async () => {
    const { harness, worker } = await scene();
    const other = await harness.register({ clientId: 'other' });
    const tokens = await Promise.all(Array.from({ length: 30 }, () => harness.token(worker)));
    const others = await Promise.all(Array.from({ length: 30 }, () => harness.token(other)));
    const { verifier } = verifierOf(harness);
    const all = async (of: readonly string[]) =>
      new Set(await Promise.all(of.map((t) => reasonOf(verifier, t))));
    expect(await all([...tokens, ...others])).toEqual(new Set(['ok']));
    await harness.admin('DELETE', '/admin/services/worker');
    harness.advance(TTL + 1);
    expect(await all(tokens)).toEqual(new Set(['status_not_valid']));
    expect(await all(others)).toEqual(new Set(['ok']));
  });

  it('sees a revocation by any instance', async () => {
    const shared = { storage: memoryStorage(), secretKey: 'k'.repeat(32) };
    const { harness, worker } = await scene(shared);
    const other = createHarness({ ...shared, statusListTtlSeconds: TTL });
    const token = await harness.token(worker);
    const { verifier } = verifierOf(harness);
    expect(await reasonOf(verifier, token)).toBe('ok');
    await other.post('/revoke', { token }, worker);
    harness.advance(TTL + 1);
    expect(await reasonOf(verifier, token)).toBe('status_not_valid');
  });

  it('does not take back a revoked token that its tolerance would let pass once more', async () => {
    const { harness, worker } = await scene();
    const token = await harness.token(worker);
    await harness.post('/revoke', { token }, worker);
    harness.advance(900 + 3);
    await harness.storage.deleteExpired(harness.nowSeconds() * 1000);
    const { verifier } = verifierOf(harness);
    expect(await reasonOf(verifier, token)).toBe('status_not_valid');
  });

  it('finds the lists of an issuer with a path', async () => {
    const issuer = `${ISSUER}/tenant/a`;
    const harness = createHarness({ issuer });
    const worker = await harness.issuer
      .fetch(
        new Request(`${issuer}/admin/services`, {
          method: 'POST',
          headers: { authorization: 'Bearer an-admin-token-for-tests', 'content-type': 'application/json' },
          body: JSON.stringify({ name: 'a service', scopes: [], resources: [ORDERS] }),
        }),
      )
      .then((response) => response.json());
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: worker.clientId,
      client_secret: worker.clientSecret,
    });
    const answer = await harness.issuer.fetch(new Request(`${issuer}/token`, { method: 'POST', body }));
    const { access_token: token } = await answer.json();
    const { verifier, requests } = verifierOf(harness);
    expect(await reasonOf(verifier, token)).toBe('ok');
    expect(requests).toContain('/tenant/a/status-lists/1');
  });
});

it('a token request fails where no place can be reserved', async () => {
  const storage = memoryStorage();
  const reserveStatuses = () => Promise.reject(new Error('away'));
  const { harness, worker } = await scene({ storage: { ...storage, reserveStatuses } });
  const { status, body } = await harness.post('/token', { grant_type: 'client_credentials' }, worker);
  expect(status).toBe(503);
  expect(body).not.toHaveProperty('access_token');
});

it('tokens name no list where the issuer has none', async () => {
  const { harness, worker } = await scene({ statusLists: false });
  const token = await harness.token(worker);
  expect(decodeJwt(token)).not.toHaveProperty('status');
  expect((await harness.call('/status-lists/1')).status).toBe(404);
  expect(await reasonOf(verifierOf(harness).verifier, token)).toBe('ok');
});
