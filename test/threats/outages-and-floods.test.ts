import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AuthRequest, createVerifier, type ServiceAuthEvent, type Verifier } from '../../src/index.ts';
import { type Answer, type IssuerStub, publishes, startIssuerStub } from '../helpers/issuer-stub.ts';
import { judge, reasonOf } from '../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs, type TestKey, withPart } from '../helpers/tokens.ts';

const key = await createKey('ES256');
const jwks = { keys: [key.publicJwk] };
const local = createVerifier({ issuer: { issuer, jwks }, audience, now: () => nowMs });

describe('threat 15: the issuer is compared before anything is fetched', () => {
  it('a token cannot make the verifier call anywhere', async () => {
    const fetch = vi.fn(async () => Response.json(jwks));
    const verifier = createVerifier({ issuer, audience, now: () => nowMs, fetch });
    for (const iss of [
      'https://evil.example',
      `${issuer}.evil.example`,
      `${issuer}@evil.example`,
      'http://127.0.0.1',
    ]) {
      expect(await judge(verifier, await mint(key, { iss }))).toBe('unknown_issuer');
    }
    expect(fetch).not.toHaveBeenCalled();
  });
});

describe('threat 22: nothing from a token reaches a response header unescaped', () => {
  it.each(['"', '\\', '\r\nSet-Cookie: a=b', '\u0000', 'é', ', Basic realm="x"'])(
    'claims with %j',
    async (evil) => {
      const claims = { client_id: evil, scope: evil, sub: evil, jti: evil };
      const wrong: object[] = [{}, { iss: evil }, { aud: evil }, { exp: 1 }];
      for (const more of wrong) {
        const token = await mint(key, { ...claims, ...more });
        const outcome = await local.verifyToken(token, { policy: { scope: 'orders:write' } });
        const headers = outcome.ok ? {} : outcome.rejection.headers;
        expect(Object.values(headers).join()).not.toContain(
          evil === '"' || evil === '\\' ? `${evil}${evil}` : evil,
        );
        expect(() => new Headers(headers)).not.toThrow();
        expect(headers['WWW-Authenticate']).toMatch(
          /^Bearer error="(invalid_token|insufficient_scope)", error_description="[\w ]+"(, scope="orders:write")?, DPoP algs="[\w ]+"$/,
        );
      }
    },
  );

  it('a realm that could end the header is refused at creation', () => {
    const make = (realm: string): unknown => createVerifier({ issuer: { issuer, jwks }, audience, realm });
    expect(() => make('a\r\nb')).toThrow(/realm/);
    expect(() => make('é')).toThrow(/realm/);
  });
});

describe('threat 23: sizes and depth are bounded before parsing', () => {
  it('tokens', async () => {
    const parse = vi.spyOn(JSON, 'parse');
    const huge = `${'a'.repeat(9000)}.${'b'.repeat(9000)}.c`;
    expect(await judge(local, huge)).toBe('token_too_large');
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });

  it.each(['[', '{"a":'])('JSON nested with %s', async (open) => {
    const close = open === '[' ? ']' : '}';
    const nested = (depth: number): string => `{"a":${open.repeat(depth)}1${close.repeat(depth)}}`;
    expect(await judge(local, await key.sign({}, nested(2000)))).toBe('malformed_token');
    expect(await judge(local, await key.sign({}, nested(10)))).toBe('unknown_issuer');
  });
});

