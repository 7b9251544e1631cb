import { createVerifier } from 'service-auth';
import { createClock } from '../support/clock.mjs';
import { equal, matches } from '../support/expect.mjs';
import { judge, requestWith } from '../support/judge.mjs';
import { audience, issuerUrl, keyOf, mint, trusting } from '../support/tokens.mjs';

async function setUp(options = {}) {
  const key = await keyOf('ES256');
  const clock = createClock();
  const verifier = createVerifier(trusting(key, { now: clock.now, ...options }));
  const token = (claims) => mint(key, { claims, seconds: clock.seconds() });
  return { clock, verifier, token };
}

async function checkTimes() {
  const { clock, verifier, token } = await setUp();
  const good = await token();
  equal(await judge(verifier, good), '200');
  clock.advance(306);
  equal(await judge(verifier, good), '401 expired', 'the outcome once it has expired');
  equal(await judge(verifier, await token({ nbf: clock.seconds() + 60 })), '401 not_yet_valid');
  equal(await judge(verifier, await token({ iat: clock.seconds() + 60 })), '401 issued_in_future');
}

async function checkAudience() {
  const { verifier, token } = await setUp();
  equal(await judge(verifier, await token({ aud: 'https://stock.example' })), '401 wrong_audience');
  equal(await judge(verifier, await token({ aud: ['https://stock.example', audience] })), '200');
}

async function checkIssuer() {
  const { verifier, token } = await setUp();
  equal(await judge(verifier, await token({ iss: `${issuerUrl}/` })), '401 unknown_issuer');
}

async function checkScopes() {
  const { verifier, token } = await setUp();
  const presented = await token();
  equal(await judge(verifier, presented, { policy: { scope: 'orders:read' } }), '200');
  equal(await judge(verifier, presented, { policy: { scope: 'orders:write' } }), '403 insufficient_scope');
  equal(
    await judge(verifier, presented, { policy: { scope: { anyOf: ['orders:write', 'stock:read'] } } }),
    '200',
  );
}

async function checkPolicy() {
  const { verifier, token } = await setUp();
  const presented = await token();
  const outcome = (policy) => judge(verifier, presented, { policy });
  equal(await outcome({ clients: ['billing'] }), '200');
  equal(await outcome({ clients: ['shipping'] }), '403 client_not_allowed');
  equal(await outcome({ check: async (caller) => caller.clientId === 'billing' }), '200');
  equal(await outcome({ check: () => false }), '403 check_refused');
  const ofUser = await token({ sub: 'a-user' });
  equal(await judge(verifier, ofUser, { policy: { serviceOnly: true } }), '403 service_only');
  equal(await judge(verifier, undefined, { policy: { optional: true } }), '200');
}

async function checkChallenges() {
  const { verifier, token } = await setUp({ realm: 'orders' });
  const answer = async (presented, policy, more) => {
    const { rejection } = await verifier.authenticate(requestWith(presented, more), policy);
    return `${rejection.status} ${rejection.headers['WWW-Authenticate']}`;
  };
  const none = await answer(undefined);
  matches(none, /^401 Bearer realm="orders"/, 'the answer without credentials');
  equal(none.includes('error='), false, 'that it names an error');
  matches(await answer('nonsense'), /^401 .*error="invalid_token"/, 'the answer to nonsense');
  matches(
    await answer(await token(), { scope: 'orders:write' }),
    /^403 .*error="insufficient_scope".*scope="orders:write"/,
    'the answer without the scope',
  );
  matches(await answer('two words'), /^400 .*error="invalid_request"/, 'the answer to what is malformed');
}

async function checkCaller() {
  const { verifier, token } = await setUp();
  const presented = await token();
  const { caller } = await verifier.authenticate(requestWith(presented));
  equal([caller.clientId, caller.kind, caller.scheme], ['billing', 'service', 'Bearer'], 'the caller');
  equal(caller.hasScope('orders:read'), true, 'that it has its scope');
  equal(Object.isFrozen(caller), true, 'that it is frozen');
  equal(JSON.stringify(caller).includes(presented), false, 'that JSON shows the token');
}

async function checkInvalidation() {
  const { verifier, token } = await setUp();
  const [first, second] = [await token(), await token()];
  equal(await judge(verifier, first), '200');
  verifier.invalidate(first);
  equal(await judge(verifier, first), '401 invalidated');
  verifier.invalidate({ clientId: 'billing' });
  equal(await judge(verifier, second), '401 invalidated', 'the outcome for all of a client');
}

async function checkOtherwise() {
  const { verifier, token } = await setUp();
  const outcome = await verifier.verifyToken(await token(), { policy: { scope: 'orders:read' } });
  equal(outcome.ok, true, 'that a token without a request passes');
}

export const tokens = {
  title: 'Tokens and policies',
  checks: {
    'expired, not yet valid, issued in the future': checkTimes,
    'another audience is refused': checkAudience,
    'another issuer is refused, down to a slash': checkIssuer,
    'scopes: all, any, missing': checkScopes,
    'clients, users, a check of your own': checkPolicy,
    'the challenges of 400, 401 and 403': checkChallenges,
    'the caller is frozen and hides the token': checkCaller,
    'a token and a client can be taken back': checkInvalidation,
    'a token that came without a request': checkOtherwise,
  },
};
