import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ServiceAuthEvent } from '../../../src/events.ts';
import { createTokenClient } from '../../../src/outbound/token-client.ts';
import type { TokenClientOptions } from '../../../src/outbound/token-client-options.ts';
import { clientSecretBasic, clientSecretPost } from '../../../src/shared/client-auth.ts';
import {
  createClock,
  createDeferred,
  eventTypes,
  rejection,
  secretCanary,
  sendJson,
  startServer,
  startTokenServer,
  tokenCanary,
} from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const token = (name: string, expiresIn = 600) => ({
  access_token: name,
  token_type: 'Bearer',
  expires_in: expiresIn,
});

describe('getToken', () => {
  it('gives the token with its type, expiry and scope, and keeps it', async () => {
    const clock = createClock();
    const server = await startTokenServer({ now: clock.now, scope: ['orders:write', 'orders:read'] });
    const tokens = createTokenClient(server.options);
    const first = await tokens.getToken();
    expect(first).toMatchObject({
      accessToken: 'token-1',
      tokenType: 'Bearer',
      expiresAt: clock.now() + 600_000,
      scope: 'orders:read orders:write',
    });
    expect(await tokens.getToken()).toBe(first);
    expect(server.received).toHaveLength(1);
    expect(server.received[0]?.headers.authorization).toMatch(/^Basic /);
    expect(Object.fromEntries(new URLSearchParams(server.received[0]?.body))).toEqual({
      grant_type: 'client_credentials',
      scope: 'orders:read orders:write',
    });
  });

  it('makes one token request for 1,000 concurrent first calls', async () => {
    const server = await startTokenServer();
    const tokens = createTokenClient(server.options);
    const all = await Promise.all(Array.from({ length: 1000 }, () => tokens.getToken()));
    expect(new Set(all.map(({ accessToken }) => accessToken))).toEqual(new Set(['token-1']));
    expect(server.received).toHaveLength(1);
  });

  it('keeps one token for each scope and resource, whatever their order', async () => {
    const server = await startTokenServer({ audience: 'aud', extraParameters: { tenant: 't' } });
    const tokens = createTokenClient(server.options);
    const wishes = [
      { scope: 'a b' },
      { scope: ['b', 'a'] },
      { scope: 'a' },
      { scope: 'a', resource: 'https://one.example' },
      { scope: 'a', resource: ['https://two.example', 'https://one.example'] },
      { scope: 'a', resource: ['https://one.example', 'https://two.example'] },
      {},
    ];
    const names: string[] = [];
    for (const wish of wishes) names.push((await tokens.getToken(wish)).accessToken);
    expect(names).toEqual(['token-1', 'token-1', 'token-2', 'token-3', 'token-4', 'token-4', 'token-5']);
    expect(server.received.map(({ body }) => [...new URLSearchParams(body)].slice(1))[3]).toEqual([
      ['scope', 'a'],
      ['resource', 'https://one.example'],
      ['resource', 'https://two.example'],
      ['audience', 'aud'],
      ['tenant', 't'],
    ]);
  });

  it('asks again with forceRefresh', async () => {
    const server = await startTokenServer();
    const tokens = createTokenClient(server.options);
    await tokens.getToken();
    expect(await tokens.getToken({ forceRefresh: true })).toMatchObject({ accessToken: 'token-2' });
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-2' });
  });

  it('refreshes in the background while the token serves, and blocks once it has expired', async () => {
    const clock = createClock();
    const server = await startTokenServer({ now: clock.now, random: () => 0 });
    const tokens = createTokenClient(server.options);
    const held = createDeferred();
    await tokens.getToken();
    clock.advance(541_000);
    server.next.push(async (_, response) => {
      await held.promise;
      sendJson(response, token('renewed'));
    });
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1' });
    held.resolve();
    await vi.waitFor(() => expect(eventTypes(server.events)).toHaveLength(4));
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'renewed' });
    clock.advance(600_000);
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-2' });
    expect(server.events.filter(({ type }) => type === 'token.refreshed')).toMatchObject([
      { clientId: 'billing', background: false },
      { background: true, expiresAt: clock.now() },
      { background: false },
    ]);
  });

  it('counts five minutes where the answer says no lifetime', async () => {
    const clock = createClock();
    const server = await startTokenServer({ now: clock.now });
    server.next.push((_, response) => sendJson(response, { access_token: 'x', token_type: 'bearer' }));
    const { expiresAt } = await createTokenClient(server.options).getToken();
    expect(expiresAt).toBe(clock.now() + 300_000);
  });

  it.each([
    [{ scope: 'a"b' }, 'createTokenClient: scope must be of the characters of RFC 6749; got "a\\"b"'],
    [{ resource: 'orders' }, 'createTokenClient: resource must be an absolute URI without fragment'],
    [{ scopes: 'a' }, 'getToken: unknown option scopes in options; did you mean scope?'],
  ])('rejects %j with a TypeError', async (options, message) => {
    const tokens = createTokenClient((await startTokenServer()).options);
    const error = await rejection(tokens.getToken(options as object));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain(message);
  });
});

