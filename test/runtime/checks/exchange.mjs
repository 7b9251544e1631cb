import { createAuthedFetch, createMemoryTokenStore, createTokenClient, createVerifier } from 'service-auth';
import { withServiceAuth } from 'service-auth/web';
import { equal, rejects } from '../support/expect.mjs';
import { requestWith } from '../support/judge.mjs';
import { connect, equalCount, reaching } from '../support/network.mjs';
import { audience } from '../support/tokens.mjs';

const invoices = 'https://invoices.example';

/** A caller whose token for invoices is exchanged by invoices for one for orders. */
async function setUp(host) {
  const network = connect(host);
  const caller = await network.register({ resources: [invoices] });
  const service = await network.register({ serves: [invoices] });
  const verifier = createVerifier({ issuer: network.issuer, audience, fetch: network.fetch });
  const handler = withServiceAuth(
    (_request, { subject, actor }) => Response.json({ subject, actor: actor?.sub }),
    { verifier, scope: 'orders:read' },
  );
  const token = async (more) =>
    (await createTokenClient({ ...caller, resource: invoices, ...more }).getToken()).accessToken;
  return { network, caller, service, handler, verifier, token };
}

async function checkOnBehalf(host) {
  const { network, caller, service, handler, token } = await setUp(host);
  const authedFetch = createAuthedFetch(reaching(service, handler));
  const inTheName = authedFetch.onBehalfOf(await token());
  const expected = { subject: caller.clientId, actor: service.clientId };
  const before = network.count('/token');
  equal(await (await inTheName(`${audience}/orders`)).json(), expected, 'the caller');
  equal(await (await inTheName(`${audience}/orders`)).json(), expected, 'the caller again');
  equalCount(network, '/token', before + 1);
}

async function checkExchange(host) {
  const { caller, service, verifier, token } = await setUp(host);
  const tokens = createTokenClient({ ...service, scope: 'orders:read', resource: audience });
  const { accessToken } = await tokens.exchange({ subjectToken: await token() });
  const outcome = await verifier.authenticate(requestWith(accessToken), { actors: [service.clientId] });
  equal(outcome.caller?.subject, caller.clientId, 'the subject');
}

async function checkBindingLost(host) {
  const { service, handler, token } = await setUp(host);
  const bound = await token({ dpop: true });
  const authedFetch = createAuthedFetch(reaching(service, handler, { dpop: false }));
  await rejects(authedFetch.onBehalfOf(bound)(`${audience}/orders`), 'token_request_rejected');
}

/** Two instances and one store: tokens are encrypted in it (AES-256-GCM), under names that are hashed. */
async function checkStore(host) {
  const network = connect(host);
  const client = await network.register();
  const store = createMemoryTokenStore();
  const kept = [];
  const seen = Object.assign(Object.create(store), {
    set: (...given) => {
      kept.push(JSON.stringify(given));
      return store.set(...given);
    },
  });
  const make = () =>
    createTokenClient({ ...client, store: seen, storeKey: 'a key of 32 bytes or more for the store' });
  const first = await make().getToken();
  const second = await make().getToken();
  equal(second.accessToken === first.accessToken, true, 'that they share a token');
  equalCount(network, '/token', 1);
  equal(kept.length > 0 && !kept.join().includes(first.accessToken), true, 'that the store holds no token');
}

/** With a stolen store key alone nothing opens: another client finds nothing. */
async function checkStoreApart(host) {
  const network = connect(host);
  const store = createMemoryTokenStore();
  const shared = { store, storeKey: 'a key of 32 bytes or more for the store' };
  for (const client of [await network.register(), await network.register()]) {
    equal(
      await createTokenClient({ ...client, ...shared })
        .getToken()
        .then(() => 'got'),
      'got',
    );
  }
  equalCount(network, '/token', 2);
}

export const exchange = {
  title: 'Token exchange and shared tokens',
  checks: {
    'on behalf of a caller: exchanged once and kept': checkOnBehalf,
    'an exchange by hand, and who acts now': checkExchange,
    'a bound token is never exchanged for an unbound one': checkBindingLost,
    'a shared store: one token for two instances, encrypted': checkStore,
    'a shared store: clients stay apart': checkStoreApart,
  },
};
