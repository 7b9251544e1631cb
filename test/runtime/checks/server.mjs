/** Over real connections: the runtime's own server and its own fetch, for the issuer, the services and the callers. */
import { Hono } from 'hono';
import { createAuthedFetch, createTokenClient, createVerifier } from 'service-auth';
import { requireServiceAuth } from 'service-auth/hono';
import { withServiceAuth } from 'service-auth/web';
import { equal, matches, rejects } from '../support/expect.mjs';
import { answerOf, connect } from '../support/network.mjs';
import { audience } from '../support/tokens.mjs';

/** An issuer and a service that listen, for as long as a check runs. */
async function withServers(host, makeService, check, registration = {}) {
  const { issuer, clientId, clientSecret } = await connect(host, 'network').register(registration);
  const verifier = createVerifier({ issuer, audience });
  const service = await host.serve(makeService({ verifier, scope: 'orders:read' }));
  const client = { issuer, clientId, clientSecret };
  const targets = [{ origin: new URL(service.url).origin, scope: 'orders:read', resource: audience }];
  try {
    await check({ url: `${service.url}orders`, client, targets });
  } finally {
    await service.close();
  }
}

const webService = (options) =>
  withServiceAuth(
    async (request, caller) => Response.json({ scheme: caller.scheme, sent: await request.text() }),
    options,
  );

function honoService(options) {
  const app = new Hono();
  app.all('*', requireServiceAuth(options), async (c) =>
    c.json({ scheme: c.var.caller.scheme, sent: await c.req.text() }),
  );
  return (request) => app.fetch(request);
}

async function checkCalls(host, makeService, dpop) {
  await withServers(host, makeService, async ({ url, client, targets }) => {
    const scheme = dpop ? 'DPoP' : 'Bearer';
    const authedFetch = createAuthedFetch({ ...client, targets, dpop });
    equal(await (await authedFetch(`${url}?page=2`)).json(), { scheme, sent: '' }, 'the answer');
    const response = await authedFetch(url, { method: 'POST', body: 'an order' });
    equal(await response.json(), { scheme, sent: 'an order' }, 'the answer to POST');
    const none = await fetch(url);
    matches(
      `${none.status} ${none.headers.get('www-authenticate')}`,
      /^401 Bearer/,
      'the answer without a token',
    );
    await none.body?.cancel();
  });
}

/** Clients that many requests share, none of which may wait for a promise of another on Workers. */
async function checkTogether(host) {
  await withServers(host, webService, async ({ url, client, targets }) => {
    const authedFetch = createAuthedFetch({ ...client, targets });
    const gateway = await host.serve(async () => {
      const response = await authedFetch(url);
      return new Response((await response.json()).scheme, { status: response.status });
    });
    try {
      const answers = await Promise.all(Array.from({ length: 50 }, () => answerOf(fetch(gateway.url))));
      equal([...new Set(answers)], ['200 Bearer'], 'the answers');
    } finally {
      await gateway.close();
    }
  });
}

async function checkRedirect(host) {
  const makeService = (options) => {
    const orders = webService(options);
    return (request) => {
      const { pathname } = new URL(request.url);
      const redirect = (location) => new Response(null, { status: 307, headers: { location } });
      if (pathname.endsWith('/old')) return redirect(pathname.slice(0, -'/old'.length));
      return pathname.endsWith('/away') ? redirect('https://elsewhere.example/') : orders(request);
    };
  };
  await withServers(host, makeService, async ({ url, client, targets }) => {
    const authedFetch = createAuthedFetch({ ...client, targets, dpop: true });
    equal(await (await authedFetch(`${url}/old`)).json(), { scheme: 'DPoP', sent: '' }, 'the answer');
    await rejects(authedFetch(`${url}/away`), 'redirect_refused');
  });
}

/** A service that asks the issuer about tokens. */
async function withIntrospection(host, check) {
  const registration = { serves: [audience], resources: [] };
  const { issuer, clientId, clientSecret } = await connect(host, 'network').register(registration);
  const introspection = { clientId, clientSecret };
  const verifier = createVerifier({ issuer: { issuer, introspection }, audience });
  const makeService = () => webService({ verifier });
  await withServers(host, makeService, check, { tokenFormat: 'opaque' });
}

async function checkIntrospection(host) {
  await withIntrospection(host, async ({ url, client, targets }) => {
    const authedFetch = createAuthedFetch({ ...client, targets });
    const call = async () => (await (await authedFetch(url)).json()).scheme;
    equal(await Promise.all([call(), call(), call()]), ['Bearer', 'Bearer', 'Bearer'], 'the answers');
  });
}

async function statusWith(url, token) {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  await response.text();
  return response.status;
}

/** The same token, and then more tokens than the issuer is asked about at once. */
async function checkQuestions(host) {
  await withIntrospection(host, async ({ url, client }) => {
    const tokens = createTokenClient({ ...client, scope: 'orders:read', resource: audience });
    const { accessToken } = await tokens.getToken();
    const same = await Promise.all(Array.from({ length: 50 }, () => statusWith(url, accessToken)));
    equal([...new Set(same)], [200], 'the statuses with one token');
    const made = Array.from({ length: 80 }, (_, at) => statusWith(url, `made-up-${at}`));
    equal([...new Set(await Promise.all(made))], [401], 'the statuses with unknown ones');
  });
}

async function checkSilence(host) {
  let speak;
  const end = new Promise((resolve) => {
    speak = () => resolve(new Response());
  });
  const silent = await host.serve(() => end);
  try {
    const client = { clientId: 'billing', clientSecret: 'a secret', tokenEndpoint: `${silent.url}token` };
    await rejects(createTokenClient({ ...client, timeoutMs: 50 }).getToken(), 'timeout');
  } finally {
    speak();
    await silent.close();
  }
}

async function checkNobody(host) {
  const gone = await host.serve(() => new Response());
  await gone.close();
  const client = { clientId: 'billing', clientSecret: 'a secret', tokenEndpoint: `${gone.url}token` };
  const error = await createTokenClient(client)
    .getToken()
    .catch((reason) => reason);
  matches(error.code, /^(network_failed|unexpected_status)$/, 'the code');
}

export const server = {
  title: "Over the runtime's own server and fetch",
  checks: {
    'web handler: calls with Bearer': (host) => checkCalls(host, webService, false),
    'web handler: calls with DPoP': (host) => checkCalls(host, webService, true),
    'Hono: calls with Bearer': (host) => checkCalls(host, honoService, false),
    'Hono: calls with DPoP': (host) => checkCalls(host, honoService, true),
    '50 requests at once that share their clients': checkTogether,
    introspection: checkIntrospection,
    'introspection: 50 requests with one token, 80 with as many': checkQuestions,
    redirects: checkRedirect,
    'an issuer that never answers: timeout': checkSilence,
    'an issuer that does not listen: an error with its code': checkNobody,
  },
};