describe('a signal', () => {
  it('ends the wait of its own call, not the request that others wait for', async () => {
    const server = await startTokenServer();
    const tokens = createTokenClient(server.options);
    const held = createDeferred();
    server.next.push(async (_, response) => {
      await held.promise;
      sendJson(response, token('shared'));
    });
    const controller = new AbortController();
    const impatient = rejection(tokens.getToken({ signal: controller.signal }));
    const patient = tokens.getToken();
    controller.abort(new Error('no time'));
    expect(await impatient).toMatchObject({ message: 'no time' });
    held.resolve();
    expect(await patient).toMatchObject({ accessToken: 'shared' });
    expect(server.received).toHaveLength(1);
  });

  it('leaves no unhandled rejection if nobody waits any more and the request fails', async () => {
    const server = await startTokenServer();
    const tokens = createTokenClient(server.options);
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    server.next.push((_, response) => sendJson(response, {}, 500));
    const controller = new AbortController();
    const call = rejection(tokens.getToken({ signal: controller.signal }));
    controller.abort();
    await call;
    await vi.waitFor(() => expect(eventTypes(server.events)).toContain('token.refresh_failed'));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('that is aborted already is refused even with a token in memory', async () => {
    const tokens = createTokenClient((await startTokenServer()).options);
    await tokens.getToken();
    const call = tokens.getToken({ signal: AbortSignal.abort(new Error('too late')) });
    expect(await rejection(call)).toMatchObject({ message: 'too late' });
  });
});

describe('invalidate', () => {
  it('forgets the tokens of one scope, one value, or all', async () => {
    const server = await startTokenServer();
    const tokens = createTokenClient(server.options);
    const names = async (): Promise<string> =>
      [
        (await tokens.getToken({ scope: 'a' })).accessToken,
        (await tokens.getToken({ scope: 'b' })).accessToken,
      ].join();
    expect(await names()).toBe('token-1,token-2');
    tokens.invalidate({ scope: 'a' });
    expect(await names()).toBe('token-3,token-2');
    tokens.invalidate({ accessToken: 'token-2' });
    tokens.invalidate({ accessToken: 'unknown' });
    expect(await names()).toBe('token-3,token-4');
    tokens.invalidate();
    expect(await names()).toBe('token-5,token-6');
  });

  it('is not lost while a request is under way', async () => {
    const server = await startTokenServer();
    const tokens = createTokenClient(server.options);
    const arrived = createDeferred();
    const held = createDeferred();
    server.next.push(async (_, response) => {
      arrived.resolve();
      await held.promise;
      sendJson(response, token('outdated'));
    });
    const before = tokens.getToken();
    await arrived.promise;
    tokens.invalidate();
    const after = await tokens.getToken();
    expect(after).toMatchObject({ accessToken: 'token-1' });
    held.resolve();
    expect(await before).toMatchObject({ accessToken: 'outdated' });
    expect(await tokens.getToken()).toBe(after);
  });
});

describe('close', () => {
  it('ends what is under way and refuses what comes later', async () => {
    const server = await startTokenServer();
    const tokens = createTokenClient(server.options);
    const arrived = createDeferred();
    server.next.push(() => arrived.resolve());
    const waiting = rejection(tokens.getToken());
    await arrived.promise;
    tokens.close();
    tokens.close();
    expect(await waiting).toMatchObject({ code: 'closed' });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'closed' });
  });
});

describe('close while the secret is still being read', () => {
  it('ends the wait at once', async () => {
    const server = await startTokenServer();
    const asked = createDeferred();
    const tokens = createTokenClient({
      ...server.options,
      clientSecret: () => {
        asked.resolve();
        return new Promise<string>(() => {});
      },
    });
    const waiting = rejection(tokens.getToken());
    await asked.promise;
    tokens.close();
    expect(await waiting).toMatchObject({ code: 'closed' });
  }, 2000);
});

