/** Calls with a token that is in memory, against the same transport with a header that never changes; first calls. */
import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { type AuthedFetchOptions, createAuthedFetch } from 'service-auth';
import { authInterceptor } from 'service-auth/undici';
import { ClientCredentials } from 'simple-oauth2';
import { type Dispatcher, Pool } from 'undici';
import { startChild } from './children.ts';
import { atOnce, type Contender } from './harness.ts';

const AT_ONCE = 32;
const path = '/orders/4711';
const clientId = 'billing';
const clientSecret = 'a secret of the usual length, made for the benchmark alone';

/** Makes one call; rejects where it is refused. */
type Call = () => Promise<unknown>;

/** Over the global `fetch`, which is the floor; other libraries go over it, too. */
export async function outboundFetch(): Promise<readonly Contender[]> {
  const servers = await startServers();
  const token = await askForToken(servers);
  const url = servers.service + path;
  const authedFetch = createAuthedFetch(optionsFor(servers));
  const headers = { authorization: `Bearer ${token}` };
  return [
    calls('floor: global fetch, the same header each time', async () => read(await fetch(url, { headers }))),
    calls('service-auth, authedFetch', async () => read(await authedFetch(url))),
    calls('service-auth/undici, pool.request', viaInterceptor(servers)),
    calls('openid-client, fetchProtectedResource', viaOpenidClient(token, url)),
    calls('oauth4webapi, protectedResourceRequest', viaOauth4webapi(token, url)),
    calls('simple-oauth2, token by hand', viaSimpleOauth2(servers)),
    calls('@badgateway/oauth2-client, OAuth2Fetch', viaBadgateway(servers)),
  ];
}

/** Over a pool of undici, which is the floor. */
export async function outboundUndici(): Promise<readonly Contender[]> {
  const servers = await startServers();
  const pool = new Pool(servers.service, { connections: AT_ONCE, keepAliveTimeout: 60_000 });
  const headers = { authorization: `Bearer ${await askForToken(servers)}` };
  return [
    calls('floor: undici, pool.request, the same header each time', () => request(pool, headers)),
    calls('service-auth/undici, pool.request', viaInterceptor(servers)),
  ];
}

/** As many clients as rounds, each with as many first calls at once as there are operations. */
export async function outboundFirst(): Promise<readonly Contender[]> {
  const servers = await startServers();
  const headers = { authorization: `Bearer ${await askForToken(servers)}` };
  const pool = new Pool(servers.service, { connections: AT_ONCE, keepAliveTimeout: 60_000 });
  const url = servers.service + path;
  return [
    {
      name: 'floor: undici, pool.request with a token',
      run: (_, count) => atOnce(count, count, () => request(pool, headers)),
    },
    firstCalls('service-auth, authedFetch', servers, () => {
      const authedFetch = createAuthedFetch(optionsFor(servers));
      return async () => read(await authedFetch(url));
    }),
    firstCalls('service-auth/undici, pool.request', servers, () => viaInterceptor(servers, pool)),
    firstCalls('@badgateway/oauth2-client, OAuth2Fetch', servers, () => viaBadgateway(servers)),
    firstCalls('simple-oauth2, token by hand', servers, () => viaSimpleOauth2(servers)),
    firstCalls('oauth4webapi, token by hand', servers, () => viaFirstOauth4webapi(servers)),
    firstCalls('openid-client, token by hand', servers, () => viaFirstOpenidClient(servers)),
  ];
}

/** A client of its own in each round, whose calls all find no token. Our own must ask for one alone. */
function firstCalls(name: string, servers: Servers, createClient: () => Call): Contender {
  let most = 0;
  return {
    name,
    run: async (_, count) => {
      const before = await tokenRequestsSoFar(servers);
      await atOnce(count, count, createClient());
      most = Math.max(most, (await tokenRequestsSoFar(servers)) - before);
    },
    figures: () => ({ 'token requests': most }),
  };
}

function calls(name: string, call: Call): Contender {
  return { name, run: (_, count) => atOnce(AT_ONCE, count, call) };
}

function optionsFor({ issuer, service }: Servers): AuthedFetchOptions {
  return { tokenEndpoint: `${issuer}/token`, clientId, clientSecret, targets: [service] };
}

