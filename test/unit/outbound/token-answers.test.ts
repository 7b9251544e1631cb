/** What operators read of the answers of a token endpoint, to the letter, and which ones are just good enough. */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { ServiceAuthEvent } from '../../../src/events.ts';
import { createAuthedFetch } from '../../../src/outbound/authed-fetch.ts';
import { createTokenClient, type TokenClient } from '../../../src/outbound/token-client.ts';
import type { TokenClientOptions } from '../../../src/outbound/token-client-options.ts';
import { createNetwork, type Reply, refusal, tokenAnswer } from './in-process.ts';
import { createClock, rejection } from './support.ts';

const endpoint = 'https://idp.example/token';

function createBench(reply: Reply, options: Partial<TokenClientOptions> = {}) {
  const clock = createClock();
  const { fetch, sent } = createNetwork({ '/token': reply });
  const events: ServiceAuthEvent[] = [];
  const tokens = createTokenClient({
    tokenEndpoint: `${endpoint}?tenant=1`,
    clientId: 'billing',
    clientSecret: 's',
    now: clock.now,
    random: () => 0,
    onEvent: (event) => events.push(event),
    ...options,
    fetch,
  });
  return { tokens, clock, events, sent };
}

const good = { access_token: 'abc', token_type: 'Bearer', expires_in: 60 };
const answering =
  (body: unknown): Reply =>
  () =>
    typeof body === 'string' ? new Response(body) : Response.json(body);
const getToken = (tokens: TokenClient) => tokens.getToken();
const exchange = (tokens: TokenClient) => tokens.exchange({ subjectToken: 'alice' });

const failure = (code: string, message: string, details: object = {}): unknown =>
  expect.objectContaining({ name: 'ServiceAuthError', code, message: `${endpoint} ${message}`, ...details });

describe('an answer that gives no usable token', () => {
  const noToken = 'no access_token of visible ASCII characters';
  const noLifetime = 'an expires_in that is not a positive number of seconds';

  it.each<[unknown, string]>([
    ['', 'something else than a JSON object'],
    ['[]', 'something else than a JSON object'],
    [{}, noToken],
    [{ ...good, access_token: 7 }, noToken],
    [{ ...good, access_token: '' }, noToken],
    [{ ...good, access_token: 'a b' }, noToken],
    [{ ...good, access_token: 'a\u007f' }, noToken],
    [{ ...good, access_token: 'é' }, noToken],
    [{ ...good, issued_token_type: 'jwt' }, 'an issued_token_type that is no access token'],
    [{ ...good, token_type: 'mac' }, 'a token_type that is not Bearer'],
    [{ ...good, token_type: 'DPoP' }, 'a token_type that is not Bearer'],
    [{ ...good, token_type: 7 }, 'a token_type that is not Bearer'],
    [{ ...good, expires_in: 0 }, noLifetime],
    [{ ...good, expires_in: '0' }, noLifetime],
    [{ ...good, expires_in: '12345678901' }, noLifetime],
    [{ ...good, expires_in: ' 1' }, noLifetime],
    [{ ...good, expires_in: '1 ' }, noLifetime],
    [{ ...good, expires_in: '' }, noLifetime],
    [{ ...good, expires_in: true }, noLifetime],
    [{ ...good, expires_in: [5] }, noLifetime],
    ['{"access_token":"a","token_type":"Bearer","expires_in":1e400}', noLifetime],
    [{ ...good, scope: 7 }, 'a scope that is not a string'],
  ])('%j', async (body, what) => {
    const { tokens } = createBench(answering(body));
    const expected = failure('token_response_invalid', `answered with ${what}`, { status: 200 });
    expect(await rejection(tokens.getToken())).toEqual(expected);
  });

  it('to a proof may be DPoP as well', async () => {
    const { tokens } = createBench(answering({ ...good, token_type: 'mac' }), { dpop: true });
    const message = 'answered with a token_type that is not Bearer or DPoP';
    expect(await rejection(tokens.getToken())).toEqual(failure('token_response_invalid', message));
    const bound = createBench(answering({ ...good, token_type: 'dPoP' }), { dpop: true });
    expect(await bound.tokens.getToken()).toMatchObject({ tokenType: 'DPoP', authorization: 'DPoP abc' });
  });

  it('loses what the exchanged token was bound to', async () => {
    const { tokens } = createBench(answering(good));
    const subjectToken = { token: 'alice', confirmation: { jkt: 'x' } };
    expect(await rejection(tokens.exchange({ subjectToken }))).toEqual(
      failure('binding_lost', 'bound the token to no key'),
    );
    const bound = createBench(answering({ ...good, token_type: 'DPoP' }));
    expect(await bound.tokens.exchange({ subjectToken })).toMatchObject({ tokenType: 'DPoP' });
  });

  it.each([
    [59_999, true],
    [60_000, false],
  ])('in time: after %i ms of sixty seconds %s', async (ms, inTime) => {
    const bench = createBench(() => {
      bench.clock.advance(ms);
      return Response.json(good);
    });
    const outcome = bench.tokens.getToken();
    if (inTime) expect(await outcome).toMatchObject({ accessToken: 'abc' });
    else {
      const message = 'answered with a token that expired on its way';
      expect(await rejection(outcome)).toEqual(failure('token_response_invalid', message, { status: 200 }));
    }
  });
});