describe('discovery', () => {
  it('finds the token endpoint once, by RFC 8414 or OpenID', async () => {
    const server = await startServer(({ url }, response) => {
      if (url === '/.well-known/openid-configuration') {
        return sendJson(response, { issuer: server.origin, token_endpoint: `${server.origin}/oauth/token` });
      }
      return url === '/oauth/token' ? sendJson(response, token('found')) : sendJson(response, {}, 404);
    });
    const tokens = createTokenClient({ issuer: server.origin, clientId: 'a', clientSecret: 's' });
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'found' });
    await tokens.getToken({ forceRefresh: true });
    expect(server.received.map(({ url }) => url)).toEqual([
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration',
      '/oauth/token',
      '/oauth/token',
    ]);
  });

  it('threat 21: sends no secret where the metadata names another issuer, or plain http elsewhere', async () => {
    const documents = [
      { issuer: 'https://evil.example', token_endpoint: 'https://evil.example/token' },
      { token_endpoint: 'http://evil.example/token' },
    ];
    for (const document of documents) {
      const server = await startServer((_, response) =>
        sendJson(response, { issuer: server.origin, ...document }),
      );
      const tokens = createTokenClient({
        issuer: server.origin,
        discovery: 'oauth-authorization-server',
        clientId: 'a',
        clientSecret: secretCanary,
      });
      const error = await rejection(tokens.getToken());
      expect(error).toMatchObject({
        code: document.issuer === undefined ? 'insecure_url' : 'issuer_mismatch',
      });
      expect(server.received).toHaveLength(1);
      expect(server.received.filter(({ method }) => method === 'POST')).toEqual([]);
    }
  });

  it('says so if the metadata has no token endpoint', async () => {
    const server = await startServer((_, response) => sendJson(response, { issuer: server.origin }));
    const tokens = createTokenClient({ issuer: server.origin, clientId: 'a', clientSecret: 's' });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'response_malformed' });
  });
});

describe('threat 16: what fails enters no cache and pushes nothing out', () => {
  it('an unusable answer is not kept', async () => {
    const server = await startTokenServer();
    const tokens = createTokenClient(server.options);
    server.next.push((_, response) => sendJson(response, { ...token('x'), token_type: 'mac' }));
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'token_response_invalid' });
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1' });
  });

  it('3,000 scopes that are refused leave the good token where it is', async () => {
    let requests = 0;
    const tokens = createTokenClient({
      tokenEndpoint: 'https://idp.example/token',
      clientId: 'a',
      clientSecret: 's',
      fetch: async (_, init) => {
        requests++;
        const isGood = !String(init?.body).includes('scope');
        return isGood
          ? Response.json(token('good'))
          : Response.json({ error: 'invalid_scope' }, { status: 400 });
      },
    });
    await tokens.getToken();
    for (let i = 0; i < 3000; i++) await rejection(tokens.getToken({ scope: `made-up-${i}` }));
    expect(requests).toBe(3001);
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'good' });
    expect(requests).toBe(3001);
  });
});

describe('threat 17: one client never gets the token of another', () => {
  it('clients that differ in one thing alone share nothing', async () => {
    const server = await startTokenServer();
    const variants: TokenClientOptions[] = [
      {},
      { clientId: 'shipping' },
      { audience: 'a' },
      { scope: 'a' },
      { resource: 'urn:a' },
      { extraParameters: { a: 'a' } },
      { clientAuth: clientSecretPost('other') },
    ];
    const { clientSecret, ...rest } = server.options;
    const names = await Promise.all(
      variants.map(async (variant) => {
        const clientAuth = clientSecretBasic(clientSecret ?? '');
        return (await createTokenClient({ ...rest, clientAuth, ...variant }).getToken()).accessToken;
      }),
    );
    expect(new Set(names).size).toBe(variants.length);
  });
});

