/** The outbound side against the project's own issuer, and through the rotation of a secret, over real sockets. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type AuthedFetch,
  type AuthedFetchOptions,
  type ClientAuth,
  clientSecretBasic,
  clientSecretPost,
  createAuthedFetch,
  createVerifier,
  type ServiceAuthEvent,
  secretFile,
  type Verifier,
} from '../../src/index.ts';
import {
  type AdminClient,
  createAdminClient,
  type IssuerServer,
  serveIssuer,
} from '../../src/issuer/index.ts';
import { ADMIN_TOKEN, STATUS_LIST_SECONDS } from '../helpers/issuer-world.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

type Listener = Parameters<typeof createServer>[1];

async function listen(listener: NonNullable<Listener>): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const RESOURCE = 'https://orders.example';

interface World {
  readonly server: IssuerServer;
  readonly origin: string;
  readonly verifier: Verifier;
  /** The statuses of the service. */
  readonly statuses: number[];
  readonly secret: string;
  readonly admin: AdminClient;
  /** The clock of the service goes on until it asks for the status list again. */
  forget(): void;
  call(options?: Partial<AuthedFetchOptions>): AuthedFetch;
}

async function createWorld(): Promise<World> {
  const server = await serveIssuer({
    port: 0,
    adminToken: ADMIN_TOKEN,
    statusListTtlSeconds: STATUS_LIST_SECONDS,
  });
  cleanUps.push(() => server.close());
  const admin = createAdminClient({ issuer: server.url, adminToken: ADMIN_TOKEN });
  const { clientSecret: secret = '' } = await admin.services.create({
    clientId: 'billing',
    name: 'Billing',
    scopes: ['orders:read'],
    resources: [RESOURCE],
  });
  let offsetMs = 0;
  const verifier = createVerifier({
    issuer: { issuer: server.url, statusList: true },
    audience: RESOURCE,
    now: () => Date.now() + offsetMs,
  });
  const statuses: number[] = [];
  const origin = await listen(async ({ method = '', url = '', headers: { authorization } }, response) => {
    const fields = new Headers({ authorization: authorization ?? '' });
    const outcome = await verifier.authenticate({ method, url, headers: fields }, { scope: 'orders:read' });
    statuses.push(outcome.ok ? 200 : outcome.rejection.status);
    if (outcome.ok) return void response.end(outcome.caller.clientId);
    response
      .writeHead(outcome.rejection.status, { ...outcome.rejection.headers })
      .end(outcome.rejection.body);
  });
  return {
    server,
    origin,
    verifier,
    statuses,
    secret,
    admin,
    forget() {
      offsetMs += STATUS_LIST_SECONDS * 1000 + 1;
    },
    call: (options = {}) =>
      createAuthedFetch({
        issuer: server.url,
        clientId: 'billing',
        ...(options.clientAuth === undefined && { clientSecret: secret }),
        targets: [{ origin, scope: 'orders:read', resource: RESOURCE }],
        ...options,
      }),
  };
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    ({ code, oauthError }: { code: string; oauthError: string }) => `${code}: ${oauthError}`,
  );
}

