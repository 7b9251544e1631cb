/** The authed fetch that is made from the environment, and what is taken from the runtime where nothing is given. */
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { authedFetch, createAuthedFetch } from '../../../src/outbound/authed-fetch.ts';
import { createTokenClient } from '../../../src/outbound/token-client.ts';
import { createNetwork, type Network, type Sent, tokenAnswer } from './in-process.ts';
import { createClock, mistake, rejection } from './support.ts';

const issuer = 'https://idp.example';
const tokenEndpoint = `${issuer}/token`;
const orders = 'https://orders.internal';
const url = `${orders}/orders`;

beforeEach(() => {
  const variables = {
    ISSUER: issuer,
    CLIENT_ID: 'env-client',
    CLIENT_SECRET: 'env-secret',
    TARGETS: orders,
    SCOPE: 'a',
    RESOURCE: '',
    TOKEN_AUDIENCE: '',
  };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(`SERVICE_AUTH_${name}`, value);
});

afterEach(() => {
  authedFetch.close();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** In place of the global fetch: an issuer with discovery, and a service that says what it got. */
function stubFetch(): { network: Network; asked: () => Sent[] } {
  const network = createNetwork({
    '/.well-known/oauth-authorization-server': () => Response.json({ issuer, token_endpoint: tokenEndpoint }),
    '/token': (_, count) => tokenAnswer(`token-${count}`),
    '*': ({ headers }) => new Response(headers.get('authorization')),
  });
  vi.stubGlobal('fetch', network.fetch);
  return { network, asked: () => network.to('/token') };
}

const textOf = async (response: Promise<Response>): Promise<string> => (await response).text();

describe('authedFetch', () => {
  it('is made once, and anew after it was closed in either way', async () => {
    const { asked } = stubFetch();
    expect(await textOf(authedFetch(url))).toBe('Bearer token-1');
    expect(await textOf(authedFetch(new Request(url)))).toBe('Bearer token-1');
    authedFetch.close();
    authedFetch.close();
    expect(await textOf(authedFetch(url))).toBe('Bearer token-2');
    authedFetch.tokens.close();
    expect(await textOf(authedFetch(url))).toBe('Bearer token-3');
    expect(asked()).toHaveLength(3);
  });

  it('hands on what it is called with', async () => {
    const { network } = stubFetch();
    await authedFetch(url, { method: 'PUT', headers: { 'x-a': 'b' } });
    const [sent] = network.to('/orders');
    expect(sent).toMatchObject({ url, method: 'PUT' });
    expect(sent?.headers.get('x-a')).toBe('b');
  });

  it('has tokens as any other', async () => {
    const { asked } = stubFetch();
    const { tokens } = authedFetch;
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1', scope: 'a' });
    expect(await tokens.getToken({ scope: 'b' })).toMatchObject({ accessToken: 'token-2', scope: 'b' });
    tokens.invalidate({ scope: 'b' });
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1' });
    expect(await tokens.getToken({ scope: 'b' })).toMatchObject({ accessToken: 'token-3' });
    tokens.invalidate();
    expect(await tokens.exchange({ subjectToken: 'alice' })).toMatchObject({ accessToken: 'token-4' });
    expect(asked().at(-1)?.form.get('subject_token')).toBe('alice');
    const proof = await tokens.dpopProof({ method: 'GET', url });
    expect(decodeJwt(proof)).toMatchObject({ htm: 'GET', htu: url });
  });

  it('calls on behalf of somebody until it is closed', async () => {
    const { asked } = stubFetch();
    const alice = authedFetch.onBehalfOf('alice');
    expect(await textOf(alice(url))).toBe('Bearer token-1');
    expect(asked()[0]?.form.get('subject_token')).toBe('alice');
    expect(authedFetch.explain(url)).toMatchObject({ target: { origin: orders }, token: undefined });
    expect(alice.explain(url).token).toBeDefined();
    authedFetch.close();
    expect(await rejection(alice(url))).toMatchObject({ code: 'closed' });
  });

  it('rejects, and throws nothing, where a variable is missing', async () => {
    stubFetch();
    vi.stubEnv('SERVICE_AUTH_CLIENT_ID', '');
    const message = 'createAuthedFetch: clientId is required; give it or set SERVICE_AUTH_CLIENT_ID';
    const { tokens } = authedFetch;
    const missing = mistake(message, 'option_missing');
    expect(await rejection(authedFetch(url))).toEqual(missing);
    expect(await rejection(tokens.getToken())).toEqual(missing);
    expect(await rejection(tokens.exchange({ subjectToken: 'a' }))).toEqual(missing);
    expect(await rejection(tokens.dpopProof({ method: 'GET', url }))).toEqual(missing);
    expect(() => authedFetch.explain(url)).toThrow(missing);
  });

  it('names itself where a call cannot be made', async () => {
    stubFetch();
    expect(await rejection(authedFetch('/orders'))).toEqual(
      mistake('authedFetch: the URL must be absolute', 'call_invalid'),
    );
  });
});

describe('what is asked for', () => {
  const asks = async (create: () => { getToken(): Promise<unknown> }): Promise<object> => {
    const { asked } = stubFetch();
    await create().getToken();
    const { grant_type: _, ...asking } = Object.fromEntries(asked()[0]?.form ?? []);
    return asking;
  };
  const wish = { scope: 'own', resource: 'https://b.example', audience: 'd' };

  it.each<[string, object, object, object]>([
    [
      'the environment',
      {},
      { scope: 'a', resource: orders, audience: 'c' },
      { scope: 'a', resource: orders, audience: 'c' },
    ],
    ['the options', wish, wish, wish],
    [
      'the options, where targets are given',
      { targets: [orders] },
      { scope: 'a', resource: orders, audience: 'c' },
      {},
    ],
  ])('comes from %s', async (_, options, ofClient, ofFetch) => {
    vi.stubEnv('SERVICE_AUTH_RESOURCE', orders);
    vi.stubEnv('SERVICE_AUTH_TOKEN_AUDIENCE', 'c');
    const { targets: __, ...client }: Record<string, unknown> = { targets: undefined, ...options };
    expect(await asks(() => createTokenClient(client))).toEqual(ofClient);
    expect(await asks(() => createAuthedFetch(options).tokens)).toEqual(ofFetch);
  });
});

describe('what is taken from the runtime', () => {
  it('is the clock, and chance', async () => {
    stubFetch();
    const { now, advance } = createClock();
    vi.spyOn(Date, 'now').mockImplementation(now);
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const call = createAuthedFetch();
    await call(url);
    advance(1000);
    expect(call.explain(url).token).toEqual({
      ageMs: 1000,
      obtainedAt: now() - 1000,
      // Sixty seconds ahead, and a tenth less by chance.
      refreshAt: now() - 1000 + 600_000 - 54_000,
      expiresAt: now() - 1000 + 600_000,
      scope: 'a',
      tokenType: 'Bearer',
    });
  });

  it('is the fetch of the moment', async () => {
    const call = createAuthedFetch();
    const { asked, network } = stubFetch();
    expect(await textOf(call(url, { method: 'POST', body: 'x' }))).toBe('Bearer token-1');
    expect(network.to('/orders')[0]?.method).toBe('POST');
    const later = stubFetch();
    expect(await textOf(call(url))).toBe('Bearer token-1');
    expect([asked().length, later.network.sent.length]).toEqual([1, 1]);
  });
});
