import { createAuthedFetch, createTokenClient } from 'service-auth';
import { createClock } from '../support/clock.mjs';
import { equal, eventually, rejects } from '../support/expect.mjs';
import { answerOf, connect, equalCount, outage, reaching } from '../support/network.mjs';
import { audience } from '../support/tokens.mjs';

const ORDERS = `${audience}/orders`;
const bearerOf = (request) => request.headers.get('authorization') ?? 'none';

/** Answers with what proves who calls. */
const echo = (request) => new Response(bearerOf(request));

async function setUp(host, handler = echo, more = {}) {
  const network = connect(host);
  const clock = createClock();
  const client = await network.register();
  const authedFetch = createAuthedFetch(reaching({ ...client, now: clock.now }, handler, more));
  return { network, clock, authedFetch, client };
}

async function checkCached(host) {
  const { network, authedFetch } = await setUp(host);
  const [first, second] = [await answerOf(authedFetch(ORDERS)), await answerOf(authedFetch(new URL(ORDERS)))];
  equal(/^200 Bearer ey/.test(first), true, 'that a token came');
  equal(second === first, true, 'that the token is kept');
  equalCount(network, '/token', 1);
}

async function checkTogether(host) {
  const { authedFetch } = await setUp(host);
  const answers = await Promise.all(Array.from({ length: 100 }, () => answerOf(authedFetch(ORDERS))));
  equal(
    answers.every((answer) => answer.startsWith('200 Bearer ey')),
    true,
    'that every call succeeded',
  );
}

async function checkOnce(host) {
  const { network, authedFetch } = await setUp(host);
  await Promise.all(Array.from({ length: 100 }, () => answerOf(authedFetch(ORDERS))));
  equalCount(network, '/token', 1);
}

async function checkRefresh(host) {
  const { network, clock, authedFetch } = await setUp(host);
  const first = await answerOf(authedFetch(ORDERS));
  clock.advance(870);
  equal((await answerOf(authedFetch(ORDERS))) === first, true, 'that the old token serves meanwhile');
  const { tokens, explain } = authedFetch;
  await eventually(() => explain(ORDERS).token?.obtainedAt === clock.now(), 'the token in the background');
  equal((await answerOf(authedFetch(ORDERS))) === first, false, 'that the old token is sent');
  equalCount(network, '/token', 2);
  equal(typeof (await tokens.getToken()).accessToken, 'string');
}

async function checkExpired(host) {
  const { network, clock, authedFetch } = await setUp(host);
  const first = await answerOf(authedFetch(ORDERS));
  network.failWith(outage);
  clock.advance(895);
  equal((await answerOf(authedFetch(ORDERS))) === first, true, 'that a token in its last seconds serves');
  clock.advance(10);
  await rejects(authedFetch(ORDERS), 'network_failed');
  network.failWith(undefined);
  clock.advance(60);
  equal((await answerOf(authedFetch(ORDERS))).startsWith('200 Bearer'), true, 'that it recovers');
}

/** A service that refuses the first token, as after a change of keys. */
async function checkRetry(host) {
  const seen = [];
  const handler = async (request) => {
    seen.push(`${bearerOf(request)} ${await request.text()}`);
    if (seen.length > 1) return new Response('accepted');
    return new Response('no', {
      status: 401,
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    });
  };
  const { network, authedFetch } = await setUp(host, handler);
  const init = { method: 'POST', body: 'an order', headers: { 'content-type': 'text/plain' } };
  equal(await answerOf(authedFetch(ORDERS, init)), '200 accepted');
  equal(seen.length, 2, 'the number of attempts');
  equal(seen[0] === seen[1], false, 'that the same token is sent again');
  equal(seen[1]?.endsWith(' an order'), true, 'that the body is sent again');
  equalCount(network, '/token', 2);
}

async function checkStream(host) {
  const handler = async (request) => {
    await request.text();
    return new Response('no', {
      status: 401,
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    });
  };
  const { authedFetch } = await setUp(host, handler);
  const request = new Request(ORDERS, { method: 'POST', body: 'an order' });
  equal(await answerOf(authedFetch(request)), '401 no');
}

async function checkTargets(host) {
  let sent = 0;
  const count = () => {
    sent++;
    return new Response();
  };
  const { network, authedFetch } = await setUp(host, count);
  await rejects(authedFetch('https://elsewhere.example/'), 'untrusted_target');
  await rejects(authedFetch('https://orders.example.evil.example/'), 'untrusted_target');
  equal(sent, 0, 'the number of calls sent');
  equalCount(network, '/token', 0);
}