describe("the project's issuer", () => {
  it.each<[string, (secret: string) => ClientAuth]>([
    ['client_secret_basic', (secret) => clientSecretBasic(secret)],
    ['client_secret_post', (secret) => clientSecretPost(secret)],
    ['a secret function', (secret) => clientSecretBasic(async () => [secret])],
  ])('%s: a call arrives as the service that made it', async (_, clientAuth) => {
    const { call, origin, secret } = await createWorld();
    const response = await call({ clientAuth: clientAuth(secret) })(`${origin}/orders`);
    expect([response.status, await response.text()]).toEqual([200, 'billing']);
  });

  it('of two secrets the one that it knows is found', async () => {
    const { call, origin, secret } = await createWorld();
    const options = { clientAuth: clientSecretBasic(['one that it does not know yet', secret]) };
    expect((await call(options)(`${origin}/orders`)).status).toBe(200);
  });

  it('refusals are typed', async () => {
    const { call, origin, admin } = await createWorld();
    const { tokens } = call();
    expect(await codeOf(tokens.getToken({ scope: 'orders:delete' }))).toBe(
      'token_request_rejected: invalid_scope',
    );
    expect(await codeOf(tokens.getToken({ resource: 'https://stock.example' }))).toBe(
      'token_request_rejected: invalid_target',
    );
    const wrong = call({ clientAuth: clientSecretBasic('not the secret') });
    expect(await codeOf(wrong(`${origin}/`))).toBe('token_request_rejected: invalid_client');
    expect(await codeOf(tokens.exchange({ subjectToken: 'x' }))).toBe(
      'token_request_rejected: invalid_request',
    );
    await admin.services.revoke('billing');
    expect(await codeOf(call()(`${origin}/`))).toBe('token_request_rejected: invalid_client');
  });

  it('a token that the service does not want any more is replaced, and the call succeeds', async () => {
    const { call, origin, verifier, statuses } = await createWorld();
    const authedFetch = call();
    await authedFetch(`${origin}/`);
    const { accessToken } = await authedFetch.tokens.getToken({ scope: 'orders:read', resource: RESOURCE });
    verifier.invalidate(accessToken);
    const all = await Promise.all(Array.from({ length: 20 }, () => authedFetch(`${origin}/`)));
    expect(all.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(statuses.filter((status) => status === 401)).toHaveLength(20);
    const next = await authedFetch.tokens.getToken({ scope: 'orders:read', resource: RESOURCE });
    expect(decodeJwt(next.accessToken).jti).not.toBe(decodeJwt(accessToken).jti);
  });
});

describe('revocation, where the service goes by the status list', () => {
  it('a token that was revoked is replaced, and the call succeeds', async () => {
    const { call, origin, server, secret, statuses, forget } = await createWorld();
    const authedFetch = call();
    const target = { scope: 'orders:read', resource: RESOURCE };
    expect((await authedFetch(`${origin}/`)).status).toBe(200);
    const { accessToken: token } = await authedFetch.tokens.getToken(target);
    const body = new URLSearchParams({ token, client_id: 'billing', client_secret: secret });
    expect((await fetch(`${server.url}/revoke`, { method: 'POST', body })).status).toBe(200);
    forget();
    expect((await authedFetch(`${origin}/`)).status).toBe(200);
    expect(statuses).toEqual([200, 401, 200]);
    expect((await authedFetch.tokens.getToken(target)).accessToken).not.toBe(token);
  });

  it('a service that was revoked gets in nowhere any more', async () => {
    const { call, origin, admin, statuses, forget } = await createWorld();
    const authedFetch = call();
    expect((await authedFetch(`${origin}/`)).status).toBe(200);
    await admin.services.revoke('billing');
    forget();
    // There is no other token to try with: the answer is the one that the service gave.
    expect((await authedFetch(`${origin}/`)).status).toBe(401);
    expect(statuses).toEqual([200, 401]);
    const renewal = authedFetch.tokens.getToken({
      scope: 'orders:read',
      resource: RESOURCE,
      forceRefresh: true,
    });
    expect(await codeOf(renewal)).toBe('token_request_rejected: invalid_client');
  });
});

/** A token endpoint whose knowledge of secrets a test changes, and a service that knows its tokens. */
async function createRotation() {
  const directory = mkdtempSync(join(tmpdir(), 'rotation-'));
  cleanUps.push(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'secret');
  writeFileSync(file, 'secret-1\n');
  const accepted = new Set(['secret-1']);
  const asked: string[] = [];
  const events: ServiceAuthEvent[] = [];
  let time = 1_800_000_000_000;
  let onAsked: (secret: string) => void = () => {};
  const origin = await listen((request, response) => {
    const { authorization = '' } = request.headers;
    request.resume();
    if (request.url !== '/token') return void response.end(authorization);
    const secret = Buffer.from(authorization.slice(6), 'base64').toString().split(':')[1] ?? '';
    asked.push(secret);
    onAsked(secret);
    response.setHeader('content-type', 'application/json');
    if (!accepted.has(secret)) {
      return void response.writeHead(401).end(JSON.stringify({ error: 'invalid_client' }));
    }
    const token = { access_token: `${secret}-${asked.length}`, token_type: 'Bearer', expires_in: 600 };
    response.end(JSON.stringify(token));
  });
  const call = createAuthedFetch({
    tokenEndpoint: `${origin}/token`,
    clientId: 'billing',
    clientSecret: secretFile(file),
    targets: [origin],
    now: () => time,
    random: () => 0,
    onEvent: (event) => events.push(event),
  });
  const statuses: number[] = [];
  return {
    file,
    accepted,
    asked,
    events,
    statuses,
    onAsked: (listener: (secret: string) => void) => {
      onAsked = listener;
    },
    /** Calls at the same time, some time later; says with which secret's tokens they went. */
    async calls(afterMs: number): Promise<readonly string[]> {
      time += afterMs;
      const all = await Promise.all(Array.from({ length: 20 }, () => call(`${origin}/`)));
      statuses.push(...all.map(({ status }) => status));
      const sent = await Promise.all(all.map((response) => response.text()));
      return [
        ...new Set(sent.map((authorization) => authorization.replace(/^Bearer (secret-\d)-\d+$/, '$1'))),
      ];
    },
  };
}

describe('the rotation of a secret in a file: no call fails', () => {
  it('with an overlap: first the server knows both, then the file changes, then the old one is refused', async () => {
    const { file, accepted, calls, statuses, asked } = await createRotation();
    expect(await calls(0)).toEqual(['secret-1']);
    accepted.add('secret-2');
    expect(await calls(601_000)).toEqual(['secret-1']);
    writeFileSync(`${file}.new`, 'secret-2\n');
    renameSync(`${file}.new`, file);
    expect(await calls(601_000)).toEqual(['secret-2']);
    accepted.delete('secret-1');
    expect(await calls(601_000)).toEqual(['secret-2']);
    expect(asked).toEqual(['secret-1', 'secret-1', 'secret-2', 'secret-2']);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it('without an overlap: the secret changes while the request is on its way', async () => {
    const { file, accepted, calls, asked, statuses, onAsked } = await createRotation();
    await calls(0);
    onAsked((secret) => {
      if (secret !== 'secret-1') return;
      accepted.clear();
      accepted.add('secret-2');
      writeFileSync(file, 'secret-2');
    });
    expect(await calls(601_000)).toEqual(['secret-2']);
    expect(asked).toEqual(['secret-1', 'secret-1', 'secret-2']);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it('the server is first by half a minute: the valid token serves meanwhile', async () => {
    const { file, accepted, calls, asked, events, statuses } = await createRotation();
    await calls(0);
    accepted.clear();
    accepted.add('secret-2');
    for (let second = 0; second < 5; second++) {
      expect(await calls(second === 0 ? 541_000 : 5000)).toEqual(['secret-1']);
      await expect
        .poll(() => events.filter(({ type }) => type === 'token.refresh_failed').length)
        .toBeGreaterThan(0);
    }
    expect(asked.filter((secret) => secret === 'secret-1').length).toBeLessThanOrEqual(4);
    writeFileSync(file, 'secret-2');
    await calls(5000);
    await expect.poll(() => asked.at(-1)).toBe('secret-2');
    await expect.poll(() => events.filter(({ type }) => type === 'token.refreshed').length).toBe(2);
    expect(await calls(0)).toEqual(['secret-2']);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it('while the file is empty or away, the last secret goes on', async () => {
    const { file, accepted, calls, statuses } = await createRotation();
    await calls(0);
    accepted.add('secret-2');
    writeFileSync(file, '');
    expect(await calls(601_000)).toEqual(['secret-1']);
    rmSync(file);
    expect(await calls(601_000)).toEqual(['secret-1']);
    writeFileSync(file, 'secret-2');
    expect(await calls(601_000)).toEqual(['secret-2']);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});