function viaInterceptor(
  servers: Servers,
  pool = new Pool(servers.service, { connections: AT_ONCE, keepAliveTimeout: 60_000 }),
): Call {
  const composed = pool.compose(authInterceptor({ ...optionsFor(servers), origin: servers.service }));
  return () => request(composed);
}

async function request(dispatcher: Dispatcher, headers: Record<string, string> | null = null): Promise<void> {
  const { statusCode, body } = await dispatcher.request({ path, method: 'GET', headers });
  mustBeOk(statusCode);
  await body.json();
}

async function read(response: Response): Promise<void> {
  mustBeOk(response.status);
  await response.json();
}

function mustBeOk(status: number): void {
  if (status !== 200) throw new Error(`a call of the benchmark was answered with ${status}`);
}

function viaOpenidClient(token: string, url: string): Call {
  const configuration = new openid.Configuration({ issuer: 'https://idp.example' }, clientId, clientSecret);
  openid.allowInsecureRequests(configuration);
  return async () => read(await openid.fetchProtectedResource(configuration, token, new URL(url), 'GET'));
}

function viaOauth4webapi(token: string, url: string): Call {
  const options = { [oauth.allowInsecureRequests]: true };
  return async () =>
    read(await oauth.protectedResourceRequest(token, 'GET', new URL(url), undefined, undefined, options));
}

/** It keeps no token: programs hold it themselves, ask whether it has expired, and put it into a header. */
function viaSimpleOauth2({ issuer, service }: Servers): Call {
  const client = new ClientCredentials({
    client: { id: clientId, secret: clientSecret },
    auth: { tokenHost: issuer, tokenPath: '/token' },
  });
  let held: Awaited<ReturnType<typeof client.getToken>> | undefined;
  return async () => {
    if (held === undefined || held.expired(60)) held = await client.getToken({});
    const headers = { authorization: `Bearer ${held.token.access_token}` };
    return read(await fetch(service + path, { headers }));
  };
}

function viaBadgateway({ issuer, service }: Servers): Call {
  const client = new OAuth2Client({ clientId, clientSecret, tokenEndpoint: `${issuer}/token` });
  const wrapper = new OAuth2Fetch({ client, getNewToken: () => client.clientCredentials() });
  return async () => read(await wrapper.fetch(service + path));
}

function viaFirstOauth4webapi(servers: Servers): Call {
  const server = { issuer: servers.issuer, token_endpoint: `${servers.issuer}/token` };
  const client = { client_id: clientId };
  const options = { [oauth.allowInsecureRequests]: true };
  const authentication = oauth.ClientSecretBasic(clientSecret);
  let held: string | undefined;
  return async () => {
    if (held === undefined) {
      const response = await oauth.clientCredentialsGrantRequest(server, client, authentication, {}, options);
      held = (await oauth.processClientCredentialsResponse(server, client, response)).access_token;
    }
    return viaOauth4webapi(held, servers.service + path)();
  };
}

function viaFirstOpenidClient({ issuer, service }: Servers): Call {
  const server = { issuer, token_endpoint: `${issuer}/token` };
  const configuration = new openid.Configuration(server, clientId, clientSecret);
  openid.allowInsecureRequests(configuration);
  const url = new URL(service + path);
  let held: string | undefined;
  return async () => {
    held ??= (await openid.clientCredentialsGrant(configuration)).access_token;
    return read(await openid.fetchProtectedResource(configuration, held, url, 'GET'));
  };
}

async function askForToken({ issuer }: Servers): Promise<string> {
  const answer: unknown = await (await fetch(`${issuer}/token`, { method: 'POST' })).json();
  const token =
    typeof answer === 'object' && answer !== null && 'access_token' in answer && answer.access_token;
  if (typeof token !== 'string') throw new Error('the issuer of the benchmark gave no token');
  return token;
}

async function tokenRequestsSoFar({ issuer }: Servers): Promise<number> {
  return Number(await (await fetch(issuer)).text());
}

interface Servers {
  readonly issuer: string;
  readonly service: string;
}

let started: Promise<Servers> | undefined;

/** The same for all tables; they end with this process and do not hold it. */
function startServers(): Promise<Servers> {
  started ??= startChild('outbound-server.ts').ask<Servers>({});
  return started;
}
