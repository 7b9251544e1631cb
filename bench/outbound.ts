/** Calls with a token that is in memory, against the same transport with a header that never changes; first calls. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import * as openid from 'openid-client';
import { type AuthedFetchOptions, createAuthedFetch } from 'service-auth';
import { authInterceptor } from 'service-auth/undici';
import { type Dispatcher, Pool } from 'undici';
import type { Contender } from './harness.ts';

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
    ...(await viaOauth4webapi(token, url)),
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
  return [
    {
      name: 'floor: undici, pool.request with a token',
      run: (_, count) => together(count, () => request(pool, headers)),
    },
    {
      name: 'service-auth, authedFetch, one token request for all',
      run: (_, count) => {
        const authedFetch = createAuthedFetch(optionsFor(servers));
        return askingOnce(servers, () =>
          together(count, async () => read(await authedFetch(servers.service + path))),
        );
      },
    },
    {
      name: 'service-auth/undici, one token request for all',
      run: (_, count) => askingOnce(servers, () => together(count, viaInterceptor(servers, pool))),
    },
  ];
}

function calls(name: string, call: Call): Contender {
  const run = async (_: number, count: number): Promise<void> => {
    let left = count;
    const work = async (): Promise<void> => {
      while (left-- > 0) await call();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  };
  return { name, run };
}

async function together(count: number, call: Call): Promise<void> {
  await Promise.all(Array.from({ length: count }, call));
}

async function askingOnce(servers: Servers, work: () => Promise<void>): Promise<void> {
  const before = await tokenRequestsSoFar(servers);
  await work();
  const requests = (await tokenRequestsSoFar(servers)) - before;
  if (requests !== 1) throw new Error(`first calls at once made ${requests} token requests`);
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
  must(statusCode);
  await body.json();
}

async function read(response: Response): Promise<void> {
  must(response.status);
  await response.json();
}

function must(status: number): void {
  if (status !== 200) throw new Error(`a call of the benchmark was answered with ${status}`);
}

function viaOpenidClient(token: string, url: string): Call {
  const configuration = new openid.Configuration({ issuer: 'https://idp.example' }, clientId, clientSecret);
  openid.allowInsecureRequests(configuration);
  return async () => read(await openid.fetchProtectedResource(configuration, token, new URL(url), 'GET'));
}

async function viaOauth4webapi(token: string, url: string): Promise<readonly Contender[]> {
  const oauth = await import('oauth4webapi').catch(() => undefined);
  if (oauth === undefined) return [];
  const options = { [oauth.allowInsecureRequests]: true };
  const call = async (): Promise<void> =>
    read(await oauth.protectedResourceRequest(token, 'GET', new URL(url), undefined, undefined, options));
  return [calls('oauth4webapi, protectedResourceRequest', call)];
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
  started ??= start();
  return started;
}

async function start(): Promise<Servers> {
  const server = fork(fileURLToPath(new URL('outbound-server.ts', import.meta.url)));
  const [servers] = (await once(server, 'message')) as [Servers];
  server.unref();
  server.channel?.unref();
  return servers;
}
