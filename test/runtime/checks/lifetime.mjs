import { createAuthedFetch, createMemoryTokenStore, createTokenClient, createVerifier } from 'service-auth';
import { withServiceAuth } from 'service-auth/web';
import { equal, rejects } from '../support/expect.mjs';
import { judge } from '../support/judge.mjs';
import { answerOf, connect, equalCount, reaching } from '../support/network.mjs';
import { audience, keyOf, mint, trusting } from '../support/tokens.mjs';

const issuer = 'https://at-start.example';
let network;
const fetchLater = (input, init) => network.fetch(input, init);

/** Made while the module is loaded, where Workers allow neither random numbers nor timers nor requests. */
const atStart = {
  verifier: createVerifier({
    issuer,
    audience,
    dpop: { nonce: { secret: 'a secret of 32 bytes or more for nonces' } },
    fetch: fetchLater,
  }),
  authedFetch: createAuthedFetch({
    issuer,
    clientId: 'billing',
    clientSecret: 'a secret',
    dpop: true,
    store: createMemoryTokenStore(),
    storeKey: 'a key of 32 bytes or more for the store',
    targets: [audience],
    fetch: fetchLater,
  }),
};

async function checkAtStart() {
  const seen = [];
  network = {
    async fetch(input, init) {
      const { url } = new Request(input, init);
      seen.push(new URL(url).pathname);
      return new Response('away', { status: 502 });
    },
  };
  const token = await mint(await keyOf('ES256'), { claims: { iss: issuer } });
  equal(await judge(atStart.verifier, token), '503 keys_unavailable');
  await rejects(atStart.authedFetch(`${audience}/orders`), 'unexpected_status');
  equal(seen.includes('/.well-known/oauth-authorization-server'), true, 'that the issuer was asked');
}

async function checkVerifier(host) {
  const own = connect(host);
  const { accessToken } = await createTokenClient({
    ...(await own.register()),
    resource: audience,
  }).getToken();
  const verifier = createVerifier({ issuer: own.issuer, audience, fetch: own.fetch });
  const handler = withServiceAuth(() => new Response('in'), { verifier });
  const call = () =>
    handler(new Request(`${audience}/orders`, { headers: { authorization: `Bearer ${accessToken}` } }));
  equal((await call()).status, 200, 'the status before');
  verifier.close();
  equal((await call()).status, 503, 'the status after');
  equal(verifier.health().cachedTokens, 0, 'the number of cached tokens');
}

async function checkCalls(host) {
  const own = connect(host);
  const authedFetch = createAuthedFetch(reaching(await own.register(), () => new Response('in')));
  equal(await answerOf(authedFetch(`${audience}/orders`)), '200 in');
  authedFetch.close();
  await rejects(authedFetch(`${audience}/orders`), 'closed');
  equalCount(own, '/token', 1);
}

async function checkUnderWay(host) {
  const own = connect(host);
  const tokens = createTokenClient(await own.register());
  own.failWith(() => new Promise(() => {}));
  const waiting = tokens.getToken();
  tokens.close();
  await rejects(waiting, 'closed');
}

async function checkEvents() {
  const events = [];
  const verifier = createVerifier(
    trusting(await keyOf('ES256'), {
      onEvent(event) {
        events.push(event);
        throw new Error('a listener that fails');
      },
    }),
  );
  const token = await mint(await keyOf('ES256'));
  equal(await judge(verifier, token), '200');
  equal(await judge(verifier, undefined), '401 no_credentials');
  equal(
    events.map(({ type }) => type),
    ['request.accepted', 'request.rejected'],
    'the events',
  );
  equal(JSON.stringify(events).includes(token), false, 'that an event shows the token');
}

/** Options that come from variables of the environment alone. */
async function checkEnvironment(host) {
  const own = connect(host);
  const { clientId, clientSecret } = await own.register();
  const variables = {
    SERVICE_AUTH_ISSUER: own.issuer,
    SERVICE_AUTH_AUDIENCE: audience,
    SERVICE_AUTH_CLIENT_ID: clientId,
    SERVICE_AUTH_CLIENT_SECRET: clientSecret,
    SERVICE_AUTH_RESOURCE: audience,
  };
  Object.assign(process.env, variables);
  try {
    const { accessToken } = await createTokenClient({ fetch: own.fetch }).getToken();
    equal(await judge(createVerifier({ fetch: own.fetch }), accessToken), '200');
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

async function checkMistakes() {
  const mistakes = [
    () => createVerifier({ issuer, audience, clockTolerance: 5 }),
    () => createVerifier({ issuer: 'http://idp.example', audience }),
    () => createAuthedFetch({ issuer, clientId: 'billing', clientSecret: '', targets: [audience] }),
  ];
  for (const make of mistakes) {
    let thrown;
    try {
      make();
    } catch (error) {
      thrown = error;
    }
    equal(thrown instanceof TypeError, true, 'that a mistake is a TypeError');
  }
}

/** Once everything else has run. */
async function checkComplaints(host) {
  await new Promise((resolve) => setTimeout(resolve, 10));
  equal(host.complaints, [], 'what the runtime complained of');
}

export const conduct = {
  title: 'The process',
  checks: { 'no warning was shown, no rejection left unhandled': checkComplaints },
};

export const lifetime = {
  title: 'Start, events, closing',
  checks: {
    'clients can be made while a module is loaded': checkAtStart,
    'options from the environment': checkEnvironment,
    'mistakes in options are a TypeError': checkMistakes,
    'events: told of what happens, without tokens': checkEvents,
    'a closed verifier: 503': checkVerifier,
    'closed calls are refused': checkCalls,
    'closing ends what is under way': checkUnderWay,
  },
};