describe('threat 25: failure crashes nothing, poisons nothing for ever', () => {
  it.each([
    ['a server error', (server: TestBed) => server.next.push((_, response) => sendJson(response, {}, 500))],
    ['a broken connection', (server: TestBed) => server.next.push((_, response) => void response.destroy())],
    [
      'an answer that is no JSON',
      (server: TestBed) => server.next.push((_, response) => void response.end('<html>')),
    ],
    [
      'an endless answer',
      (server: TestBed) => server.next.push((_, response) => void response.end(' '.repeat(1_000_000))),
    ],
  ])('%s: concurrent callers share it, the next call asks again', async (_, breakIt) => {
    const server = await startTokenServer();
    const tokens = createTokenClient(server.options);
    breakIt(server);
    const errors = await Promise.all(Array.from({ length: 100 }, () => rejection(tokens.getToken())));
    expect(new Set(errors).size).toBe(1);
    expect(errors[0]).toMatchObject({ name: 'ServiceAuthError' });
    expect(server.received).toHaveLength(1);
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1' });
  });

  it('a server that never answers: the deadline ends the wait', async () => {
    const server = await startTokenServer({ timeoutMs: 50 });
    const tokens = createTokenClient(server.options);
    server.next.push(() => {});
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'timeout' });
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1' });
  });

  it('a failed refresh leaves the valid token in use, and says so in events', async () => {
    const clock = createClock();
    const server = await startTokenServer({ now: clock.now });
    const tokens = createTokenClient(server.options);
    await tokens.getToken();
    clock.advance(590_000);
    server.next.push((_, response) => sendJson(response, { error: 'server_error' }, 503));
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1' });
    await vi.waitFor(() => expect(eventTypes(server.events)).toContain('token.reused_stale'));
    expect(server.events.slice(2)).toEqual([
      {
        type: 'token.requested',
        clientId: 'billing',
        tokenEndpoint: server.tokenEndpoint,
        grantType: 'client_credentials',
        durationMs: 0,
        code: 'unexpected_status',
        status: 503,
        oauthError: 'server_error',
        at: clock.now(),
      },
      {
        type: 'token.refresh_failed',
        clientId: 'billing',
        code: 'unexpected_status',
        status: 503,
        oauthError: 'server_error',
        message: `${server.tokenEndpoint} answered server_error (HTTP 503)`,
        at: clock.now(),
      },
      { type: 'token.reused_stale', clientId: 'billing', expiresAt: clock.now() + 10_000, at: clock.now() },
    ]);
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1' });
  });

  it('a listener that throws, a secret function that throws: errors, not crashes', async () => {
    const server = await startTokenServer();
    let broken = true;
    const tokens = createTokenClient({
      ...server.options,
      clientSecret: () => {
        if (broken) throw new Error(secretCanary);
        return 'fine';
      },
      onEvent: () => {
        throw new Error('a bad listener');
      },
    });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'client_auth_failed' });
    broken = false;
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1' });
  });
});

type TestBed = Awaited<ReturnType<typeof startTokenServer>>;

describe('threat 27: no secret and no token in what may be logged', () => {
  const show = (value: unknown): string =>
    [
      inspect(value, { depth: null, showHidden: true, getters: true }),
      JSON.stringify(value),
      value instanceof Error ? `${value.stack}${inspect(value.cause)}` : '',
    ].join('\n');

  it('neither the client, nor its token, nor its options give them away', async () => {
    const server = await startTokenServer();
    server.next.push((_, response) => sendJson(response, token(tokenCanary)));
    const tokens = createTokenClient(server.options);
    const got = await tokens.getToken();
    expect(got.accessToken).toBe(tokenCanary);
    for (const value of [tokens, { ...got }, [got], server.events]) {
      const shown = [inspect(value, { depth: null, showHidden: true }), JSON.stringify(value)].join();
      expect(shown).not.toContain(tokenCanary);
      expect(shown).not.toContain(secretCanary);
    }
  });

  it.each([
    ['refused with the secret quoted', { error: 'invalid_client', error_description: secretCanary }, 401],
    [
      'refused with the whole request quoted',
      { error: 'invalid_request', request: `Basic ${secretCanary}` },
      400,
    ],
    ['a broken success', { access_token: `${tokenCanary} `, token_type: 'Bearer' }, 200],
    ['another kind of token', { access_token: tokenCanary, token_type: secretCanary }, 200],
    ['a server error', { message: `${secretCanary} ${tokenCanary}` }, 500],
  ])('an error shows none: %s', async (_, body, status) => {
    const server = await startTokenServer();
    server.next.push((_, response) => sendJson(response, body, status));
    const error = await rejection(createTokenClient(server.options).getToken());
    const basic = Buffer.from(`billing:${secretCanary}`).toString('base64');
    for (const shown of [show(error), show(server.events)]) {
      for (const secret of [secretCanary, tokenCanary, basic]) expect(shown).not.toContain(secret);
    }
  });

  it('a transport that quotes what it sent is not quoted', async () => {
    const events: ServiceAuthEvent[] = [];
    const tokens = createTokenClient({
      tokenEndpoint: 'https://idp.example/token',
      clientId: 'a',
      clientAuth: clientSecretPost(secretCanary),
      onEvent: (event) => events.push(event),
      fetch: (_, init) => Promise.reject(new Error(`could not send ${String(init?.body)}`, { cause: init })),
    });
    const error = await rejection(tokens.getToken());
    expect(error).toMatchObject({ code: 'network_failed' });
    expect(show(error) + show(events)).not.toContain(secretCanary);
  });
});

