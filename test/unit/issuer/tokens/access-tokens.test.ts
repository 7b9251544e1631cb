import fc from 'fast-check';
import { createLocalJWKSet, jwtVerify, SignJWT } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import { memoryStorage, type StoredToken } from '../../../../src/issuer/index.ts';
import { signJwt } from '../../../../src/issuer/keys/signed-jwt.ts';
import type { AccessTokenGrant } from '../../../../src/issuer/tokens/access-tokens.ts';
import { BILLING, ISSUER, ORDERS, START_MS } from '../harness.ts';
import { addService, audit, createRooms, type Rooms } from './support.ts';

const JWT = { format: 'jwt', lifetimeSeconds: 900 } as const;
const OPAQUE = { format: 'opaque', lifetimeSeconds: 900 } as const;
const THUMBPRINT = 'x'.repeat(43);

const grant: AccessTokenGrant = {
  clientId: 'billing',
  subject: 'billing',
  audience: [ORDERS],
  scope: 'read write',
  confirmation: undefined,
  actor: undefined,
};

const bound: AccessTokenGrant = {
  clientId: 'gateway',
  subject: 'user-7',
  audience: [ORDERS, BILLING],
  scope: undefined,
  confirmation: { jkt: THUMBPRINT, 'x5t#S256': THUMBPRINT },
  actor: { sub: 'gateway', act: { sub: 'edge' } },
};

async function oracle({ keys, now }: Rooms, token: string) {
  const published = await keys.published();
  const set = createLocalJWKSet(JSON.parse(JSON.stringify({ keys: published.map((key) => key.publicJwk) })));
  return jwtVerify(token, set, { issuer: ISSUER, currentDate: new Date(now()) });
}

describe.each([JWT, OPAQUE])('a token: $format', (form) => {
  it.each([
    ['of a service for itself', grant],
    ['bound, exchanged and for two', bound],
  ])('says what was granted: %s', async (_, granted) => {
    const { tokens } = createRooms();
    const { accessToken, ...claims } = await tokens.issue(granted, form);
    expect(claims).toMatchObject({
      ...granted,
      tokenId: expect.stringMatching(/^[\w-]{22}$/),
      issuedAt: START_MS / 1000,
      expiresAt: START_MS / 1000 + 900,
    });
    expect(await tokens.read(accessToken)).toEqual(claims);
  });

  it('any text that a service, a scope or an actor may have comes back', async () => {
    const { tokens } = createRooms({ statusLists: false });
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(text, text, fc.array(text, { minLength: 1, maxLength: 4 }), text, async (...texts) => {
        const [clientId, subject, audience, sub] = texts;
        const granted = { ...bound, clientId, subject, audience, actor: { sub } };
        const { accessToken } = await tokens.issue(granted, form);
        expect(await tokens.read(accessToken)).toMatchObject(granted);
      }),
      { numRuns: 50 },
    );
  });

  it('ends to the millisecond', async () => {
    let nowMs = START_MS + 999;
    const { tokens } = createRooms({ now: () => nowMs });
    const { accessToken, expiresAt } = await tokens.issue(grant, form);
    nowMs = expiresAt * 1000 - 1;
    expect(await tokens.read(accessToken)).toBeDefined();
    nowMs = expiresAt * 1000;
    expect(await tokens.read(accessToken)).toBeUndefined();
  });

  it('is no longer active at once, at every instance, when it was revoked', async () => {
    const storage = memoryStorage();
    const [a, b] = [createRooms({ storage }), createRooms({ storage })];
    await addService(storage, 'billing');
    const { accessToken, tokenId, status } = await a.tokens.issue(grant, form);
    const other = await a.tokens.issue(grant, form);
    expect(await b.tokens.readActive(accessToken)).toBeDefined();
    await storage.revokeToken({ tokenId, clientId: 'billing', expiresAtMs: START_MS + 900_000, status });
    for (const { tokens } of [a, b]) {
      expect(await tokens.readActive(accessToken)).toBeUndefined();
      expect(await tokens.read(accessToken)).toBeDefined();
      expect(await tokens.readActive(other.accessToken)).toBeDefined();
    }
  });

  it('is no longer active at once, at every instance, when its service was revoked, nor if there is none', async () => {
    const storage = memoryStorage();
    const [a, b] = [createRooms({ storage }), createRooms({ storage })];
    const { accessToken } = await a.tokens.issue(grant, form);
    expect(await b.tokens.readActive(accessToken)).toBeUndefined();
    await addService(storage, 'billing');
    expect(await b.tokens.readActive(accessToken)).toBeDefined();
    await storage.revokeService('billing', START_MS, audit);
    expect(await a.tokens.readActive(accessToken)).toBeUndefined();
    expect(await b.tokens.readActive(accessToken)).toBeUndefined();
  });

  it('is not known to an issuer of another name, nor to one with another secret key', async () => {
    const storage = memoryStorage();
    const { accessToken } = await createRooms({ storage }).tokens.issue(grant, form);
    const renamed = createRooms({ storage, issuer: `${ISSUER}/other` });
    expect(await renamed.tokens.read(accessToken)).toBeUndefined();
    const stranger = createRooms({ secretKey: 'x'.repeat(32) });
    expect(await stranger.tokens.read(accessToken)).toBeUndefined();
  });
});

