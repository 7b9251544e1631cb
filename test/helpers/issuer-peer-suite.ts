/** What every client library must be able to do with the issuer, whoever made it. */
import { randomUUID } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ResourceServer, startResourceServer } from './issuer-resource-server.ts';
import {
  createPartyKey,
  type IssuerWorld,
  ORDERS,
  type Party,
  STOCK,
  startIssuerWorld,
  type Way,
  type WorldOptions,
  ways,
} from './issuer-world.ts';
import { createAuthority } from './tls.ts';

export const CLIENT_CREDENTIALS = 'client_credentials';
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

export interface PeerToken {
  readonly access_token: string;
  /** In lower case. */
  readonly token_type: string;
  readonly expires_in?: number | undefined;
  readonly scope?: string | undefined;
}

export interface PeerOptions {
  /** Proves possession of a new key of this kind. */
  readonly dpop?: 'ES256' | 'Ed25519';
  /** Of assertions, where it is not the one that the library chooses. */
  readonly audience?: string;
  /** Of all assertions. */
  readonly jti?: string;
  /** Asks for signed answers of introspection, and verifies them. */
  readonly signed?: boolean;
}

/** A library that has discovered the issuer, in the hands of a service. */
export interface PeerClient {
  /** Rejects with an error that has `status`, and `error` or the `response`. */
  token(grant: string, parameters: URLSearchParams): Promise<PeerToken>;
  introspect(token: string): Promise<Readonly<Record<string, unknown>>>;
  revoke(token: string): Promise<void>;
  /** Gives answers that refuse, too. */
  call(url: string, token: string): Promise<Response>;
}

export type Connect = (world: IssuerWorld, party: Party, options?: PeerOptions) => Promise<PeerClient>;

/** As the library reports it: the OAuth code with the status. */
export async function refusalOf(promise: Promise<unknown>): Promise<string> {
  const reason: unknown = await promise.then(
    () => 'no error',
    (error: unknown) => error,
  );
  if (typeof reason !== 'object' || reason === null || !('status' in reason)) throw reason;
  const { status } = reason;
  if ('error' in reason) return `${status} ${reason.error}`;
  if (!('response' in reason && isAnswer(reason.response))) throw reason;
  return `${status} ${(await reason.response.json()).error}`;
}

/** Not every `fetch` makes answers of the platform's class. */
function isAnswer(value: unknown): value is { json(): Promise<{ error?: string }> } {
  return typeof value === 'object' && value !== null && 'json' in value && typeof value.json === 'function';
}

interface PeerRequest extends Omit<RequestInit, 'body'> {
  readonly body: BodyInit | Uint8Array | null | undefined;
}

/** The party's `fetch` as the libraries take it: they say `undefined` where there is no body. */
export function fetchOf({ fetch }: Party): (url: string, request: PeerRequest) => Promise<Response> {
  return (url, { body = null, ...init }) =>
    fetch(url, { ...init, body: body instanceof Uint8Array ? body.slice() : body });
}

export function parameters(pairs: Readonly<Record<string, string | readonly string[]>>): URLSearchParams {
  return new URLSearchParams(
    Object.entries(pairs).flatMap(([name, values]) => [values].flat().map((value) => [name, value])),
  );
}

const exchangeOf = (subjectToken: string, more: Record<string, string>): URLSearchParams =>
  parameters({ subject_token: subjectToken, subject_token_type: ACCESS_TOKEN, ...more });

const isTlsWay = (way: Way): boolean => way === 'tls_client_auth';

export function peerSuite(connect: Connect): void {
  describe('over http', () => {
    const scene = useScene({});
    methodRows(
      connect,
      scene,
      ways.filter((way) => !isTlsWay(way)),
    );
    refusalRows(connect, scene);
    targetRows(connect, scene);
    bindingRows(connect, scene, false);
  });

  describe('over http, with nonces for proofs', () => {
    bindingRows(connect, useScene({ dpopNonce: true }), true);
  });

  describe('over https, with certificates of clients', () => {
    const scene = useScene({ tls: true });
    methodRows(connect, scene, ways);
    certificateRows(connect, scene);
  });
}

interface Scene {
  world(): IssuerWorld;
  /** A resource server of the test's own, whose clock it may move. */
  orders(nonces?: boolean): Promise<ResourceServer>;
}