describe('options of createTokenClient', () => {
  const good: TokenClientOptions = { issuer: 'https://idp.example', clientId: 'a', clientSecret: 's' };

  it.each<[object, string]>([
    [{ clientsecret: 'x' }, 'unknown option clientsecret in options; did you mean clientSecret?'],
    [{ issuer: 'http://idp.example' }, 'issuer must be an https URL'],
    [{ issuer: 'idp.example' }, 'issuer must be an https URL'],
    [{ issuer: 'https://idp.example/?a=b' }, 'issuer must be a URL without query and fragment'],
    [{ tokenEndpoint: 'http://idp.example/token' }, 'tokenEndpoint must be an https URL'],
    [{ tokenEndpoint: 'ftp://127.0.0.1/token' }, 'tokenEndpoint must be an https URL'],
    [
      { tokenEndpoint: 'https://idp.example/token', discovery: 'openid-configuration' },
      'discovery must be absent',
    ],
    [{ discovery: 'http://idp.example/metadata' }, 'discovery must be an https URL'],
    [{ clientId: '' }, 'clientId must be a non-empty string; got ""'],
    [
      { clientSecret: '' },
      'clientSecret must be a non-empty string, a non-empty list of them, or a function',
    ],
    [{ clientAuth: clientSecretBasic('x') }, 'clientSecret must be absent where clientAuth is given'],
    [
      { clientSecret: undefined, clientAuth: secretCanary },
      'clientAuth must be a function such as clientSecretBasic',
    ],
    [{ scope: [] }, 'scope must be a non-empty string or a non-empty list of them'],
    [{ scope: 'a\u0000' }, 'scope must be of the characters of RFC 6749'],
    [{ resource: 'https://a.example/#b' }, 'resource must be an absolute URI without fragment'],
    [{ audience: 7 }, 'audience must be a non-empty string; got 7'],
    [{ extraParameters: 'a=b' }, 'extraParameters must be an object of strings; got a text'],
    [
      { extraParameters: { client_secret: secretCanary } },
      'extraParameters must be free of what service-auth sets',
    ],
    [{ extraParameters: { a: 1 } }, 'extraParameters.a must be a string'],
    [{ refresh: { ahead: 1 } }, 'unknown option ahead in refresh; did you mean aheadSeconds?'],
    [
      { refresh: { aheadSeconds: -1 } },
      'refresh.aheadSeconds must be a number of seconds from 0 to 86400; got -1',
    ],
    [
      { defaultLifetimeSeconds: 0 },
      'defaultLifetimeSeconds must be a number of seconds from 1 to 86400; got 0',
    ],
    [{ timeoutMs: Number.NaN }, 'timeoutMs must be a number of milliseconds from 1 to 600000; got NaN'],
    [{ fetch: 'fetch' }, 'fetch must be a function; got a text'],
    [{ now: 1 }, 'now must be a function; got 1'],
    [{ random: 1 }, 'random must be a function; got 1'],
    [{ onEvent: {} }, 'onEvent must be a function; got an object'],
  ])('%j: %s', (options, message) => {
    const create = (): unknown => createTokenClient({ ...good, ...options });
    expect(create).toThrow(TypeError);
    expect(create).toThrow(`createTokenClient: ${message}`);
    expect(create).not.toThrow(secretCanary);
  });

  it.each(['issuer', 'tokenEndpoint'])('shows no password of a URL in %s', (option) => {
    const create = (): unknown =>
      createTokenClient({ ...good, [option]: `https://a:${secretCanary}@idp.example` });
    expect(create).toThrow('without a user in it');
    expect(create).not.toThrow(secretCanary);
  });

  it('changes nothing of what it was given', async () => {
    const server = await startTokenServer();
    const scope = Object.freeze(['b', 'a']);
    const tokens = createTokenClient(Object.freeze({ ...server.options, scope }));
    await tokens.getToken();
    expect(scope).toEqual(['b', 'a']);
  });

  it('is not changed by what happens to the options later', async () => {
    const server = await startTokenServer();
    const options = { ...server.options, scope: ['a'], extraParameters: { x: '1' } };
    const tokens = createTokenClient(options);
    options.scope.push('b');
    options.extraParameters.x = '2';
    await tokens.getToken();
    expect(server.received[0]?.body).toBe('grant_type=client_credentials&scope=a&x=1');
  });
});

