import { describe, expect, it } from 'vitest';
import { createTestIssuer, type EndpointFault, type TestIssuer } from '../../../adapters/testing.ts';
import {
  createTokenClient,
  createVerifier,
  type ServiceAuthEvent,
  type TokenClient,
} from '../../../src/index.ts';
import { rejection } from '../outbound/support.ts';

const wanted = { clientId: 'billing', scope: 'orders:read' } as const;
const place = 'https://service.test/orders';

function clientOf(issuer: TestIssuer, more: object = {}): TokenClient {
  return createTokenClient(issuer.clientOptions({ ...wanted, ...more }));
}

describe('the next requests', () => {
  it('are answered 429 with Retry-After', async () => {
    const issuer = createTestIssuer();
    const client = clientOf(issuer);
    const fault = issuer.fail('token', { status: 429, retryAfterSeconds: 30 }, 2);
    expect(await rejection(client.getToken())).toMatchObject({ status: 429, retryAfterMs: 30_000 });
    expect(await rejection(client.getToken())).toMatchObject({ status: 429 });
    expect(issuer.requests.token).toHaveLength(1);
    issuer.advance({ seconds: 31 });
    expect(await rejection(client.getToken())).toMatchObject({ status: 429 });
    issuer.advance({ seconds: 31 });
    expect((await client.getToken()).accessToken).not.toBe('');
    expect(issuer.requests.token.map(({ status, fault: name }) => [status, name])).toEqual([
      [429, '429'],
      [429, '429'],
      [200, undefined],
    ]);
    expect(fault.hits).toBe(2);
  });

  it.each<[string, EndpointFault, object]>([
    ['connection_error', 'connection_error', { code: 'network_failed' }],
    ['malformed', 'malformed', { code: 'token_response_invalid' }],
    ['server_error', 'server_error', { status: 500 }],
    ['an OAuth error', { status: 400, error: 'invalid_scope' }, { oauthError: 'invalid_scope' }],
    ['a body', { status: 200, body: { access_token: 'x' } }, { code: 'token_response_invalid' }],
    ['a text', { status: 502, body: 'bad gateway' }, { status: 502 }],
    ['a function', () => new Response(null, { status: 503 }), { status: 503 }],
  ])('fail: %s', async (_name, fault, error) => {
    const issuer = createTestIssuer();
    issuer.fail('token', fault);
    expect(await rejection(clientOf(issuer).getToken())).toMatchObject(error);
    issuer.recover();
    expect(await clientOf(issuer).getToken()).toMatchObject({ tokenType: 'Bearer' });
  });

  it('take their faults in order, each at its own endpoint', async () => {
    const issuer = createTestIssuer();
    issuer.fail('token', { status: 500 });
    issuer.fail('token', { status: 503 });
    issuer.fail('jwks', { status: 502 });
    const statusOf = async (path: string): Promise<number> =>
      (await issuer.fetch(`${issuer.issuer}/${path}`, { method: path === 'jwks' ? 'GET' : 'POST' })).status;
    expect([await statusOf('token'), await statusOf('token'), await statusOf('token')]).toEqual([
      500, 503, 400,
    ]);
    expect([await statusOf('jwks'), await statusOf('jwks')]).toEqual([502, 200]);
  });
});

describe('a request that hangs', () => {
  it('is answered by the issuer once the fault has ended, and all who wait get that one token', async () => {
    const issuer = createTestIssuer();
    const client = clientOf(issuer);
    const hanging = issuer.fail('token', 'hang');
    const calls = Promise.all([client.getToken(), client.getToken(), client.getToken()]);
    await hanging.hit;
    expect(issuer.requests.token).toMatchObject([{ clientId: 'billing', fault: 'hang' }]);
    expect(issuer.requests.token[0]?.status).toBeUndefined();
    hanging.end();
    const tokens = await calls;
    expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(1);
    expect(issuer.requests.token).toMatchObject([{ status: 200 }]);
  });

  it('ends with the deadline of the client', async () => {
    const issuer = createTestIssuer();
    issuer.fail('token', 'hang');
    expect(await rejection(clientOf(issuer, { timeoutMs: 5 }).getToken())).toMatchObject({ code: 'timeout' });
  });

  it('may be late instead', async () => {
    const issuer = createTestIssuer();
    issuer.fail('token', { delayMs: 1 });
    expect(await clientOf(issuer).getToken()).toMatchObject({ tokenType: 'Bearer' });
    expect(issuer.requests.token).toMatchObject([{ fault: 'delay', status: 200 }]);
  });
});