function useScene(options: WorldOptions): Scene {
  let world: IssuerWorld | undefined;
  const servers: ResourceServer[] = [];
  const current = (): IssuerWorld => {
    if (world === undefined) throw new Error('the issuer does not run');
    return world;
  };
  beforeAll(async () => {
    world = await startIssuerWorld(options);
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    await world?.close();
  });
  return {
    world: current,
    async orders(nonces = false) {
      const dpop = nonces ? { dpop: { nonce: { secret: 'n'.repeat(32) } } } : {};
      const server = await startResourceServer(current(), dpop);
      servers.push(server);
      return server;
    },
  };
}

/** A token of somebody else that has come to the party: its own audience is in it. */
async function tokenOfCaller(connect: Connect, world: IssuerWorld, { clientId }: Party): Promise<string> {
  const caller = await world.join('client_secret_basic', { resources: [`urn:${clientId}`] });
  const client = await connect(world, caller);
  return (await client.token(CLIENT_CREDENTIALS, parameters({}))).access_token;
}

function methodRows(connect: Connect, { world, orders }: Scene, rows: readonly Way[]): void {
  const formats = rows.flatMap((way) => [[way, 'jwt'] as const, [way, 'opaque'] as const]);

  it.each(formats)('%s, %s tokens: got, exchanged, introspected, used, revoked', async (way, tokenFormat) => {
    const clientId = `service-${randomUUID()}`;
    const serves = [`urn:${clientId}`];
    const party = await world().join(way, { clientId, serves, tokenFormat });
    const client = await connect(world(), party);
    const service = await orders();

    const asked = parameters({ scope: 'read', resource: [ORDERS, STOCK] });
    const own = await client.token(CLIENT_CREDENTIALS, asked);
    expect(own).toMatchObject({ token_type: 'bearer', expires_in: 900, scope: 'read' });
    expect(own.access_token.split('.').length).toBe(tokenFormat === 'jwt' ? 3 : 1);
    expect(await client.introspect(own.access_token)).toMatchObject({
      active: true,
      client_id: clientId,
      sub: clientId,
      aud: [ORDERS, STOCK],
      scope: 'read',
    });
    const before = await client.call(service.url, own.access_token);
    expect([before.status, await before.json()]).toEqual([
      200,
      { clientId, subject: clientId, scheme: 'Bearer' },
    ]);

    const subjectToken = await tokenOfCaller(connect, world(), party);
    const more = { scope: 'read', resource: ORDERS };
    const exchanged = await client.token(TOKEN_EXCHANGE, exchangeOf(subjectToken, more));
    expect(exchanged).toMatchObject({ token_type: 'bearer', scope: 'read', issued_token_type: ACCESS_TOKEN });
    expect(exchanged.expires_in).toBeLessThanOrEqual(600);
    const onBehalf = await client.call(service.url, exchanged.access_token);
    expect(await onBehalf.json()).toMatchObject({
      clientId,
      subject: decodeJwt(subjectToken).sub,
      actor: { sub: clientId },
    });

    await client.revoke(own.access_token);
    expect(await client.introspect(own.access_token)).toEqual({ active: false });
    service.forget();
    expect((await client.call(service.url, own.access_token)).status).toBe(401);
    expect((await client.call(service.url, exchanged.access_token)).status).toBe(200);
  });

  it('introspection may be asked for in signed form', async () => {
    const [way = 'client_secret_basic'] = rows;
    const party = await world().join(way);
    const client = await connect(world(), party, { signed: true });
    const { access_token: token } = await client.token(CLIENT_CREDENTIALS, parameters({ resource: ORDERS }));
    const { clientId } = party;
    expect(await client.introspect(token)).toMatchObject({ active: true, client_id: clientId, aud: ORDERS });
    expect(await client.introspect(`${token}x`)).toEqual({ active: false });
  });
}

