import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createVerifier, type TextStore, type Verifier } from '../../src/index.ts';
import { type IntrospectionStub, says, startIntrospectionStub } from '../helpers/introspection-stub.ts';
import { judge } from '../helpers/judge.ts';
import { audience, createKey, goodClaims, issuer, mint, nowMs, nowSeconds } from '../helpers/tokens.ts';

let stub: IntrospectionStub;
beforeEach(async () => {
  stub = await startIntrospectionStub();
});
afterEach(() => stub.close());

const active = goodClaims({ active: true });

function verifierOf(introspection: object, more: { now?: () => number } = {}): Verifier {
  return createVerifier({
    issuer: {
      issuer,
      introspection: { endpoint: stub.url, clientId: 'orders', clientSecret: 'of-orders', ...introspection },
    },
    audience,
    now: more.now ?? (() => nowMs),
  });
}

function memoryStore(): TextStore {
  const entries = new Map<string, string>();
  return {
    get: (key) => entries.get(key),
    set: (key, text) => void entries.set(key, text),
    delete: (key) => void entries.delete(key),
  };
}

describe('15: the introspection cache key includes endpoint and credentials', () => {
  it('what one client was told is not told to another (CVE-2026-33496)', async () => {
    stub.reply = (response, request) => {
      const ofOrders =
        request.headers.authorization === `Basic ${Buffer.from('orders:of-orders').toString('base64')}`;
      says(ofOrders ? active : { active: false })(response, request);
    };
    const store = memoryStore();
    expect(await judge(verifierOf({ store }), 'opaque-token')).toBe('accepted');
    expect(await judge(verifierOf({ store, clientId: 'stock' }), 'opaque-token')).toBe('inactive_token');
    expect(await judge(verifierOf({ store }), 'opaque-token')).toBe('accepted');
    expect(stub.requests).toHaveLength(2);
  });

  it('what one endpoint said does not count for another', async () => {
    stub.reply = (response, request) =>
      says(request.url === '/introspect' ? active : { active: false })(response, request);
    const store = memoryStore();
    expect(await judge(verifierOf({ store }), 'opaque-token')).toBe('accepted');
    const elsewhere = verifierOf({ store, endpoint: `${stub.url}/of-another-tenant` });
    expect(await judge(elsewhere, 'opaque-token')).toBe('inactive_token');
  });

  it('what came without a signature does not count where signatures are asked for', async () => {
    stub.reply = says(active);
    const store = memoryStore();
    expect(await judge(verifierOf({ store }), 'opaque-token')).toBe('accepted');
    expect(await judge(verifierOf({ store, response: 'jwt' }), 'opaque-token')).toBe(
      'introspection_unavailable',
    );
  });
});

describe('15: the issuer is checked before any fetch (CVE-2025-59936)', () => {
  it('a JWT of an unknown issuer is sent nowhere', async () => {
    const key = await createKey('ES256');
    const token = await mint(key, { iss: 'https://attacker.example' });
    expect(await judge(verifierOf({ tokens: 'all' }), token)).toBe('unknown_issuer');
    expect(await judge(verifierOf({ tokens: 'opaque' }), token)).toBe('unknown_issuer');
    expect(stub.requests).toHaveLength(0);
  });

  it('an answer of another issuer is refused', async () => {
    stub.reply = says({ ...active, iss: 'https://attacker.example' });
    expect(await judge(verifierOf({}), 'opaque-token')).toBe('unknown_issuer');
  });
});

describe('16: a flood of inactive tokens evicts nothing good', () => {
  it('an active token is still known after 25,000 others', async () => {
    let live = 0;
    const fetch = async (_url: string, init?: RequestInit): Promise<Response> => {
      const isGood = String(init?.body).includes('token=good&');
      if (isGood) live++;
      return Response.json(isGood ? active : { active: false });
    };
    const verifier = createVerifier({
      issuer: {
        issuer,
        introspection: { endpoint: stub.url, clientId: 'orders', clientSecret: 'of-orders' },
      },
      audience,
      now: () => nowMs,
      cache: { maxTokens: 10 },
      fetch,
    });
    expect(await judge(verifier, 'good')).toBe('accepted');
    for (let batch = 0; batch < 25; batch++) {
      const flood = Array.from({ length: 1000 }, (_, count) => judge(verifier, `bad-${batch}-${count}`));
      expect(new Set(await Promise.all(flood))).toEqual(new Set(['inactive_token']));
    }
    expect(await judge(verifier, 'good')).toBe('accepted');
    expect(live).toBe(1);
  });
});

describe('25: an introspection that fails is no verdict', () => {
  it.each([
    ['refuses our credentials', says({ error: 'invalid_client' }, 401)],
    ['forbids us', says({ error: 'forbidden' }, 403)],
    ['fails', says({}, 500)],
    ['is not there', says({}, 404)],
    ['answers a page', says('<html>')],
    ['answers active as text', says({ ...active, active: 'false' })],
    ['answers without active', says(goodClaims())],
    ['answers claims of the wrong type', says({ ...active, exp: 'tomorrow' })],
  ])('an endpoint that %s gives 503 with Retry-After, and poisons nothing', async (_name, reply) => {
    stub.reply = reply;
    let time = nowMs;
    const verifier = verifierOf({}, { now: () => time });
    const outcome = await verifier.verifyToken('opaque-token');
    expect(outcome).toMatchObject({
      ok: false,
      rejection: { status: 503, reason: 'introspection_unavailable' },
    });
    expect(!outcome.ok && Number(outcome.rejection.headers['Retry-After'])).toBeGreaterThanOrEqual(1);
    stub.reply = says(active);
    time += 1000;
    expect(await judge(verifier, 'opaque-token')).toBe('accepted');
  });
});

