import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  createGuard,
  createVerifier,
  type ServiceAuthEvent,
  type TrustedIssuer,
  type VerifierOptions,
} from '../../../src/index.ts';
import { judge } from '../../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds, sharedSecret } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const other = await createKey('ES256', 'other');
const jwks = { keys: [key.publicJwk] };
const base = { issuer: { issuer, jwks }, audience, now: () => nowMs } satisfies VerifierOptions;
const request = (authorization?: string): Request =>
  new Request('https://orders.example', authorization === undefined ? {} : { headers: { authorization } });

afterEach(() => void vi.unstubAllEnvs());

describe('authenticate', () => {
  it('is synchronous when everything needed is in memory', async () => {
    const verifier = createVerifier(base);
    const good = request(`Bearer ${await mint(key)}`);
    const first = verifier.authenticate(good);
    expect(first).not.toBeInstanceOf(Promise);
    expect(verifier.authenticate(good)).toBe(first);
    expect(verifier.authenticate(request())).not.toBeInstanceOf(Promise);
    expect(verifier.authenticate(request('Bearer x'))).not.toBeInstanceOf(Promise);
  });

  it('waits for keys once, and never again', async () => {
    const fetch = vi.fn(async () => Response.json(jwks));
    const verifier = createVerifier({ ...base, issuer: { issuer, jwksUri: `${issuer}/jwks` }, fetch });
    const good = request(`Bearer ${await mint(key)}`);
    const first = verifier.authenticate(good);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toMatchObject({ ok: true });
    expect(verifier.authenticate(request(`Bearer ${await mint(key, { jti: '2' })}`))).toMatchObject({
      ok: true,
    });
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it('takes any object with method, url and a getter of headers', async () => {
    const token = await mint(key);
    const headers = { get: (name: string) => (name === 'authorization' ? `Bearer ${token}` : undefined) };
    expect(createVerifier(base).authenticate({ method: 'GET', url: '/', headers })).toMatchObject({
      ok: true,
    });
  });
});

describe('events', () => {
  const collect = (): { events: ServiceAuthEvent[]; verifier: ReturnType<typeof createVerifier> } => {
    const events: ServiceAuthEvent[] = [];
    return { events, verifier: createVerifier({ ...base, onEvent: (event) => events.push(event) }) };
  };

  it('say what was accepted and what was refused, with expected and actual', async () => {
    const { events, verifier } = collect();
    const token = await mint(key);
    await verifier.verifyToken(token);
    await verifier.verifyToken(token, { policy: { scope: 'admin' } });
    await verifier.verifyToken(await mint(key, { exp: nowSeconds - 60 }));
    await verifier.verifyToken(await mint(other, { client_id: 'forged' }, { kid: key.kid }));
    const at = nowMs;
    const about = { issuer, clientId: 'billing' };
    const durationMs = expect.any(Number);
    expect(events).toEqual([
      { at, type: 'request.accepted', cached: false, durationMs, ...about },
      {
        at,
        type: 'request.rejected',
        reason: 'insufficient_scope',
        status: 403,
        step: 'policy',
        expected: 'admin',
        durationMs: undefined,
        actual: 'orders:read stock:read',
        hint: undefined,
        ...about,
      },
      {
        at,
        type: 'request.rejected',
        reason: 'expired',
        status: 401,
        step: 'claims',
        durationMs,
        expected: `exp after ${nowSeconds}`,
        actual: `${nowSeconds - 60}`,
        hint: 'expired 60 s ago: let the client renew earlier',
        ...about,
      },
      {
        at,
        type: 'request.rejected',
        reason: 'bad_signature',
        status: 401,
        step: 'signature',
        durationMs,
        expected: `a signature by a key of ${issuer}`,
        actual: undefined,
        issuer: undefined,
        clientId: undefined,
      },
    ]);
  });

  it('never hold a token, however it is spelt', async () => {
    const { events, verifier } = collect();
    const good = await mint(key);
    const canary = good.slice(-30);
    const spellings = [
      good,
      `${good}x`,
      `x.${good}`,
      good.slice(0, -3),
      `${good} ${good}`,
      good.replaceAll('.', ''),
    ];
    const outcomes = [];
    for (const token of spellings) outcomes.push(await verifier.authenticate(request(`Bearer ${token}`)));
    for (const header of [good, `Basic ${good}`, `Token ${good}`])
      outcomes.push(await verifier.authenticate(request(header)));
    expect(events).toHaveLength(spellings.length + 3);
    expect(inspect([events, outcomes], { depth: 20 })).not.toContain(canary);
  });

  it('a listener that throws or rejects breaks nothing', async () => {
    for (const onEvent of [
      () => {
        throw new Error('listener');
      },
      async () => {
        throw new Error('listener');
      },
    ]) {
      expect(await judge(createVerifier({ ...base, onEvent }), await mint(key))).toBe('accepted');
    }
  });
});

describe('several issuers', () => {
  const partner = { issuer: 'https://partner.example', jwks: { keys: [other.publicJwk] } };
  const verifier = createVerifier({ ...base, issuer: [base.issuer, partner] });

  it('each vouches for its own tokens alone', async () => {
    expect(await judge(verifier, await mint(key))).toBe('accepted');
    expect(await judge(verifier, await mint(other, { iss: partner.issuer }))).toBe('accepted');
    expect(await judge(verifier, await mint(other))).toBe('unknown_key');
    expect(await judge(verifier, await mint(key, { iss: partner.issuer }))).toBe('unknown_key');
    expect(await judge(verifier, await mint(other, {}, { kid: undefined }))).toBe('bad_signature');
  });
});

describe('options', () => {
  const jwksUri = `${issuer}/jwks`;
  it.each<[unknown, RegExp]>([
    [{ isuer: issuer }, /unknown option isuer in options; did you mean issuer\?/],
    [{ issuer: 'issuer.example' }, /issuer must be an https URL .*got "issuer\.example"/],
    [{ issuer: 'http://issuer.example' }, /issuer must be an https URL/],
    [{ issuer: `${issuer}?a=b` }, /without query/],
    [{ issuer: 'https://user:pass@issuer.example' }, /without a user in it/],
    [{ issuer: [] }, /issuer must be/],
    [{ issuer: [issuer, issuer] }, /issuer must be named once/],
    [{ issuer: 1 }, /issuer must be an object; got 1/],
    [{ issuer: { jwksUri } }, /issuer must be a non-empty string; got undefined/],
    [{ issuer: { issuer, jwksURL: jwksUri } }, /unknown option jwksURL/],
    [{ issuer: { issuer, jwksUri: 'http://issuer.example/jwks' } }, /jwksUri must be an https URL/],
    [{ issuer: { issuer, jwksUri, jwks } }, /one source of keys; got "jwksUri and jwks"/],
    [{ issuer: { issuer, jwks: [] } }, /jwks must be an object/],
    [{ issuer: { issuer, jwks: { keys: {} } } }, /jwks must be a JSON Web Key Set/],
    [{ issuer: { issuer, jwks, algorithms: ['HS256'] } }, /algorithms must be of public keys/],
    [{ issuer: { issuer, jwks, algorithms: ['none'] } }, /algorithms must be one of .*got "none"/],
    [
      { issuer: { issuer, secret: sharedSecret, algorithms: ['RS256'] } },
      /algorithms must be one of 'HS256'/,
    ],
    [{ audience: 1 }, /audience must be/],
    [{ audience: [] }, /audience must be .*or null for any/],
    [{ typ: [] }, /typ must be/],
    [{ typ: 'at-jwt' }, /typ must be 'at\+jwt', 'any' or types of other tokens; got "at-jwt"/],
    [{ typ: 'atjwt' }, /typ must be 'at\+jwt'/],
    [{ typ: 'application/at jwt' }, /typ must be 'at\+jwt'/],
    [{ typ: 'Any' }, /typ must be 'at\+jwt', 'any'/],
    [{ typ: ['any'] }, /typ must be 'at\+jwt', 'any'/],
    [{ resourceMetadata: 'javascript:alert(1)' }, /resourceMetadata must be an https URL/],
    [{ resourceMetadata: 'http://orders.example/metadata' }, /resourceMetadata must be an https URL/],
    [{ resourceMetadata: 'https://orders.example/\r\nX: y' }, /resourceMetadata must be/],
    [
      { clockToleranceSeconds: -1 },
      /clockToleranceSeconds must be a number of seconds from 0 to 600; got -1/,
    ],
    [{ clockToleranceSeconds: 5000 }, /clockToleranceSeconds/],
    [{ maxTokenAgeSeconds: '60' }, /maxTokenAgeSeconds must be a number of seconds .*got "60"/],
    [{ cache: true }, /cache must be an object/],
    [{ cache: { maxTokens: 0 } }, /cache\.maxTokens must be a number of tokens/],
    [{ cache: { size: 1 } }, /unknown option size in cache/],
    [{ onEvent: 'log' }, /onEvent must be a function/],
    [{ fetch: {} }, /fetch must be a function/],
    [{ now: 5 }, /now must be a function/],
    [{ realm: '' }, /realm must be/],
  ])('row %#', (wrong, message) => {
    const make = (): unknown => createVerifier({ ...base, ...(wrong as VerifierOptions) });
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  it.each([
    { typ: 'at+jwt' },
    { typ: 'application/AT+JWT' },
    { typ: ['at+jwt', 'jwt'] },
    { typ: 'example.token+jwt' },
    { resourceMetadata: 'http://127.0.0.1:3000/metadata' },
    { resourceMetadata: 'https://orders.example/.well-known/oauth-protected-resource' },
  ])('%j is none', (option) => {
    expect(() => createVerifier({ ...base, ...option })).not.toThrow();
  });

  it.each([
    'secret',
    'jwks',
    'jwksUri',
    'introspection',
    'statusList',
    'tenants',
    'discovery',
    'algorithms',
    'claims',
  ])('a member of an issuer without a value is named: %s', (name) => {
    for (const value of [undefined, null]) {
      const trusted = { issuer, [name]: value } as unknown as TrustedIssuer;
      const make = () => createVerifier({ ...base, issuer: trusted });
      expect(make).toThrow(TypeError);
      expect(make).toThrow(`createVerifier: issuer.${name} is ${value}; leave it out`);
    }
  });

  it('a policy that asks for dpop is a mistake where dpop is switched off', async () => {
    const verifier = createVerifier({ ...base, dpop: false });
    expect(() => verifier.guard({ senderConstrained: 'dpop' })).toThrow(/senderConstrained must be/);
    expect(() => createGuard({ ...base, dpop: false, senderConstrained: 'dpop' })).toThrow(TypeError);
    expect(() => verifier.guard({ senderConstrained: 'mtls' })).not.toThrow();
  });

  it('a guard names no function that was not called, and drops no check', () => {
    expect(() => createGuard({ ...base, scopes: 'a' } as object)).toThrow(
      /^serviceAuth: unknown option scopes in options; did you mean scope\?/,
    );
    const unset = { ...base, clients: undefined } as unknown as VerifierOptions;
    expect(() => createGuard(unset)).toThrow(/^policy: clients is undefined; leave it out/);
  });

  it('come from the environment where they are missing, and a missing variable is named', async () => {
    expect(() => createVerifier()).toThrow(/issuer is required; give it or set SERVICE_AUTH_ISSUER/);
    vi.stubEnv('SERVICE_AUTH_ISSUER', ` ${issuer}  https://second.example `);
    expect(() => createVerifier()).toThrow(
      /audience is required; give it or set SERVICE_AUTH_AUDIENCE; null would take tokens for any service/,
    );
    vi.stubEnv('SERVICE_AUTH_AUDIENCE', `${audience} https://stock.example`);
    const fetch = async (url: string): Promise<Response> =>
      Response.json(url.endsWith('/jwks') ? jwks : { issuer, jwks_uri: jwksUri });
    const verifier = createVerifier({ fetch, now: () => nowMs });
    expect(await judge(verifier, await mint(key, { aud: 'https://stock.example' }))).toBe('accepted');
    expect(verifier.health().issuers.map((one) => one.issuer)).toEqual([issuer, 'https://second.example']);
  });

  it('are read once: the given object is neither changed nor watched', async () => {
    const given = {
      issuer: { issuer, jwks: { keys: [key.publicJwk] } },
      audience: [audience],
      now: () => nowMs,
    };
    const before = structuredClone({ ...given, now: undefined });
    const verifier = createVerifier(given);
    given.audience[0] = 'https://evil.example';
    given.issuer.jwks.keys.length = 0;
    expect(await judge(verifier, await mint(key))).toBe('accepted');
    expect(before.audience).toEqual([audience]);
  });

  it('freeze nothing that is given', () => {
    const given = { ...base, audience: [audience] };
    createVerifier(given);
    expect(Object.isFrozen(given)).toBe(false);
    expect(Object.isFrozen(given.audience)).toBe(false);
  });
});

describe('the life of a verifier', () => {
  it('ready() fetches ahead, and rejects where keys cannot be had', async () => {
    const fetch = vi.fn(async () => Response.json(jwks));
    const verifier = createVerifier({ ...base, issuer: { issuer, jwksUri: `${issuer}/jwks` }, fetch });
    expect(verifier.health().issuers[0]?.keys).toMatchObject({ loaded: false });
    await verifier.ready();
    expect(verifier.health().issuers[0]?.keys).toMatchObject({ loaded: true, stale: false, failures: 0 });
    expect(verifier.verifyToken(await mint(key))).not.toBeInstanceOf(Promise);
    const down = createVerifier({ ...base, issuer, fetch: () => Promise.reject(new Error('down')) });
    await expect(down.ready()).rejects.toMatchObject({ code: 'network_failed' });
  });

  it('after close() everything is 503', async () => {
    const verifier = createVerifier(base);
    const token = await mint(key);
    expect(await judge(verifier, token)).toBe('accepted');
    verifier.close();
    expect(await judge(verifier, token)).toBe('closed');
    expect(verifier.health().cachedTokens).toBe(0);
  });

  it('without cache nothing is kept', async () => {
    const verifier = createVerifier({ ...base, cache: false });
    const token = await mint(key);
    expect(await judge(verifier, token)).toBe('accepted');
    expect(await judge(verifier, token)).toBe('accepted');
    expect(verifier.health().cachedTokens).toBe(0);
  });
});