function refusalRows(connect: Connect, { world }: Scene): void {
  const asked = (): URLSearchParams => parameters({ resource: ORDERS });

  it.each<Way>(['client_secret_basic', 'client_secret_post', 'client_secret_jwt'])(
    '%s: another secret is refused',
    async (way) => {
      const party = await world().join(way);
      const { clientSecret } = await world().join('client_secret_basic');
      const client = await connect(world(), { ...party, clientSecret });
      expect(await refusalOf(client.token(CLIENT_CREDENTIALS, asked()))).toBe('401 invalid_client');
    },
  );

  it.each<Way>(['private_key_jwt by jwks', 'private_key_jwt by jwks_uri'])(
    '%s: another key is refused',
    async (way) => {
      const party = await world().join(way);
      const client = await connect(world(), { ...party, key: await createPartyKey() });
      expect(await refusalOf(client.token(CLIENT_CREDENTIALS, asked()))).toBe('401 invalid_client');
    },
  );

  it.each<Way>(['client_secret_jwt', 'private_key_jwt by jwks', 'private_key_jwt by jwks_uri'])(
    '%s: an assertion that was used is refused',
    async (way) => {
      const party = await world().join(way);
      const client = await connect(world(), party, { jti: randomUUID() });
      expect((await client.token(CLIENT_CREDENTIALS, asked())).token_type).toBe('bearer');
      expect(await refusalOf(client.token(CLIENT_CREDENTIALS, asked()))).toBe('401 invalid_client');
      const next = await connect(world(), party);
      expect((await next.token(CLIENT_CREDENTIALS, asked())).token_type).toBe('bearer');
    },
  );

  it.each<Way>(['client_secret_jwt', 'private_key_jwt by jwks', 'a federated assertion'])(
    '%s: an assertion for another server is refused',
    async (way) => {
      const party = await world().join(way);
      const foreign = await connect(world(), party, { audience: 'https://other.example' });
      expect(await refusalOf(foreign.token(CLIENT_CREDENTIALS, asked()))).toBe('401 invalid_client');
      const own = await connect(world(), party, { audience: `${world().url}/token` });
      expect((await own.token(CLIENT_CREDENTIALS, asked())).token_type).toBe('bearer');
    },
  );

  it('a federated assertion: that of another workload is refused', async () => {
    const [party, other] = await Promise.all([
      world().join('a federated assertion'),
      world().join('a federated assertion'),
    ]);
    const client = await connect(world(), { ...party, assertion: other.assertion });
    expect(await refusalOf(client.token(CLIENT_CREDENTIALS, asked()))).toBe('401 invalid_client');
  });

  it('a method that is not registered is refused, as are unknown and revoked services', async () => {
    const party = await world().join('client_secret_basic');
    const byPost = await connect(world(), { ...party, way: 'client_secret_post' });
    expect(await refusalOf(byPost.token(CLIENT_CREDENTIALS, asked()))).toBe('401 invalid_client');
    const unknown = await connect(world(), { ...party, clientId: 'nobody' });
    expect(await refusalOf(unknown.token(CLIENT_CREDENTIALS, asked()))).toBe('401 invalid_client');
    const client = await connect(world(), party);
    await world().admin.services.revoke(party.clientId);
    expect(await refusalOf(client.token(CLIENT_CREDENTIALS, asked()))).toBe('401 invalid_client');
  });
}

function targetRows(connect: Connect, { world, orders }: Scene): void {
  it('scopes and resources that are not registered are refused', async () => {
    const client = await connect(world(), await world().join('client_secret_basic'));
    const ask = (more: Record<string, string>): Promise<string> =>
      refusalOf(client.token(CLIENT_CREDENTIALS, parameters(more)));
    expect(await ask({ resource: ORDERS, scope: 'read admin' })).toBe('400 invalid_scope');
    expect(await ask({ resource: 'https://unknown.example' })).toBe('400 invalid_target');
    expect(await ask({})).toBe('400 invalid_target');
    expect(await refusalOf(client.token('password', parameters({})))).toBe('400 unsupported_grant_type');
  });

  it('a token for one resource is of no use at another', async () => {
    const client = await connect(world(), await world().join('client_secret_basic'));
    const service = await orders();
    const { access_token } = await client.token(CLIENT_CREDENTIALS, parameters({ resource: STOCK }));
    expect((await client.call(service.url, access_token)).status).toBe(401);
  });

  it('a token that came to somebody else cannot be exchanged, introspected or revoked', async () => {
    const [party, other] = await Promise.all([
      world().join('client_secret_basic'),
      world().join('client_secret_basic'),
    ]);
    const foreign = await tokenOfCaller(connect, world(), other);
    const client = await connect(world(), party);
    const exchange = client.token(TOKEN_EXCHANGE, exchangeOf(foreign, { resource: ORDERS }));
    expect(await refusalOf(exchange)).toBe('400 invalid_request');
    expect(await client.introspect(foreign)).toEqual({ active: false });
    expect(await refusalOf(client.revoke(foreign))).toBe('400 invalid_grant');
  });
}