describe('a JWT', () => {
  it.each(['ES256', 'EdDSA', 'RS256'] as const)('is accepted by another library: %s', async (alg) => {
    const rooms = createRooms({ signingAlgorithm: alg });
    const { accessToken, tokenId } = await rooms.tokens.issue(bound, JWT);
    const { payload, protectedHeader } = await oracle(rooms, accessToken);
    expect(protectedHeader).toEqual({ alg, typ: 'at+jwt', kid: expect.stringMatching(/^[\w-]{43}$/) });
    expect(payload).toEqual({
      iss: ISSUER,
      sub: 'user-7',
      aud: [ORDERS, BILLING],
      exp: START_MS / 1000 + 900,
      iat: START_MS / 1000,
      jti: tokenId,
      client_id: 'gateway',
      cnf: bound.confirmation,
      act: bound.actor,
      status: { status_list: { idx: 0, uri: `${ISSUER}/status-lists/1` } },
    });
  });

  it('names no status list where there are none to be', async () => {
    const storage = memoryStorage();
    const reserveStatuses = vi.spyOn(storage, 'reserveStatuses');
    const rooms = createRooms({ storage, statusLists: false });
    const { accessToken, status } = await rooms.tokens.issue(grant, JWT);
    expect(status).toBeUndefined();
    expect((await oracle(rooms, accessToken)).payload).not.toHaveProperty('status');
    expect(reserveStatuses).not.toHaveBeenCalled();
  });

  it('is not issued without a place in a status list', async () => {
    const storage = memoryStorage();
    vi.spyOn(storage, 'reserveStatuses').mockRejectedValue(new Error('away'));
    await expect(createRooms({ storage }).tokens.issue(grant, JWT)).rejects.toThrow('away');
  });

  it('of another kind is no access token, though this issuer signed it', async () => {
    const { tokens, keys } = createRooms();
    const { accessToken } = await tokens.issue(grant, JWT);
    const claims = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString());
    const key = await keys.signer(900);
    expect(await tokens.read(await signJwt(key, 'at+jwt', claims))).toBeDefined();
    for (const typ of ['statuslist+jwt', 'token-introspection+jwt', 'JWT', 'dpop+jwt']) {
      expect(await tokens.read(await signJwt(key, typ, claims))).toBeUndefined();
    }
  });

  it.each<[string, object]>([
    ['no exp', { exp: undefined }],
    ['an exp that is text', { exp: '9999999999' }],
    ['an exp beyond every number', { exp: Number.POSITIVE_INFINITY }],
    ['no iat', { iat: undefined }],
    ['no jti', { jti: undefined }],
    ['no sub', { sub: undefined }],
    ['no client', { client_id: undefined }],
    ['a client that is a list', { client_id: ['billing'] }],
    ['no audience', { aud: undefined }],
    ['an empty audience', { aud: [] }],
    ['an audience of numbers', { aud: [1] }],
    ['a scope that is a list', { scope: ['read'] }],
    ['another issuer', { iss: BILLING }],
    ['a list of issuers', { iss: [ISSUER] }],
    ['a binding of another kind', { cnf: { kid: 'a' } }],
    ['a binding to nothing', { cnf: {} }],
    ['a binding that is text', { cnf: THUMBPRINT }],
    ['one binding of two that is not understood', { cnf: { jkt: THUMBPRINT, jwk: {} } }],
    ['an actor without a name', { act: { act: { sub: 'edge' } } }],
    ['an actor that is text', { act: 'gateway' }],
    ['an earlier actor that is not understood', { act: { sub: 'gateway', act: [] } }],
  ])('with %s is none, though the signature is good', async (_, claims) => {
    const { tokens, keys } = createRooms();
    const good = {
      iss: ISSUER,
      sub: 'billing',
      aud: ORDERS,
      exp: START_MS / 1000 + 900,
      iat: START_MS / 1000,
      jti: 'a',
      client_id: 'billing',
    };
    const key = await keys.signer(900);
    expect(await tokens.read(await signJwt(key, 'at+jwt', good))).toMatchObject({ clientId: 'billing' });
    expect(await tokens.read(await signJwt(key, 'at+jwt', { ...good, ...claims }))).toBeUndefined();
  });

  it('is known only by the key that it names', async () => {
    const { tokens, keys } = createRooms();
    const { accessToken } = await tokens.issue(grant, JWT);
    const claims = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString());
    const first = await keys.signer(900);
    await keys.rotate(true);
    const second = await keys.signer(900);
    expect(await tokens.read(await signJwt(first, 'at+jwt', claims))).toBeDefined();
    expect(await tokens.read(await signJwt({ ...first, kid: second.kid }, 'at+jwt', claims))).toBeUndefined();
    const other = { ...first, algorithm: 'ES384' };
    expect(await tokens.read(await signJwt(other, 'at+jwt', claims))).toBeUndefined();
  });

  it('threat 2: is not signed by using the public key as a secret', async () => {
    const { tokens, keys } = createRooms();
    const { accessToken } = await tokens.issue(grant, JWT);
    const claims = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString());
    const { kid, publicJwk } = await keys.signer(900);
    const header = { alg: 'HS256', typ: 'at+jwt', kid };
    const forged = await new SignJWT(claims)
      .setProtectedHeader(header)
      .sign(Buffer.from(JSON.stringify(publicJwk)));
    expect(await tokens.read(forged)).toBeUndefined();
  });
});