/** Some runtimes take such URLs for none, but only where they have compiled the question. */
async function checkLetters(host) {
  const client = await connect(host).register();
  const fetch = (input, init) =>
    new URL(input.url ?? input).hostname.endsWith('bcher-kva.example')
      ? Promise.resolve(new Response())
      : client.fetch(input, init);
  const authedFetch = createAuthedFetch({ ...client, fetch, targets: ['https://bücher.example'] });
  const answers = new Set();
  for (let call = 0; call < 10_000; call++)
    answers.add((await authedFetch('https://bücher.example/')).status);
  equal([...answers], [200], 'the statuses');
}

async function checkRedirects(host) {
  const handler = (request) => {
    const { pathname } = new URL(request.url);
    const redirect = (location) => new Response(null, { status: 307, headers: { location } });
    if (pathname === '/old') return redirect('/orders');
    return pathname === '/away' ? redirect('https://elsewhere.example/') : echo(request);
  };
  const { authedFetch } = await setUp(host, handler);
  equal(
    (await answerOf(authedFetch(`${audience}/old`))).startsWith('200 Bearer'),
    true,
    'that it was followed',
  );
  await rejects(authedFetch(`${audience}/away`), 'redirect_refused');
}

async function checkRefused(host) {
  const network = connect(host);
  const client = await network.register();
  const wrong = createTokenClient({ ...client, clientSecret: 'another secret' });
  const error = await rejects(wrong.getToken(), 'token_request_rejected');
  equal([error.status, error.oauthError], [401, 'invalid_client'], 'the refusal');
  equal(
    `${error.message}${JSON.stringify(error)}`.includes('another secret'),
    false,
    'that the secret is shown',
  );
  const scope = createTokenClient({ ...client, scope: 'orders:delete' });
  equal((await rejects(scope.getToken(), 'token_request_rejected')).oauthError, 'invalid_scope');
}

/** A rotated secret: the source is read again, and the call does not fail. */
async function checkSecretSource(host) {
  const network = connect(host);
  const { clientSecret, ...client } = await network.register();
  const secrets = ['an old secret', clientSecret];
  const tokens = createTokenClient({ ...client, clientSecret: async () => secrets.shift() });
  equal((await tokens.getToken()).tokenType, 'Bearer');
}

async function checkAbort(host) {
  const { network, authedFetch } = await setUp(host);
  network.failWith(() => new Promise(() => {}));
  const ending = new AbortController();
  const call = authedFetch(ORDERS, { signal: ending.signal });
  ending.abort();
  const error = await call.catch((reason) => reason);
  equal(error.name, 'AbortError', 'the name of the error');
}

async function checkTimeout(host) {
  const network = connect(host);
  const client = await network.register();
  const tokens = createTokenClient({ ...client, timeoutMs: 20 });
  network.failWith(() => new Promise(() => {}));
  await rejects(tokens.getToken(), 'timeout');
}

async function checkScopes(host) {
  const network = connect(host);
  const tokens = createTokenClient({ ...(await network.register()), resource: audience });
  const scopes = ['orders:read', 'orders:write', 'orders:read orders:write', ['orders:write', 'orders:read']];
  const given = [];
  for (const scope of scopes) given.push((await tokens.getToken({ scope })).accessToken);
  equal(new Set(given).size, 3, 'the number of tokens');
  equalCount(network, '/token', 3);
}

export const calls = {
  title: 'Calls with tokens',
  checks: {
    'a token is fetched once and kept': checkCached,
    '100 calls at once': checkTogether,
    '100 calls at once lead to one token request': checkOnce,
    'a token is renewed in the background': checkRefresh,
    'an outage: the token serves until it has expired, and no longer': checkExpired,
    '401 invalid_token: a new token, one more attempt': checkRetry,
    'the body of a Request is not sent twice': checkStream,
    'what is no target gets nothing': checkTargets,
    'host names with letters beyond ASCII, however often': checkLetters,
    'redirects: followed within the target, refused away from it': checkRedirects,
    'wrong secret, wrong scope: errors with their code, without the secret': checkRefused,
    'a secret from a function is read again once refused': checkSecretSource,
    'one token for each set of scopes': checkScopes,
    'a call can be aborted': checkAbort,
    'an issuer that never answers: timeout': checkTimeout,
  },
};