function bindingRows(connect: Connect, { world, orders }: Scene, nonces: boolean): void {
  it.each([
    ['ES256', 'jwt'],
    ['ES256', 'opaque'],
    ['Ed25519', 'jwt'],
    ['Ed25519', 'opaque'],
  ] as const)('DPoP with %s, %s tokens: bound, exchanged, used', async (dpop, tokenFormat) => {
    const party = await world().join('private_key_jwt by jwks', { tokenFormat, dpopBound: true });
    const [client, thief, service] = await Promise.all([
      connect(world(), party, { dpop }),
      connect(world(), party),
      orders(nonces),
    ]);
    const asked = parameters({ resource: ORDERS });
    const own = await client.token(CLIENT_CREDENTIALS, asked);
    expect(own.token_type).toBe('dpop');
    const { cnf } = await client.introspect(own.access_token);
    expect(cnf).toEqual({ jkt: expect.stringMatching(/^[\w-]{43}$/) });
    const answer = await client.call(service.url, own.access_token);
    expect([answer.status, await answer.json()]).toMatchObject([200, { scheme: 'DPoP', confirmation: cnf }]);
    // A second call uses the nonce that it has, and a proof of its own.
    expect((await client.call(service.url, own.access_token)).status).toBe(200);
    expect((await thief.call(service.url, own.access_token)).status).toBe(401);

    const exchange = exchangeOf(own.access_token, { resource: ORDERS, scope: 'read' });
    const exchanged = await client.token(TOKEN_EXCHANGE, exchange);
    expect(exchanged.token_type).toBe('dpop');
    expect((await client.call(service.url, exchanged.access_token)).status).toBe(200);
    expect(await refusalOf(thief.token(CLIENT_CREDENTIALS, asked))).toBe('400 invalid_dpop_proof');
  });

  it('a bound token that is exchanged without a proof stays bound as it was', async () => {
    const party = await world().join('client_secret_basic');
    const [client, without, service] = await Promise.all([
      connect(world(), party, { dpop: 'ES256' }),
      connect(world(), party),
      orders(nonces),
    ]);
    const own = await client.token(CLIENT_CREDENTIALS, parameters({ resource: ORDERS }));
    const exchange = exchangeOf(own.access_token, { resource: ORDERS });
    const { token_type: type, access_token: exchanged } = await without.token(TOKEN_EXCHANGE, exchange);
    expect(type).toBe('dpop');
    const { cnf } = await client.introspect(own.access_token);
    expect(await without.introspect(exchanged)).toMatchObject({ active: true, cnf });
    expect((await without.call(service.url, exchanged)).status).toBe(401);
    expect((await client.call(service.url, exchanged)).status).toBe(200);
  });
}

function certificateRows(connect: Connect, { world, orders }: Scene): void {
  it.each([
    ['tls_client_auth', 'jwt'],
    ['tls_client_auth', 'opaque'],
    ['client_secret_basic', 'jwt'],
    ['private_key_jwt by jwks', 'opaque'],
  ] as const)('%s, %s tokens that are bound to the certificate', async (way, tokenFormat) => {
    const party = await world().join(way, { tokenFormat, certificateBound: true });
    const [client, thief, service] = await Promise.all([
      connect(world(), party),
      connect(world(), { ...party, fetch: world().fetch }),
      orders(),
    ]);
    const own = await client.token(CLIENT_CREDENTIALS, parameters({ resource: ORDERS }));
    const { cnf } = await client.introspect(own.access_token);
    expect(cnf).toEqual({ 'x5t#S256': expect.stringMatching(/^[\w-]{43}$/) });
    const answer = await client.call(service.url, own.access_token);
    expect([answer.status, await answer.json()]).toMatchObject([200, { confirmation: cnf }]);
    expect((await thief.call(service.url, own.access_token)).status).toBe(401);

    const exchange = exchangeOf(own.access_token, { resource: ORDERS, scope: 'read' });
    const { access_token: exchanged } = await client.token(TOKEN_EXCHANGE, exchange);
    expect(await client.introspect(exchanged)).toMatchObject({ active: true, cnf });
    expect((await client.call(service.url, exchanged)).status).toBe(200);
    expect((await thief.call(service.url, exchanged)).status).toBe(401);
  });

  it('tls_client_auth: other names and other authorities are refused', async () => {
    const party = await world().join('tls_client_auth');
    const foreign = await createAuthority('other.example');
    const host = `${party.clientId}.internal`;
    for (const fetch of [
      world().fetch,
      await world().fetchAs('other.internal'),
      await world().fetchAs(host, foreign),
    ]) {
      const client = await connect(world(), { ...party, fetch });
      const attempt = client.token(CLIENT_CREDENTIALS, parameters({ resource: ORDERS }));
      expect(await refusalOf(attempt)).toBe('401 invalid_client');
    }
  });
}
