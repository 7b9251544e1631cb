/** This project's own clients and verifiers around its issuer, over loopback. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type AuthedFetch,
  createAuthedFetch,
  createTokenClient,
  createVerifier,
  type Policy,
  type TokenClientOptions,
} from '../../../../src/index.ts';
import { type IssuerServer, memoryStorage, serveIssuer } from '../../../../src/issuer/index.ts';
import { type Credentials, START_MS } from '../harness.ts';
import { SECRET_KEY, secrets, type serviceRecord, addService as store } from '../service-records.ts';

interface World {
  readonly server: IssuerServer;
  /** What the token endpoint answered. */
  readonly asked: { readonly status: number; readonly error: string | undefined }[];
  add(clientId: string, members: Parameters<typeof serviceRecord>[0]): Promise<Credentials>;
  tokens(as: Credentials, options?: Partial<TokenClientOptions>): ReturnType<typeof createTokenClient>;
}

const resourceOf = (clientId: string): string => `https://${clientId}.example`;

async function createWorld(dpopNonce: boolean): Promise<World> {
  const storage = memoryStorage();
  const server = await serveIssuer({ port: 0, storage, dpopNonce, secretKey: SECRET_KEY });
  onTestFinished(() => server.close());
  const asked: { status: number; error: string | undefined }[] = [];
  return {
    server,
    asked,
    async add(clientId, members) {
      const clientSecret = secrets.generate();
      const sealed = secrets.seal(clientId, clientSecret, { nowMs: START_MS });
      await store(storage, { clientId, serves: [resourceOf(clientId)], secrets: [sealed], ...members });
      return { clientId, clientSecret };
    },
    tokens(as, options = {}) {
      const tokens = createTokenClient({
        issuer: server.url,
        ...as,
        fetch: async (url, init) => {
          const response = await fetch(url, init);
          if (new URL(url).pathname !== '/token') return response;
          const { error }: { error?: string } = await response.clone().json();
          asked.push({ status: response.status, error });
          return response;
        },
        ...options,
      });
      onTestFinished(() => tokens.close());
      return tokens;
    },
  };
}

describe.each([
  ['without nonces', false],
  ['with nonces', true],
])('createTokenClient with dpop, %s', (_, dpopNonce) => {
  it('gets a token that is bound to its key; a nonce costs the first request one more', async () => {
    const { add, tokens, asked, server } = await createWorld(dpopNonce);
    const web = await add('web', { resources: [resourceOf('shop')], dpopBound: true });
    const client = tokens(web, { dpop: true });
    const first = await client.getToken({ scope: 'read' });
    const second = await client.getToken({ scope: 'write' });
    expect([first.tokenType, second.tokenType]).toEqual(['DPoP', 'DPoP']);
    const challenge = { status: 400, error: 'use_dpop_nonce' };
    const good = { status: 200, error: undefined };
    expect(asked).toEqual(dpopNonce ? [challenge, good, good] : [good, good]);
    const [one, other] = [decodeJwt(first.accessToken), decodeJwt(second.accessToken)];
    expect(one.cnf).toEqual({ jkt: expect.any(String) });
    expect(other.cnf).toEqual(one.cnf);

    const verifier = createVerifier({ issuer: server.url, audience: resourceOf('shop') });
    onTestFinished(() => verifier.close());
    const call = { method: 'GET', url: 'https://shop.example/orders' };
    const { accessToken } = first;
    const dpop = await client.dpopProof({ ...call, accessToken });
    const proven = new Headers({ authorization: `DPoP ${accessToken}`, dpop });
    const outcome = await verifier.authenticate({ ...call, headers: proven }, { senderConstrained: 'dpop' });
    expect(outcome.ok && outcome.caller.clientId).toBe('web');
    const stolen = new Headers({ authorization: `Bearer ${accessToken}` });
    expect((await verifier.authenticate({ ...call, headers: stolen })).ok).toBe(false);
  });

  it('exchanges a bound token for one that is bound to its own key', async () => {
    const { add, tokens } = await createWorld(dpopNonce);
    const web = await add('web', { resources: [resourceOf('shop')] });
    const shop = await add('shop', { resources: [resourceOf('stock')] });
    const subject = await tokens(web, { dpop: true }).getToken();
    const exchanged = await tokens(shop, { dpop: true }).exchange({
      subjectToken: { token: subject.accessToken, confirmation: { jkt: 'of web' } },
      scope: 'read',
    });
    expect(exchanged).toMatchObject({ tokenType: 'DPoP', scope: 'read' });
    const claims = decodeJwt(exchanged.accessToken);
    expect(claims).toMatchObject({ sub: 'web', client_id: 'shop', act: { sub: 'shop' } });
    expect(claims.cnf).toEqual({ jkt: expect.any(String) });
    expect(claims.cnf).not.toEqual(decodeJwt(subject.accessToken).cnf);
    await expect(tokens(shop).exchange({ subjectToken: subject.accessToken })).rejects.toMatchObject({
      code: 'token_request_rejected',
      oauthError: 'invalid_request',
    });
  });
});