describe('24: tokens that the issuer calls active and that are not accepted here', () => {
  const refused: [string, object, string][] = [
    ['for another audience', { aud: 'https://other.example' }, 'wrong_audience'],
    ['that have expired', { exp: nowSeconds - 100 }, 'expired'],
    ['that are refresh tokens', { token_use: 'refresh_token' }, 'wrong_token_kind'],
    ['that are refresh tokens by their type', { token_type: 'refresh_token' }, 'wrong_token_kind'],
    ['that are of no type (RFC 8693)', { token_type: 'N_A' }, 'wrong_token_kind'],
    ['that are bound in an unknown way', { cnf: { kid: 'k' } }, 'unsupported_binding'],
    ['that are of another issuer', { iss: 'https://other.example' }, 'unknown_issuer'],
    ['whose claims are of the wrong type', { exp: '99' }, 'introspection_unavailable'],
  ];

  it.each(refused)('%s are asked about once, not on every request', async (_name, claims, reason) => {
    stub.reply = says({ ...active, ...claims });
    const verifier = verifierOf({});
    for (let request = 0; request < 20; request++) expect(await judge(verifier, 'opaque-token')).toBe(reason);
    expect(stub.requests).toHaveLength(1);
  });

  it('are asked about again when negativeCacheSeconds have passed', async () => {
    let time = nowMs;
    const verifier = verifierOf({ negativeCacheSeconds: 7 }, { now: () => time });
    stub.reply = says({ ...active, aud: 'https://other.example' });
    expect(await judge(verifier, 'opaque-token')).toBe('wrong_audience');
    stub.reply = says(active);
    time += 6999;
    expect(await judge(verifier, 'opaque-token')).toBe('wrong_audience');
    time += 1;
    expect(await judge(verifier, 'opaque-token')).toBe('accepted');
  });

  it.each([['nbf'], ['iat']])(
    'a token whose %s lies a little ahead is accepted soon after',
    async (claim) => {
      let time = nowMs;
      const verifier = verifierOf({}, { now: () => time });
      stub.reply = says({ ...active, [claim]: nowSeconds + 6 });
      expect(await judge(verifier, 'opaque-token')).not.toBe('accepted');
      time += 1001;
      expect(await judge(verifier, 'opaque-token')).toBe('accepted');
    },
  );
});

describe('25: a clock that is set back', () => {
  const HOUR_MS = 3_600_000;

  it('lets no revoked token be believed for longer than the answer', async () => {
    let time = nowMs;
    const store = memoryStore();
    for (const introspection of [{}, { store }]) {
      time = nowMs;
      // With `iat` the token itself would show that the clock is wrong.
      stub.reply = says({ ...active, iat: undefined });
      const verifier = verifierOf(introspection, { now: () => time });
      expect(await judge(verifier, 'opaque-token')).toBe('accepted');
      stub.reply = says({ active: false });
      time -= HOUR_MS;
      expect(await judge(verifier, 'opaque-token')).toBe('inactive_token');
    }
  });

  it('within the tolerance nothing is asked anew', async () => {
    let time = nowMs;
    stub.reply = says(active);
    const verifier = verifierOf({}, { now: () => time });
    await judge(verifier, 'opaque-token');
    time -= 5000;
    expect(await judge(verifier, 'opaque-token')).toBe('accepted');
    expect(stub.requests).toHaveLength(1);
  });

  it('refuses no token for longer, nor holds an endpoint shut that is well', async () => {
    let time = nowMs;
    const verifier = verifierOf({ retries: 0 }, { now: () => time });
    const claims = { ...active, iat: undefined };
    stub.reply = says({ active: false });
    expect(await judge(verifier, 'opaque-token')).toBe('inactive_token');
    stub.reply = says({}, 500);
    for (let count = 0; count < 5; count++) await judge(verifier, `opaque-${count}`);
    expect(verifier.health().issuers).toMatchObject([{ introspection: { state: 'open' } }]);
    stub.reply = says(claims);
    time -= HOUR_MS;
    expect(await judge(verifier, 'opaque-token')).toBe('accepted');
    expect(await judge(verifier, 'opaque-0')).toBe('accepted');
  });
});

describe('25: members that are null', () => {
  it.each(['jti', 'iat', 'nbf', 'cnf', 'act', 'sub', 'username', 'scope', 'iss', 'status', 'token_type'])(
    '%s counts as absent',
    async (member) => {
      stub.reply = says({ ...active, [member]: null });
      expect(await judge(verifierOf({}), 'opaque-token')).toBe('accepted');
    },
  );

  it('a binding without any member that is not null is still one, which nothing fulfils', async () => {
    stub.reply = says({ ...active, cnf: { jkt: null } });
    expect(await judge(verifierOf({}), 'opaque-token')).toBe('unsupported_binding');
  });
});