describe('the environment', () => {
  it('gives what the options leave out', async () => {
    const server = await startServer((request, response) =>
      request.method === 'GET'
        ? sendJson(response, { issuer: server.origin, token_endpoint: `${server.origin}/token` })
        : sendJson(response, token('from-environment')),
    );
    vi.stubEnv('SERVICE_AUTH_ISSUER', server.origin);
    vi.stubEnv('SERVICE_AUTH_CLIENT_ID', 'env-client');
    vi.stubEnv('SERVICE_AUTH_CLIENT_SECRET', 'env-secret');
    vi.stubEnv('SERVICE_AUTH_SCOPE', 'b a');
    vi.stubEnv('SERVICE_AUTH_RESOURCE', 'https://orders.example');
    vi.stubEnv('SERVICE_AUTH_TOKEN_AUDIENCE', 'https://stock.example');
    await createTokenClient().getToken();
    const { headers, body } = server.received.at(-1) ?? {};
    expect(headers?.authorization).toBe(`Basic ${btoa('env-client:env-secret')}`);
    expect(new URLSearchParams(body).get('scope')).toBe('a b');
    expect(new URLSearchParams(body).get('resource')).toBe('https://orders.example');
    expect(new URLSearchParams(body).get('audience')).toBe('https://stock.example');
    await createTokenClient({ audience: 'https://bills.example' }).getToken();
    expect(new URLSearchParams(server.received.at(-1)?.body).get('audience')).toBe('https://bills.example');
  });

  it('reads a secret file anew for each token request, and keeps the last secret while it is empty', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'service-auth-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const path = join(directory, 'secret');
    const server = await startTokenServer();
    vi.stubEnv('SERVICE_AUTH_CLIENT_SECRET', '');
    vi.stubEnv('SERVICE_AUTH_CLIENT_SECRET_FILE', path);
    vi.stubEnv('SERVICE_AUTH_CLIENT_ID', 'a');
    const tokens = createTokenClient({ tokenEndpoint: server.tokenEndpoint });
    expect(await rejection(tokens.getToken())).toMatchObject({
      code: 'client_auth_failed',
      message: `createTokenClient: the file of SERVICE_AUTH_CLIENT_SECRET_FILE (${path}) could not be read (ENOENT)`,
    });
    await writeFile(path, ' ');
    expect(await rejection(tokens.getToken())).toMatchObject({
      code: 'client_auth_failed',
      message: `createTokenClient: the file of SERVICE_AUTH_CLIENT_SECRET_FILE (${path}) holds no secret`,
    });
    for (const secret of ['one\n', 'two\n', ' ']) {
      await writeFile(path, secret);
      await tokens.getToken({ forceRefresh: true });
    }
    expect(server.received.map(({ headers }) => headers.authorization)).toEqual([
      `Basic ${btoa('a:one')}`,
      `Basic ${btoa('a:two')}`,
      `Basic ${btoa('a:two')}`,
    ]);
  });

  it.each([
    [{}, 'SERVICE_AUTH_ISSUER'],
    [{ issuer: 'https://idp.example' }, 'SERVICE_AUTH_CLIENT_ID'],
    [{ issuer: 'https://idp.example', clientId: 'a' }, 'SERVICE_AUTH_CLIENT_SECRET'],
  ])('a missing variable is named: %j', (options, variable) => {
    for (const name of ['ISSUER', 'CLIENT_ID', 'CLIENT_SECRET', 'CLIENT_SECRET_FILE']) {
      vi.stubEnv(`SERVICE_AUTH_${name}`, '');
    }
    expect(() => createTokenClient(options)).toThrow(TypeError);
    expect(() => createTokenClient(options)).toThrow(variable);
  });
});
