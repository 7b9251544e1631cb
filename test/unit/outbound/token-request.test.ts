import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type AccessToken, ReceivedToken } from '../../../src/outbound/access-token.ts';
import { requestToken, type TokenRequest } from '../../../src/outbound/token-request.ts';
import { authenticateClient, type ClientAuth, clientSecretPost } from '../../../src/shared/client-auth.ts';
import vectors from '../../vectors/rfc6749-client.json' with { type: 'json' };
import { createClock, rejection, secretCanary, sendJson, startTokenServer, tokenCanary } from './support.ts';

const good = { access_token: 'abc', token_type: 'Bearer', expires_in: 60 };
const clock = createClock();

interface Asked {
  readonly clientAuth?: ClientAuth;
  readonly timeoutMs?: number;
  readonly expected?: Partial<TokenRequest>;
}

async function request(body: unknown, status = 200, headers: Record<string, string> = {}, asked: Asked = {}) {
  const server = await startTokenServer();
  server.next.push((_, response) => {
    if (typeof body === 'string') response.writeHead(status, headers).end(body);
    else sendJson(response, body, status, headers);
  });
  return { server, token: ask(server.tokenEndpoint, asked) };
}

/** What a token client does for one attempt. */
async function ask(
  endpoint: string,
  { clientAuth = clientSecretPost(secretCanary), timeoutMs = 5000, expected }: Asked,
): Promise<AccessToken> {
  const form = new URLSearchParams([
    ['grant_type', 'client_credentials'],
    ['scope', 'a b'],
    ['resource', 'https://one.example'],
    ['resource', 'https://two.example'],
  ]);
  const headers = {};
  const { now } = clock;
  const unauthenticated = {
    issuer: undefined,
    endpoint,
    clientId: 'billing',
    form,
    headers,
    refusals: 0,
    now,
  };
  await authenticateClient(clientAuth, unauthenticated, timeoutMs);
  const answer = await requestToken({
    tokenEndpoint: endpoint,
    form,
    headers,
    scope: 'a b',
    dpop: false,
    keepsBinding: false,
    fetch: (url, init) => fetch(url, init),
    now,
    timeoutMs,
    defaultLifetimeSeconds: 300,
    signal: new AbortController().signal,
    onAnswer: () => {},
    ...expected,
  });
  if ('refusal' in answer) throw answer.refusal;
  return new ReceivedToken(answer.token);
}

describe('the token request (RFC 6749 section 4.4.2)', () => {
  it('is a form with every parameter, resources repeated', async () => {
    const { server, token } = await request(good);
    await token;
    expect(server.received).toHaveLength(1);
    const [received] = server.received;
    expect(received).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    });
    expect([...new URLSearchParams(received?.body)]).toEqual([
      ['grant_type', 'client_credentials'],
      ['scope', 'a b'],
      ['resource', 'https://one.example'],
      ['resource', 'https://two.example'],
      ['client_id', 'billing'],
      ['client_secret', secretCanary],
    ]);
  });

  it('lets no client authentication change the content type', async () => {
    const { server, token } = await request(
      good,
      200,
      {},
      {
        clientAuth: ({ headers }) => {
          headers['content-type'] = 'text/plain';
          headers['x-extra'] = 'yes';
        },
      },
    );
    await token;
    expect(server.received[0]?.headers).toMatchObject({
      'content-type': 'application/x-www-form-urlencoded',
      'x-extra': 'yes',
    });
  });
});