it('tokens.exchange() takes resource, audience and actor; a refusal is typed', async () => {
  const { add, tokens } = await createWorld(false);
  const web = await add('web', { resources: [resourceOf('shop')] });
  const shop = await add('shop', { resources: [resourceOf('stock'), resourceOf('bank')] });
  await add('stock', {});
  const { accessToken: subjectToken } = await tokens(web).getToken();
  const client = tokens(shop);
  const byResource = await client.exchange({ subjectToken, resource: resourceOf('bank') });
  expect(decodeJwt(byResource.accessToken).aud).toBe(resourceOf('bank'));
  const byName = await client.exchange({ subjectToken, audience: 'stock' });
  expect(decodeJwt(byName.accessToken).aud).toBe(resourceOf('stock'));
  const { accessToken: actorToken } = await client.getToken({ resource: resourceOf('stock') });
  const acted = await client.exchange({ subjectToken, actorToken, audience: 'stock' });
  expect(decodeJwt(acted.accessToken).act).toEqual({ sub: 'shop' });
  const refusals: [object, string][] = [
    [{ subjectToken }, 'invalid_target'],
    [{ subjectToken, audience: 'nobody' }, 'invalid_target'],
    [{ subjectToken, audience: 'stock', scope: 'admin' }, 'invalid_scope'],
    [{ subjectToken: 'nonsense', audience: 'stock' }, 'invalid_request'],
  ];
  for (const [more, oauthError] of refusals) {
    const refused = client.exchange({ subjectToken, ...more });
    await expect(refused).rejects.toMatchObject({ code: 'token_request_rejected', oauthError });
  }
});

type StrictPolicy = Omit<Policy, 'optional'>;

interface Hop {
  readonly origin: string;
}

/** A service that judges who calls and calls the next one on behalf of them; the last one tells what it saw. */
async function startHop(
  { server }: World,
  clientId: string,
  policy: StrictPolicy,
  next?: { readonly call: AuthedFetch; readonly origin: string },
): Promise<Hop> {
  const verifier = createVerifier({ issuer: server.url, audience: resourceOf(clientId) });
  const http = createServer(async ({ method = '', url = '', headers }, response) => {
    const fields = new Headers();
    for (const name of ['authorization', 'dpop']) {
      const value = headers[name];
      if (typeof value === 'string') fields.set(name, value);
    }
    const outcome = await verifier.authenticate({ method, url: `${origin}${url}`, headers: fields }, policy);
    if (!outcome.ok) {
      const { status, body } = outcome.rejection;
      response.writeHead(status, { ...outcome.rejection.headers }).end(body);
      return;
    }
    const { caller } = outcome;
    if (next === undefined) {
      const { subject, clientId: from, actor, scopes, scheme } = caller;
      return void response.end(JSON.stringify({ subject, from, actor, scopes: [...scopes], scheme }));
    }
    const onwards = await next.call.onBehalfOf(caller)(`${next.origin}${url}`);
    response.writeHead(onwards.status).end(await onwards.text());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  onTestFinished(async () => {
    verifier.close();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
  return { origin };
}

describe.each([
  ['bearer tokens', false, false],
  ['bound tokens', true, false],
  ['bound tokens and nonces', true, true],
])('on behalf of who called, from service to service: %s', (_, dpop, dpopNonce) => {
  async function createChain(policyOfBank: StrictPolicy) {
    const world = await createWorld(dpopNonce);
    const { server, add } = world;
    const members = { dpopBound: dpop };
    const web = await add('web', { ...members, resources: [resourceOf('shop')] });
    const shop = await add('shop', { ...members, resources: [resourceOf('stock')] });
    const stock = await add('stock', { ...members, resources: [resourceOf('bank')], scopes: ['read'] });
    await add('bank', {});
    const callOf = (as: Credentials, origin: string): AuthedFetch => {
      const call = createAuthedFetch({ issuer: server.url, ...as, dpop, targets: [origin] });
      onTestFinished(() => call.close());
      return call;
    };
    const bank = await startHop(world, 'bank', policyOfBank);
    const third = { call: callOf(stock, bank.origin), origin: bank.origin };
    const stockHop = await startHop(world, 'stock', { actors: ['shop'], scope: 'read' }, third);
    const second = { call: callOf(shop, stockHop.origin), origin: stockHop.origin };
    const shopHop = await startHop(world, 'shop', { clients: ['web'] }, second);
    return { call: callOf(web, shopHop.origin), origin: shopHop.origin };
  }

  it('the last one knows who asked, and who acted in between', async () => {
    const { call, origin } = await createChain({
      actors: ['stock'],
      scope: 'read',
      ...(dpop && { senderConstrained: 'dpop' }),
    });
    const response = await call(`${origin}/accounts`);
    expect([response.status, JSON.parse(await response.text())]).toEqual([
      200,
      {
        subject: 'web',
        from: 'stock',
        actor: { sub: 'stock', act: { sub: 'shop' } },
        scopes: ['read'],
        scheme: dpop ? 'DPoP' : 'Bearer',
      },
    ]);
  });

  it('an actor that the last one does not want is refused', async () => {
    const { call, origin } = await createChain({ actors: ['shop'] });
    expect((await call(`${origin}/accounts`)).status).toBe(403);
  });
});