describe('an opaque token', () => {
  it('says what it is, and nothing else', async () => {
    const { tokens } = createRooms();
    const { accessToken, status } = await tokens.issue(grant, OPAQUE);
    expect(accessToken).toMatch(/^sat_[\w-]{49}$/);
    expect(status).toBeUndefined();
  });

  it('threat 27: is not in the storage, nor is anything that gives it away', async () => {
    const storage = memoryStorage();
    const saved: StoredToken[] = [];
    const saveToken = async (token: StoredToken): Promise<void> => void saved.push(token);
    const { tokens } = createRooms({ storage: { ...storage, saveToken } });
    const { accessToken, tokenId } = await tokens.issue(grant, OPAQUE);
    expect(saved).toEqual([
      {
        hash: expect.stringMatching(/^[\w-]{43}$/),
        tokenId,
        clientId: 'billing',
        expiresAtMs: START_MS + 900_000,
        claims: expect.any(String),
      },
    ]);
    for (let at = 4; at + 8 <= accessToken.length; at++) {
      expect(JSON.stringify(saved)).not.toContain(accessToken.slice(at, at + 8));
    }
  });

  it('threat 24: a flood of random texts costs the storage nothing', async () => {
    const storage = memoryStorage();
    const findToken = vi.spyOn(storage, 'findToken');
    const { tokens } = createRooms({ storage });
    const { accessToken } = await tokens.issue(grant, OPAQUE);
    const texts = ['', 'sat_', accessToken.slice(0, -1), `${accessToken}x`, accessToken.toUpperCase()];
    for (let n = 0; n < 1000; n++) {
      texts.push(`sat_${Buffer.from(crypto.getRandomValues(new Uint8Array(36))).toString('base64url')}x`);
    }
    for (const text of texts) expect(await tokens.read(text)).toBeUndefined();
    expect(findToken).not.toHaveBeenCalled();
    expect(await tokens.read(accessToken)).toBeDefined();
    expect(findToken).toHaveBeenCalledTimes(1);
  });

  it('is not given out if it could not be stored', async () => {
    const storage = memoryStorage();
    vi.spyOn(storage, 'saveToken').mockRejectedValue(new Error('away'));
    await expect(createRooms({ storage }).tokens.issue(grant, OPAQUE)).rejects.toThrow('away');
  });

  it('is none if what is stored of it is not understood', async () => {
    const storage = memoryStorage();
    const { tokens } = createRooms({ storage });
    const { accessToken } = await tokens.issue(bound, OPAQUE);
    const findToken = vi.spyOn(storage, 'findToken');
    const stored = await memoryTokenOf(storage, accessToken, tokens);
    for (const claims of ['', 'null', '{}', stored.claims.replace('"jkt"', '"jkx"')]) {
      findToken.mockResolvedValue({ ...stored, claims });
      expect(await tokens.read(accessToken)).toBeUndefined();
    }
  });

  it('cannot be looked up while the storage is away: that is a failure, not a bad token', async () => {
    const storage = memoryStorage();
    const { tokens } = createRooms({ storage });
    const { accessToken } = await tokens.issue(grant, OPAQUE);
    vi.spyOn(storage, 'findToken').mockRejectedValue(new Error('away'));
    await expect(tokens.read(accessToken)).rejects.toThrow('away');
  });
});

async function memoryTokenOf(
  storage: Rooms['storage'],
  accessToken: string,
  tokens: Rooms['tokens'],
): Promise<StoredToken> {
  const findToken = vi.mocked(storage.findToken);
  await tokens.read(accessToken);
  const stored = await findToken.mock.results[0]?.value;
  if (stored === undefined) throw new Error('the token was not looked up');
  return stored;
}