describe('the token response (RFC 6749 section 5.1)', () => {
  it.each([
    ['the plain case', good, { accessToken: 'abc', tokenType: 'Bearer', scope: 'a b' }, 60],
    ['any case of bearer', { ...good, token_type: 'bEARER' }, { tokenType: 'Bearer' }, 60],
    ['unknown members', { ...good, refresh_token: 'r', x: { y: 1 } }, { accessToken: 'abc' }, 60],
    ['a narrower scope', { ...good, scope: 'a' }, { scope: 'a' }, 60],
    ['an empty scope', { ...good, scope: '' }, { scope: '' }, 60],
    ['no expires_in', { access_token: 'abc', token_type: 'Bearer' }, {}, 300],
    ['expires_in as digits', { ...good, expires_in: '3599' }, {}, 3599],
    ['a fraction', { ...good, expires_in: 1.5 }, {}, 1.5],
    ['a century', { ...good, expires_in: 3_153_600_000 }, {}, 31_536_000],
    [
      'every b64token character',
      { ...good, access_token: 'aZ09-._~+/==' },
      { accessToken: 'aZ09-._~+/==' },
      60,
    ],
  ])('takes %s', async (_, body, expected, lifetimeSeconds) => {
    const token = await (await request(body)).token;
    expect(token).toMatchObject({ ...expected, expiresAt: clock.now() + lifetimeSeconds * 1000 });
  });

  it.each([
    ['a list', [good]],
    ['no access_token', { ...good, access_token: undefined }],
    ['an empty access_token', { ...good, access_token: '' }],
    ['an access_token that is a number', { ...good, access_token: 7 }],
    ['a space in the token', { ...good, access_token: `${tokenCanary} x` }],
    ['a line break in the token', { ...good, access_token: `${tokenCanary}\r\nx-evil: 1` }],
    ['a token beyond ASCII', { ...good, access_token: `${tokenCanary}é` }],
    ['no token_type', { ...good, token_type: undefined }],
    ['another token_type', { ...good, token_type: 'DPoP' }],
    [
      'the placeholder of RFC 6749 section 4.4.3',
      vectors.cases.find(({ id }) => id === 'rfc6749-4.4.3')?.response?.body,
    ],
    ['expires_in 0', { ...good, expires_in: 0 }],
    ['a negative expires_in', { ...good, expires_in: -1 }],
    ['expires_in null', { ...good, expires_in: null }],
    ['expires_in true', { ...good, expires_in: true }],
    ['expires_in as words', { ...good, expires_in: 'an hour' }],
    ['expires_in as 1e3', { ...good, expires_in: '1e3' }],
    ['scope as a list', { ...good, scope: ['a'] }],
  ])('refuses %s', async (_, body) => {
    const error = await rejection((await request(body)).token);
    expect(error).toMatchObject({ code: 'token_response_invalid', status: 200 });
    expect(inspect(error)).not.toContain(tokenCanary);
  });

  it.each([
    [
      'an expires_in beyond what numbers can say',
      '{"access_token":"a","token_type":"Bearer","expires_in":1e400}',
    ],
    ['text that is no JSON', `access_token=${tokenCanary}&token_type=bearer`],
    ['nothing', ''],
  ])('refuses %s', async (_, body) => {
    const error = await rejection((await request(body)).token);
    expect(error).toMatchObject({ code: 'token_response_invalid' });
    expect(inspect(error)).not.toContain(tokenCanary);
  });

  it('ignores what a polluted prototype says', async () => {
    const prototype = Object.prototype as { access_token?: string };
    prototype.access_token = 'polluted';
    try {
      const { token } = await request({ token_type: 'Bearer' });
      expect(await rejection(token)).toMatchObject({ code: 'token_response_invalid' });
    } finally {
      delete prototype.access_token;
    }
  });

  it('counts the lifetime from the question, and refuses a token that did not outlive its way', async () => {
    const slow = createClock();
    const { token } = await request(
      { ...good, expires_in: 5 },
      200,
      {},
      {
        expected: {
          now: slow.now,
          fetch: async (url, init) => {
            const response = await fetch(url, init);
            slow.advance(6000);
            return response;
          },
        },
      },
    );
    expect(await rejection(token)).toMatchObject({ code: 'token_response_invalid' });
  });
});

describe('errors of the token endpoint (RFC 6749 section 5.2)', () => {
  it.each([
    ['invalid_client', 401, 'check clientId'],
    ['unauthorized_client', 400, 'client_credentials'],
    ['unsupported_grant_type', 400, 'client_credentials'],
    ['invalid_scope', 400, 'check scope'],
    ['invalid_target', 400, 'check resource'],
    ['invalid_request', 400, 'invalid_request (HTTP 400)'],
    ['vendor:special error', 403, 'vendor:special error'],
  ])('reports %s with status and a hint', async (code, status, hint) => {
    const body = { error: code, error_description: `you sent ${secretCanary}`, error_uri: secretCanary };
    const error = await rejection((await request(body, status, { 'retry-after': '7' })).token);
    expect(error).toMatchObject({
      code: 'token_request_rejected',
      status,
      oauthError: code,
      retryAfterMs: 7000,
    });
    expect(String(error)).toContain(hint);
    expect(error).not.toHaveProperty('cause');
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(secretCanary);
  });

  it.each([
    ['no error code', {}, 400],
    ['a quote in it', { error: 'bad"code' }, 400],
    ['a line break in it', { error: 'bad\ncode' }, 400],
    ['an overlong code', { error: 'x'.repeat(101) }, 400],
    ['a code that is no string', { error: { code: 1 } }, 400],
    ['a success without token', { error: 'invalid_client' }, 204],
    ['a server error', { message: 'boom' }, 500],
  ])('reports the status alone for %s', async (_, body, status) => {
    const error = await rejection((await request(status === 204 ? undefined : body, status)).token);
    expect(error).toMatchObject({ code: 'unexpected_status', status, oauthError: undefined });
  });

  it.each([
    [429, 'slow_down'],
    [503, 'temporarily_unavailable'],
  ])('reports %i as a matter of time, with Retry-After', async (status, code) => {
    const { token } = await request({ error: code }, status, { 'retry-after': '30' });
    expect(await rejection(token)).toMatchObject({
      code: 'unexpected_status',
      status,
      oauthError: code,
      retryAfterMs: 30_000,
    });
  });

  it('follows no redirect with the secret', async () => {
    const { server, token } = await request({}, 307, { location: '/elsewhere' });
    expect(await rejection(token)).toMatchObject({ code: 'redirect_refused', status: 307 });
    expect(server.received).toHaveLength(1);
  });
});

describe('client authentication that fails', () => {
  it('does not send the request, and shows no foreign message', async () => {
    const { server, token } = await request(
      good,
      200,
      {},
      {
        clientAuth: () => {
          throw new Error(`no ${secretCanary}`);
        },
      },
    );
    const error = await rejection(token);
    expect(error).toMatchObject({ code: 'client_auth_failed' });
    expect(inspect(error)).not.toContain(secretCanary);
    expect(server.received).toHaveLength(0);
  });

  it('ends at the deadline if it never answers', async () => {
    const { token } = await request(
      good,
      200,
      {},
      {
        clientAuth: () => new Promise<void>(() => {}),
        timeoutMs: 20,
      },
    );
    expect(await rejection(token)).toMatchObject({ code: 'timeout' });
  });
});