describe('an outage', () => {
  it('leaves known keys in use, and others undecided', async () => {
    const issuer = createTestIssuer();
    const [warm, cold] = [createVerifier(issuer.verifierOptions()), createVerifier(issuer.verifierOptions())];
    await warm.ready();
    const { end } = issuer.outage();
    const request = (await issuer.mint()).request(place);
    expect(await warm.authenticate(request)).toMatchObject({ ok: true });
    expect(await cold.authenticate(request)).toMatchObject({ ok: false, rejection: { status: 503 } });
    end();
    issuer.advance({ minutes: 1 });
    expect(await cold.authenticate(request)).toMatchObject({ ok: true });
  });

  it('may be that of one endpoint, for as long as a block lasts', async () => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions());
    const outage = issuer.outage('jwks');
    await expect(verifier.ready()).rejects.toThrow();
    expect(issuer.requests.metadata).toMatchObject([{ status: 200 }]);
    expect(issuer.requests.jwks).toMatchObject([{ status: undefined, fault: 'connection_error' }]);
    outage[Symbol.dispose]();
    issuer.advance({ minutes: 1 });
    await verifier.ready();
    expect(issuer.requests.jwks).toHaveLength(2);
  });

  it('ends with the test issuer', async () => {
    const issuer = createTestIssuer();
    const hanging = issuer.fail('token', 'hang');
    const asked = clientOf(issuer).getToken();
    await hanging.hit;
    await issuer.close();
    expect(await rejection(asked)).toMatchObject({ status: 503 });
    await createTestIssuer()[Symbol.asyncDispose]();
  });
});

describe('DPoP nonces', () => {
  it('are asked for by script', async () => {
    const issuer = createTestIssuer();
    const client = clientOf(issuer, { dpop: true });
    issuer.fail('token', 'use_dpop_nonce');
    expect(await client.getToken()).toMatchObject({ tokenType: 'DPoP' });
    expect(issuer.requests.token.map(({ status, error, dpop }) => [status, error, dpop?.nonce])).toEqual([
      [400, 'use_dpop_nonce', undefined],
      [200, undefined, 'nonce-1'],
    ]);
  });

  it('are those of the issuer, and end with time', async () => {
    const issuer = createTestIssuer({ dpopNonce: true });
    const client = clientOf(issuer, { dpop: true });
    const statuses = async (): Promise<unknown[]> => {
      issuer.requests.clear();
      await client.getToken({ forceRefresh: true });
      return issuer.requests.token.map(({ status }) => status);
    };
    expect(await statuses()).toEqual([400, 200]);
    expect(await statuses()).toEqual([200]);
    issuer.advance({ minutes: 15 });
    expect(await statuses()).toEqual([400, 200]);
  });
});

describe('keys', () => {
  it('roll over without a refusal', async () => {
    const issuer = createTestIssuer();
    const events: ServiceAuthEvent[] = [];
    const verifier = createVerifier(issuer.verifierOptions({ onEvent: (event) => events.push(event) }));
    const before = (await issuer.mint()).request(place);
    expect(await verifier.authenticate(before)).toMatchObject({ ok: true });
    const key = await issuer.rotateKeys({ immediately: true });
    const after = await issuer.mint();
    expect(JSON.parse(atob(after.accessToken.split('.', 1)[0] ?? ''))).toMatchObject({ kid: key?.kid });
    expect(await verifier.authenticate(after.request(place))).toMatchObject({ ok: true });
    expect(await verifier.authenticate(before)).toMatchObject({ ok: true });
    expect(events.filter(({ type }) => type === 'keys.unknown_kid')).toHaveLength(1);
  });

  it('are published before they sign', async () => {
    const issuer = createTestIssuer();
    await issuer.mint();
    const key = await issuer.rotateKeys();
    const kidOf = async (): Promise<unknown> =>
      JSON.parse(atob((await issuer.mint()).accessToken.split('.', 1)[0] ?? '')).kid;
    expect(await kidOf()).not.toBe(key?.kid);
    issuer.advance({ minutes: 5 });
    expect(await kidOf()).toBe(key?.kid);
  });
});

it.each<[Parameters<TestIssuer['fail']>, string]>([
  [['tokens' as 'token', 'hang'], "endpoint must be one of 'metadata', 'jwks', 'token'"],
  [['token', 'slow' as 'hang'], "fault must be one of 'connection_error', 'hang', 'malformed'"],
  [['token', { status: 99 }], 'fault.status must be a number of HTTP status from 200 to 599; got 99'],
  [
    ['token', { status: 429, retryAfter: 1 } as never],
    'unknown option retryAfter in fault; did you mean retryAfterSeconds?',
  ],
  [['token', 'hang', 0], 'times must be a whole number from 1, or Infinity; got 0'],
  [['token', { delayMs: -1 }], 'fault.delayMs must be a number of milliseconds'],
])('mistakes are named: %j', (args, message) => {
  expect(() => createTestIssuer().fail(...args)).toThrow(`TestIssuer.fail: ${message}`);
});
