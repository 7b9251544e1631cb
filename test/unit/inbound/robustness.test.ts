/** What once went wrong, or nearly: each line was a fault of this verifier. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  createGuard,
  createVerifier,
  type ServiceAuthEvent,
  type VerifierOptions,
} from '../../../src/index.ts';
import { requestWith } from '../../helpers/dpop.ts';
import { judge } from '../../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const jwks = { keys: [key.publicJwk] };
const make = (options: Partial<VerifierOptions> = {}) =>
  createVerifier({ issuer: { issuer, jwks }, audience, now: () => nowMs, ...options });

describe('ready', () => {
  it('rejects, and leaves no rejection unheard, where one issuer backs off and another is down', async () => {
    const fetch = () => Promise.reject(new Error('no connection'));
    const verifier = make({ issuer: ['https://a.example', 'https://b.example'], fetch });
    const unheard: unknown[] = [];
    const listen = (reason: unknown): void => void unheard.push(reason);
    process.on('unhandledRejection', listen);
    await judge(verifier, await mint(key, { iss: 'https://b.example' }));
    await expect(verifier.ready()).rejects.toMatchObject({ code: 'network_failed' });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listen);
    expect(unheard).toEqual([]);
  });
});

describe('keys behind cached tokens', () => {
  const HOUR = 3_600_000;

  it('are refreshed in the background, and a withdrawn one is believed no longer', async () => {
    let time = nowMs;
    let published = jwks;
    const fetch = vi.fn(async () => Response.json(published));
    const verifier = make({ issuer: { issuer, jwksUri: `${issuer}/jwks` }, fetch, now: () => time });
    const token = await mint(key, { exp: nowSeconds + 90 * 86_400 });
    expect(await judge(verifier, token)).toBe('accepted');
    published = { keys: [(await createKey('ES256', 'next')).publicJwk] };
    time += HOUR;
    expect(await judge(verifier, token)).toBe('accepted');
    await vi.waitFor(() => expect(verifier.health().issuers[0]?.keys?.ageMs).toBe(0));
    expect(await judge(verifier, token)).toBe('unknown_key');
  });

  it('serve a day beyond their time while the issuer is down, and then no longer', async () => {
    let time = nowMs;
    let isDown = false;
    const fetch = async () => {
      if (isDown) throw new Error('no connection');
      return Response.json(jwks);
    };
    const verifier = make({ issuer: { issuer, jwksUri: `${issuer}/jwks` }, fetch, now: () => time });
    const token = await mint(key, { exp: nowSeconds + 90 * 86_400 });
    expect(await judge(verifier, token)).toBe('accepted');
    isDown = true;
    time += 24 * HOUR;
    expect(await judge(verifier, token)).toBe('accepted');
    time += 24 * HOUR;
    expect(await judge(verifier, token)).toBe('keys_unavailable');
  });
});

it('checks the times of a cached token again when the clock was set back', async () => {
  let time = nowMs;
  const verifier = make({ now: () => time });
  const token = await mint(key, { nbf: nowSeconds });
  expect(await judge(verifier, token)).toBe('accepted');
  time -= 3_600_000;
  expect(await judge(verifier, token)).toBe('not_yet_valid');
});

describe('events and details', () => {
  async function eventsOf(authorization: string): Promise<string> {
    const events: ServiceAuthEvent[] = [];
    const outcome = await make({ onEvent: (event) => events.push(event) }).authenticate(
      requestWith({ authorization }),
    );
    return JSON.stringify([events, outcome]);
  }

  it.each(['s3cr3t-api-key', 's3cr3t-api-key 1', 'Bearer\ts3cr3t', 'Bearer:s3cr3t', 's3cr3t'])(
    'show nothing of %j, which may be a bare secret',
    async (authorization) => {
      expect(await eventsOf(authorization)).not.toContain('s3cr3t');
    },
  );

  it('name a known scheme', async () => {
    expect(await eventsOf('Basic s3cr3t')).toContain('"actual":"basic"');
  });

  it('hold no control characters of a kid, and no query of a URL', async () => {
    const events: ServiceAuthEvent[] = [];
    const options = {
      fetch: async () => new Response('', { status: 500 }),
      onEvent: (event: ServiceAuthEvent) => events.push(event),
    };
    const failing = make({
      issuer: { issuer, jwksUri: `${issuer}/jwks?subscription-key=s3cr3t` },
      ...options,
    });
    expect(await judge(failing, await mint(key))).toBe('keys_unavailable');
    const working = make({
      issuer: { issuer, jwksUri: `${issuer}/jwks` },
      ...options,
      fetch: async () => Response.json(jwks),
    });
    await judge(working, await mint(key, {}, { kid: 'a\nINFO all is well\u001b[2J' }));
    const text = JSON.stringify(events);
    expect(text).toContain('keys.unknown_kid');
    expect(text).not.toContain('s3cr3t');
    expect(text).not.toMatch(/\\n|\\u001b/);
  });
});

describe('with members added to every object', () => {
  afterEach(() => {
    for (const name of ['optional', 'audience', 'verifier', 'check'])
      Reflect.deleteProperty(Object.prototype, name);
  });

  it('no option is read from there', async () => {
    const pollute = (name: string, value: unknown): void => {
      Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
    };
    pollute('optional', true);
    pollute('audience', null);
    const token = await mint(key, { aud: 'https://elsewhere.example' });
    const guard = createGuard({ issuer: { issuer, jwks }, audience, now: () => nowMs, scope: 'admin' });
    expect((await guard(requestWith({}))).ok).toBe(false);
    expect((await make().authenticate(requestWith({}), { scope: 'admin' })).ok).toBe(false);
    expect(await judge(make(), token)).toBe('wrong_audience');
  });
});

describe('mistakes in options', () => {
  it.each([
    ['scope', () => make().guard({ scope: { anyOf: ['read write', 'admin'] } })],
    ['discovery', () => make({ issuer: { issuer, discovery: 'openid' } })],
    ['discovery', () => make({ issuer: { issuer, discovery: '' } })],
    ['discovery', () => make({ issuer: { issuer, discovery: 5 as unknown as string } })],
    ['issuer', () => make({ issuer: 'https://:password@idp.example' })],
    ['issuer', () => make({ issuer: ' https://idp.example' })],
    ['issuer', () => make({ issuer: 'https://idp.example\n' })],
  ])('%s is named: %s', (option, mistake) => {
    expect(mistake).toThrow(new RegExp(`: ${option} must`));
    expect(mistake).toThrow(TypeError);
  });
});

it.each([undefined, null, 5, {}, ['a.b.c']])(
  'verifyToken refuses %j, rather than being undecided for ever',
  async (token) => {
    expect(await judge(make(), token as unknown as string)).toBe('malformed_credentials');
  },
);

describe('claims', () => {
  it.each([
    ['an ID token that has only a nonce', { nonce: 'n', scope: undefined }, 'wrong_token_kind'],
    ['an access token with a nonce', { nonce: 'n' }, 'accepted'],
  ])('%s', async (_name, claims, expected) => {
    expect(await judge(make(), await mint(key, claims))).toBe(expected);
  });

  it.each(['dpop+jwt; a=b', 'logout+jwt ', 'application/dpop+jwt;x', 'id_token'])(
    'typ %j is foreign',
    async (typ) => {
      expect(await judge(make(), await mint(key, {}, { typ }))).toBe('wrong_typ');
    },
  );

  it('a client_id that is no text names no client, whatever azp says', async () => {
    const outcome = await make().verifyToken(await mint(key, { client_id: 7, azp: 'admin' }));
    expect(outcome).toMatchObject({ ok: true, caller: { clientId: undefined, kind: 'user' } });
  });

  it('a token of nobody is not of a service', async () => {
    const token = await mint(key, { client_id: undefined, sub: undefined });
    const outcome = await make().verifyToken(token, { policy: { serviceOnly: true } });
    expect(outcome).toMatchObject({ ok: false, rejection: { reason: 'service_only' } });
  });

  it('scopes cannot be changed from outside', async () => {
    const outcome = await make().verifyToken(await mint(key));
    if (!outcome.ok) throw new Error('refused');
    const { scopes } = outcome.caller;
    expect(() => Set.prototype.add.call(scopes, 'admin')).toThrow(TypeError);
    expect([...scopes]).toEqual(['orders:read', 'stock:read']);
    expect(JSON.stringify(scopes)).toBe('["orders:read","stock:read"]');
  });
});

describe('keys', () => {
  it.each(['AQ', 'Ag', 'AAAB', ''])('an RSA key with the public exponent %j is ignored', (e) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = { ...publicKey.export({ format: 'jwk' }), e };
    expect(() => make({ issuer: { issuer, jwks: { keys: [jwk] } } })).toThrow(/jwks/);
  });

  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const der = publicKey.export({ format: 'der', type: 'spki' });
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const jwk = JSON.stringify(createPublicKey(pem).export({ format: 'jwk' }));
  it.each([
    ['DER and a line break', Buffer.concat([der, Buffer.from('\n')])],
    ['base64 of PEM', Buffer.from(pem).toString('base64')],
    ['base64 of a JWK', Buffer.from(jwk).toString('base64')],
    ['hexadecimal DER', der.toString('hex')],
    ['quoted base64', JSON.stringify(der.toString('base64'))],
    ['a quoted JWK', JSON.stringify(jwk)],
    ['base64 with spelt-out line breaks', der.toString('base64').replace(/(.{64})/g, '$1\\n')],
  ])('a public key is no secret: %s', (_name, secret) => {
    expect(() => make({ issuer: { issuer, secret } })).toThrow(/secret/);
  });
});

it('a good secret in base64 or hexadecimal is one', () => {
  const bytes = Buffer.from('4f'.repeat(48), 'hex');
  for (const encoding of ['base64', 'hex', 'base64url'] as const) {
    expect(() => make({ issuer: { issuer, secret: bytes.toString(encoding) } })).not.toThrow();
  }
});