describe('an answer that is good enough', () => {
  it.each<[object, object, number]>([
    [{ access_token: '!~' }, { accessToken: '!~' }, 60],
    [{ issued_token_type: 'urn:ietf:params:oauth:token-type:jwt' }, {}, 60],
    [{ issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' }, {}, 60],
    [{ expires_in: 0.001 }, {}, 0.001],
    [{ expires_in: '0000000005' }, {}, 5],
    [{ expires_in: 31_536_000 }, {}, 31_536_000],
    [{ expires_in: 31_536_001 }, {}, 31_536_000],
    [{ expires_in: '9999999999' }, {}, 31_536_000],
    [{ expires_in: undefined }, {}, 300],
    [{ scope: null }, { scope: undefined }, 60],
    [{ scope: 'x' }, { scope: 'x' }, 60],
  ])('%j', async (members, expected, seconds) => {
    const { tokens, clock } = createBench(answering({ ...good, ...members }));
    const expiresAt = clock.now() + seconds * 1000;
    expect(await tokens.getToken()).toMatchObject({ tokenType: 'Bearer', ...expected, expiresAt });
  });

  it('shows all but the token, even where inspection calls getters', async () => {
    const { tokens, clock } = createBench(answering(good));
    const token = await tokens.getToken({ scope: 'a' });
    const shown = { tokenType: 'Bearer', expiresAt: clock.now() + 60_000, scope: 'a' };
    expect(inspect(token, { getters: true })).toBe(inspect(shown));
    expect({ ...token }).toEqual(shown);
  });
});

describe('a refusal', () => {
  it.each([
    [
      'invalid_client',
      '; check clientId, the secret, and which client authentication the server expects (clientAuth: clientSecretPost)',
    ],
    [
      'invalid_request',
      '; the server may want scope, resource, audience (Auth0) or another parameter, or the secret in the body (clientSecretPost)',
    ],
    ['access_denied', '; the client may not have tokens for this audience: authorise it at the server'],
    [
      'unauthorized_client',
      '; the client is not registered for this grant (client_credentials, or an exchange), or, at Keycloak, the secret is wrong',
    ],
    ['unsupported_grant_type', '; the server does not offer this grant (client_credentials, or an exchange)'],
    [
      'invalid_grant',
      '; the token that was to be exchanged, or the assertion of the client, is not valid there',
    ],
    [
      'invalid_scope',
      '; check scope against what the client is registered for, and what an exchanged token carries',
    ],
    ['invalid_target', '; check resource against what the server knows'],
    ['invalid_dpop_proof', '; the server may see another URL than tokenEndpoint, or not take the algorithm'],
    ['vendor !#[]~ error', ''],
    ['x'.repeat(100), ''],
  ])('%s', async (error, hint) => {
    for (const ask of [getToken, exchange]) {
      const { tokens } = createBench(() => refusal(error, 400, { 'retry-after': '7' }));
      expect(await rejection(ask(tokens))).toEqual(
        failure('token_request_rejected', `refused the token request: ${error} (HTTP 400)${hint}`, {
          status: 400,
          oauthError: error,
          retryAfterMs: 7000,
        }),
      );
    }
  });

  it.each<[unknown, number, string, string?]>([
    [undefined, 400, 'HTTP 400'],
    ['"code', 400, 'HTTP 400'],
    ['code"', 400, 'HTTP 400'],
    ['\\', 400, 'HTTP 400'],
    ['\u001f', 400, 'HTTP 400'],
    ['\u007f', 400, 'HTTP 400'],
    ['', 400, 'HTTP 400'],
    ['x'.repeat(101), 400, 'HTTP 400'],
    [7, 400, 'HTTP 400'],
    ['invalid_client', 201, 'invalid_client (HTTP 201)', 'invalid_client'],
    ['slow_down', 429, 'slow_down (HTTP 429)', 'slow_down'],
    ['server_error', 500, 'server_error (HTTP 500)', 'server_error'],
  ])(
    'of error %j with status %i is no word of the server on this client',
    async (error, status, said, oauthError) => {
      const { tokens } = createBench(() => Response.json({ error }, { status }));
      expect(await rejection(tokens.getToken())).toEqual(
        failure('unexpected_status', `answered ${said}`, { status, oauthError, retryAfterMs: undefined }),
      );
    },
  );

  it('without JSON is one of its status alone', async () => {
    const { tokens } = createBench(() => new Response('no', { status: 499 }));
    expect(await rejection(tokens.getToken())).toEqual(
      failure('unexpected_status', 'answered HTTP 499', { status: 499, oauthError: undefined }),
    );
    const last = createBench(() => refusal('odd', 499));
    expect(await rejection(last.tokens.getToken())).toMatchObject({ code: 'token_request_rejected' });
  });
});

describe('what listeners hear of a request', () => {
  const heard = (event: object): object => ({
    type: 'token.requested',
    clientId: 'billing',
    tokenEndpoint: endpoint,
    grantType: 'client_credentials',
    durationMs: 7,
    code: undefined,
    status: undefined,
    oauthError: undefined,
    ...event,
  });

  it.each<[string, Reply, object]>([
    ['a token', () => tokenAnswer('t'), {}],
    [
      'a refusal',
      () => refusal('invalid_scope'),
      { code: 'token_request_rejected', status: 400, oauthError: 'invalid_scope' },
    ],
    ['an unusable token', answering({}), { code: 'token_response_invalid', status: 200 }],
    ['a failure', () => new Response(null, { status: 503 }), { code: 'unexpected_status', status: 503 }],
    ['no connection', () => Promise.reject(new Error('gone')), { code: 'network_failed' }],
    [
      'something that throws when it is looked at',
      () => {
        const get = (name: string): string | null => {
          if (name === 'date') throw new Error('no dates here');
          return null;
        };
        return Object.defineProperty(tokenAnswer('t'), 'headers', { value: { get } });
      },
      { code: 'network_failed' },
    ],
  ])('that gave %s', async (_, reply, expected) => {
    const bench = createBench((...asked) => {
      bench.clock.advance(7);
      return reply(...asked);
    });
    await bench.tokens.getToken().catch(() => {});
    const [event] = bench.events;
    expect(event).toEqual({ at: expect.any(Number), ...heard(expected) });
  });

  it('that exchanges', async () => {
    const { tokens, events } = createBench(() => tokenAnswer('t'));
    await exchange(tokens);
    const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
    expect(events[0]).toMatchObject(heard({ grantType, durationMs: 0 }));
  });

  it('is not needed', async () => {
    const { tokens } = createBench(() => tokenAnswer('t'), { onEvent: undefined });
    expect(await tokens.getToken()).toMatchObject({ accessToken: 't' });
  });
});

it.each<[string, () => unknown]>([
  ['nobody was named', () => undefined],
  ['nobody was named', () => Promise.resolve(undefined)],
  ['RangeError', () => Promise.reject(new RangeError('secret'))],
  ['its function failed', () => Promise.reject('secret')],
])('on behalf of nobody: %s', async (reason, onBehalfOf) => {
  const { fetch, sent } = createNetwork({});
  const call = createAuthedFetch({
    tokenEndpoint: endpoint,
    clientId: 'a',
    clientSecret: 's',
    targets: [{ origin: 'https://orders.internal', onBehalfOf: onBehalfOf as () => string }],
    fetch,
  });
  const what = "the target is called on somebody's behalf, and it is not known whose";
  expect(await rejection(call('https://orders.internal/x'))).toMatchObject({
    code: 'subject_missing',
    message: `${what} (${reason}); nothing was sent`,
  });
  expect(sent).toEqual([]);
});