describe('with an issuer over HTTP', () => {
  let stub: IssuerStub;
  let time = nowMs;
  let events: ServiceAuthEvent[] = [];
  const fine = (keys: () => object = () => jwks): Answer => publishes(() => stub.url, keys);
  const make = (): Verifier =>
    createVerifier({ issuer: stub.url, audience, now: () => time, onEvent: (event) => events.push(event) });
  const token = (by: TestKey = key, changes: object = {}): Promise<string> =>
    mint(by, { iss: stub.url, exp: nowMs / 1000 + 100_000, ...changes });

  beforeEach(async () => {
    time = nowMs;
    events = [];
    stub = await startIssuerStub((_request, response) => response.end());
    stub.answer = fine();
  });
  afterEach(() => stub.close());

  describe('threat 24: floods', () => {
    it('1,000 unknown kids cause one more fetch, and good tokens pass meanwhile', async () => {
      const verifier = make();
      const good = await token();
      expect(await judge(verifier, good)).toBe('accepted');
      const before = stub.requests.length;
      const stranger = await createKey('ES256', 'unknown');
      const bad = await token(stranger);
      const kids = Array.from({ length: 1000 }, (_, at) => at);
      const header = (at: number): string =>
        Buffer.from(JSON.stringify({ alg: 'ES256', kid: `kid-${at}` })).toString('base64url');
      const verdicts = await Promise.all(
        kids.flatMap((at) => [judge(verifier, withPart(bad, 0, header(at))), judge(verifier, good)]),
      );
      expect(verdicts.filter((verdict) => verdict === 'accepted')).toHaveLength(1000);
      expect(verdicts.filter((verdict) => verdict === 'unknown_key')).toHaveLength(1000);
      expect(stub.requests.length - before).toBe(1);
      time += 10_000;
      expect(await judge(verifier, bad)).toBe('unknown_key');
      expect(stub.requests.length - before).toBe(2);
    });

    it('1,000 first requests cause one fetch of each document', async () => {
      const verifier = make();
      const good = await token();
      await Promise.all(Array.from({ length: 1000 }, () => judge(verifier, good)));
      expect(stub.requests).toEqual(['/.well-known/oauth-authorization-server', '/jwks']);
    });

    it('random tokens cause no fetch and no growth of caches', async () => {
      const verifier = make();
      for (let at = 0; at < 1000; at++) await judge(verifier, `a${at}.b${at}.c${at}`);
      expect(stub.requests).toEqual([]);
      expect(verifier.health().cachedTokens).toBe(0);
    });
  });

  const faults: Readonly<Record<string, Answer>> = {
    'status 500': (_request, response) => void response.writeHead(500).end(),
    'status 429': (_request, response) => void response.writeHead(429, { 'retry-after': '7' }).end(),
    'status 404': (_request, response) => void response.writeHead(404).end('{}'),
    'a redirect': (_request, response) =>
      void response.writeHead(302, { location: 'https://evil.example' }).end(),
    'a broken connection': (request) => void request.socket.destroy(),
    'half an answer': (_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"issuer":');
      setImmediate(() => response.destroy());
    },
    HTML: (_request, response) => void response.end('<html>maintenance</html>'),
    'a list': (_request, response) => void response.end('[]'),
    'an empty body': (_request, response) => void response.end(),
    'a huge body': (_request, response) => void response.end(`{"a":"${'x'.repeat(300_000)}"}`),
    'another issuer': (_request, response) => void response.end('{"issuer":"https://evil.example"}'),
    'keys that are none': (request, response) =>
      request.url === '/jwks'
        ? void response.end('{"keys":[{"kty":"oct","k":"AAAA"}]}')
        : fine()(request, response),
    'keys that are no list': (request, response) =>
      request.url === '/jwks' ? void response.end('{"keys":{}}') : fine()(request, response),
  };

  describe('threat 25: a failing fetch never crashes, never poisons, never turns into 401', () => {
    it.each(Object.entries(faults))('%s, before keys were loaded', async (_name, fault) => {
      stub.answer = fault;
      const verifier = make();
      const good = await token();
      const request: AuthRequest = { method: 'GET', url: '/', headers: { get: () => `Bearer ${good}` } };
      const outcome = await verifier.authenticate(request);
      expect(outcome).toMatchObject({ ok: false, rejection: { status: 503, reason: 'keys_unavailable' } });
      expect(outcome.ok ? '' : outcome.rejection.headers['Retry-After']).toMatch(/^[1-9]\d*$/);
      expect(events.map(({ type }) => type)).toEqual(
        expect.arrayContaining(['keys.refresh_failed', 'request.undecided']),
      );
      // Within the back-off nothing is asked again; after it the next request finds the issuer well.
      const asked = stub.requests.length;
      expect(await judge(verifier, good)).toBe('keys_unavailable');
      expect(stub.requests.length).toBe(asked);
      stub.answer = fine();
      time += 60_000;
      expect(await judge(verifier, good)).toBe('accepted');
    });

    it.each(Object.entries(faults))('%s, after keys were loaded', async (_name, fault) => {
      const verifier = make();
      expect(await judge(verifier, await token())).toBe('accepted');
      stub.answer = fault;
      for (let hour = 1; hour <= 6; hour++) {
        time += 3_600_000;
        const fresh = await token(key, { jti: `${hour}`, iat: time / 1000 });
        expect(await judge(verifier, fresh)).toBe('accepted');
        // A key that is not known cannot be told from one that was published a minute ago.
        const stranger = await createKey('ES256', 'unknown');
        expect(await judge(verifier, await token(stranger))).toBe('keys_unavailable');
      }
      expect(events.some(({ type }) => type === 'keys.stale')).toBe(true);
      stub.answer = fine();
      time += 60_000;
      expect(await judge(verifier, await token())).toBe('accepted');
      await vi.waitFor(() => expect(verifier.health().issuers[0]?.keys?.failures).toBe(0));
    });

    it('an issuer that hangs', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        const fetch = vi.fn(() => new Promise<Response>(() => {}));
        const verifier = createVerifier({ issuer, audience, now: () => time, fetch });
        const pending = reasonOf(verifier.verifyToken(await mint(key)));
        await vi.advanceTimersByTimeAsync(20_000);
        expect(await pending).toBe('keys_unavailable');
      } finally {
        vi.useRealTimers();
      }
    });

    it('keys are not served for ever: after a day without the issuer it is 503', async () => {
      const verifier = make();
      expect(await judge(verifier, await token())).toBe('accepted');
      stub.answer = (_request, response) => void response.writeHead(500).end();
      time += 25.1 * 3_600_000;
      expect(await judge(verifier, await token(key, { exp: time / 1000 + 60 }))).toBe('keys_unavailable');
    });
  });
});
