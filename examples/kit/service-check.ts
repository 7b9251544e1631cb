/** One protected service in front of an issuer: the calls that every framework must answer alike. */
import assert from 'node:assert/strict';
import { createTokenClient, type TokenClient } from 'service-auth';
import { type ExampleIssuer, startIssuer } from './issuer.ts';
import type { Environment, Program } from './programs.ts';
import type { Stage } from './stage.ts';

export const ORDERS = 'https://orders.example';
const STOCK = 'https://stock.example';

export interface ServiceUnderCheck {
  start(environment: Environment): Promise<Program>;
  /** @default '/orders' */
  readonly path?: string;
  /** What anybody may ask. */
  readonly openPath?: string;
}

type Tokens = Readonly<Record<'billing' | 'reporting', TokenClient>>;

/** Starts the service; then, as the stage says, shows what it answers, or leaves it to the user. */
export async function runService(stage: Stage, service: ServiceUnderCheck): Promise<void> {
  const issuer = await stage.step(
    'an issuer, and two services that call',
    () => startIssuer(stage),
    ({ url }) => `${url}: billing, reporting`,
  );
  const secrets = {
    billing: await register(issuer, 'billing'),
    reporting: await register(issuer, 'reporting'),
  };
  const { url } = await stage.step(
    'the protected service',
    () => service.start({ SERVICE_AUTH_ISSUER: issuer.url, SERVICE_AUTH_AUDIENCE: ORDERS }),
    (program) => program.url,
  );
  const target = `${url}${service.path ?? '/orders'}`;
  if (!stage.check) {
    console.log(`
Call it from another terminal, as billing or without anything:

SERVICE_AUTH_ISSUER=${issuer.url} SERVICE_AUTH_CLIENT_ID=billing SERVICE_AUTH_CLIENT_SECRET=${secrets.billing} \\
SERVICE_AUTH_RESOURCE=${ORDERS} SERVICE_AUTH_TARGETS=${url} npx service-auth call ${target}
curl -i ${target}

Ctrl-C ends it.`);
    return stage.stopped();
  }
  const tokens = {
    billing: client(issuer, 'billing', secrets),
    reporting: client(issuer, 'reporting', secrets),
  };
  stage.atEnd(() => Object.values(tokens).map((each) => each.close()));
  await showAnswers(stage, target, tokens);
  const { openPath } = service;
  if (openPath !== undefined)
    await stage.step(`${openPath}, open to all`, () => status(`${url}${openPath}`, 200));
  const header = await bearer(tokens.billing, 'orders:read');
  await issuer.stop();
  await stage.step('the issuer is stopped', () => status(target, 200, { headers: header }));
}

async function showAnswers(stage: Stage, target: string, { billing, reporting }: Tokens): Promise<void> {
  const write = { method: 'POST', body: '{"item":"tea"}' };
  const json = { 'content-type': 'application/json' };
  await stage.step('no token', () => status(target, 401));
  await stage.step('a good token', async () => {
    const response = await fetch(target, { headers: await bearer(billing, 'orders:read') });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.match(text, /"billing"/);
    return `200 ${text}`;
  });
  await stage.step('the wrong scope', async () => {
    const headers = { ...json, ...(await bearer(billing, 'orders:read')) };
    return status(target, 403, { ...write, headers });
  });
  await stage.step('the right scope', async () => {
    const headers = { ...json, ...(await bearer(billing, 'orders:write')) };
    return status(target, 201, { ...write, headers });
  });
  await stage.step('a client that is not allowed', async () => {
    const headers = { ...json, ...(await bearer(reporting, 'orders:write')) };
    return status(target, 403, { ...write, headers });
  });
  await stage.step('a token for another audience', async () =>
    status(target, 401, { headers: await bearer(billing, 'orders:read', STOCK) }),
  );
  await stage.step('a tampered token', async () => {
    const { authorization } = await bearer(billing, 'orders:read');
    const [head = '', claims = '', signature = ''] = authorization.split('.');
    const text = Buffer.from(claims, 'base64url').toString().replace('orders:read', 'orders:write');
    const forged = [head, Buffer.from(text).toString('base64url'), signature].join('.');
    return status(target, 401, { headers: { authorization: forged } });
  });
}

function register(issuer: ExampleIssuer, clientId: string): Promise<string> {
  return issuer.register({ clientId, scopes: ['orders:read', 'orders:write'], resources: [ORDERS, STOCK] });
}

function client(
  issuer: ExampleIssuer,
  clientId: keyof Tokens,
  secrets: Record<keyof Tokens, string>,
): TokenClient {
  return createTokenClient({
    issuer: issuer.url,
    clientId,
    clientSecret: secrets[clientId],
    resource: ORDERS,
  });
}

async function bearer(
  tokens: TokenClient,
  scope: string,
  resource = ORDERS,
): Promise<{ readonly authorization: string }> {
  const { accessToken } = await tokens.getToken({ scope, resource });
  return { authorization: `Bearer ${accessToken}` };
}

/** Calls, asserts the status, and tells it with the challenge. */
async function status(url: string, expected: number, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, init);
  const text = await response.text();
  assert.equal(response.status, expected, text);
  const challenge = response.headers.get('www-authenticate')?.split(', ')[0] ?? '';
  if (expected === 401 || expected === 403) assert.match(challenge, /^Bearer/);
  return `${expected} ${challenge}`.trim();
}
