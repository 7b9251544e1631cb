/** The calling side: a worker without any user, whose calls are made with `authedFetch`. */
import assert from 'node:assert/strict';
import { createAuthedFetch, isServiceAuthError, type ServiceAuthEvent } from 'service-auth';

const services = JSON.parse(setting('DEMO_SERVICES')) as Record<string, string>;
const orders = 'https://orders.example';
let tokenRequests = 0;

function setting(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

/** Issuer, client id and secret come from the environment; each service is a target, and nothing else is. */
function caller(scope: string, resource = orders, credentials = {}): ReturnType<typeof createAuthedFetch> {
  return createAuthedFetch({
    targets: Object.values(services).map((origin) => ({ origin, scope, resource })),
    onEvent: (event: ServiceAuthEvent) => {
      if (event.type === 'token.requested') tokenRequests++;
    },
    ...credentials,
  });
}

const billing = caller('orders:read');

async function everywhere(call: (url: string) => Promise<Response>, status: number): Promise<string> {
  for (const [name, origin] of Object.entries(services)) {
    const response = await call(`${origin}/orders`);
    await response.body?.cancel();
    assert.equal(response.status, status, `${name} answered ${response.status}`);
  }
  return `${status} from ${Object.keys(services).join(', ')}`;
}

async function herd(): Promise<string> {
  const urls = Array.from({ length: 200 }, (_, at) => Object.values(services)[at % 4] ?? '');
  const answers = await Promise.all(urls.map((origin) => billing(`${origin}/orders`)));
  for (const answer of answers) assert.equal(answer.status, 200);
  await Promise.all(answers.map((answer) => answer.arrayBuffer()));
  assert.equal(tokenRequests, 1, `${tokenRequests} token requests`);
  return '200 calls, 1 token request';
}

async function frameworks(): Promise<string> {
  for (const [name, origin] of Object.entries(services)) {
    const response = await billing(`${origin}/orders`);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { framework: name, client: 'billing' });
  }
  return `200 from ${Object.keys(services).join(', ')}`;
}

async function tampered(): Promise<string> {
  const { accessToken } = await billing.tokens.getToken({ scope: 'orders:read', resource: orders });
  const [header, payload = '', signature] = accessToken.split('.');
  const claims: object = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const better = Buffer.from(JSON.stringify({ ...claims, scope: 'orders:read orders:write' }));
  const forged = [header, better.toString('base64url'), signature].join('.');
  return everywhere((url) => fetch(url, { headers: { authorization: `Bearer ${forged}` } }), 401);
}

/** Calls without pause while the issuer changes its signing key; `parent` is told when to change it. */
async function rotation(): Promise<string> {
  const kid = async (forceRefresh: boolean): Promise<string> => {
    const question = { scope: 'orders:read', resource: orders, forceRefresh };
    const { accessToken } = await billing.tokens.getToken(question);
    const header = JSON.parse(Buffer.from(accessToken.split('.')[0] ?? '', 'base64url').toString());
    return String(header.kid);
  };
  const before = await kid(false);
  let calls = 0;
  const callAll = async (): Promise<void> => {
    await everywhere(billing, 200);
    calls += Object.keys(services).length;
  };
  await callAll();
  const rotated = await fetch(`${setting('SERVICE_AUTH_ISSUER')}/admin/keys/rotate`, {
    method: 'POST',
    headers: { authorization: `Bearer ${setting('DEMO_ADMIN_TOKEN')}`, 'content-type': 'application/json' },
    body: JSON.stringify({ immediately: true }),
  });
  assert(rotated.ok, `the rotation answered ${rotated.status}`);
  await callAll();
  const after = await kid(true);
  assert.notEqual(after, before, 'the new token has the old key');
  for (let round = 0; round < 10; round++) await callAll();
  return `${calls} calls across the change, none failed`;
}

async function stranger(): Promise<string> {
  const error = await billing(`${setting('DEMO_STRANGER')}/orders`).catch((reason: unknown) => reason);
  assert(isServiceAuthError(error) && error.code === 'untrusted_target', `got ${String(error)}`);
  return 'untrusted_target, nothing sent';
}

async function coldService(): Promise<string> {
  const { accessToken } = await billing.tokens.getToken({ scope: 'orders:read', resource: orders });
  const headers = { authorization: `Bearer ${accessToken}` };
  const response = await fetch(`${setting('DEMO_COLD')}/orders`, { headers }).catch(String);
  assert(response instanceof Response, `${response}`);
  await response.body?.cancel();
  assert.equal(response.status, 503);
  assert(response.headers.has('retry-after'));
  return `503, Retry-After ${response.headers.get('retry-after')} s`;
}

const other = {
  clientId: 'reporting',
  clientSecret: setting('DEMO_REPORTING_SECRET'),
};

const steps: Readonly<Record<string, () => Promise<string>>> = {
  herd,
  frameworks,
  noToken: () => everywhere((url) => fetch(url), 401),
  wrongScope: () => everywhere((url) => billing(url, { method: 'POST' }), 403),
  wrongAudience: () => everywhere(caller('orders:read', 'https://stock.example'), 401),
  tampered,
  wrongClient: () => everywhere(caller('orders:read', orders, other), 403),
  rotation,
  stranger,
  issuerDown: () => everywhere(billing, 200),
  coldService,
};

process.on('message', async ({ step, ...settings }: { step: string } & Record<string, string>) => {
  Object.assign(process.env, settings);
  try {
    process.send?.({ detail: await steps[step]?.() });
  } catch (error) {
    process.send?.({ failure: error instanceof Error ? error.message : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: 'yes' });
