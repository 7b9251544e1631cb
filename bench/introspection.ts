/** Opaque tokens that were not seen before (RFC 7662), against a bare POST of the same form. */
import * as openid from 'openid-client';
import { createVerifier, type Guard } from 'service-auth';
import { Pool } from 'undici';
import { startChild } from './children.ts';
import { atOnce, batchOf, type Contender, must } from './harness.ts';
import { audience, createSigner, issuer } from './tokens.ts';

const AT_ONCE = 32;
const clientId = 'orders';
const clientSecret = 'a secret of the usual length, made for the benchmark alone';
const credentials = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
const headers = {
  accept: 'application/json',
  authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
  'content-type': 'application/x-www-form-urlencoded',
};

/** Judges one token; rejects where it is refused. */
type Ask = (token: string) => unknown;

let made = 0;
/** An opaque token; the number in front keeps them apart. */
const newToken = (): string => `${`${made++}`.padStart(10, '0')}-dGhlIHNhbWUgbGVuZ3RoIGFzIHVzdWFs`;

/** Every token is new, 32 at once. */
export async function introspection(): Promise<readonly Contender[]> {
  const origin = await startServer();
  return [
    misses('floor: undici, pool.request', bare(origin)),
    misses('service-auth, whole authenticate', await ours(origin)),
    misses('openid-client, tokenIntrospection', viaOpenidClient(origin)),
    misses('global fetch', viaFetch(origin)),
  ];
}

/** A token that was asked about before, on fresh strings. */
export async function introspectionHits(): Promise<readonly Contender[]> {
  const ask = await guardFor(await startServer());
  const header = Buffer.from(`Bearer ${newToken()}`, 'latin1');
  const outcome = await ask(header.toString('latin1'));
  must(outcome.ok);
  let length = 0;
  return [
    {
      name: 'floor: making the string',
      run: (_, count) => {
        for (let left = count; left > 0; left--) length += header.toString('latin1').length;
        if (length === 0) throw new Error('no string was made');
      },
    },
    {
      name: 'service-auth, whole authenticate',
      run: async (_, count) => {
        for (let left = count; left > 0; left--) {
          const hit = ask(header.toString('latin1'));
          // An answer is believed for a while alone; then it is asked for anew.
          must((hit instanceof Promise ? await hit : hit).ok);
        }
      },
    },
  ];
}

/** Every round brings one new token in as many requests as there are operations, all at once. */
export async function introspectionShared(): Promise<readonly Contender[]> {
  const origin = await startServer();
  const [askBare, ask] = [bare(origin), await ours(origin)];
  let calls = 0;
  return [
    {
      name: 'floor: undici, pool.request, a call each',
      run: (_, count) => shared(count, askBare),
    },
    {
      name: 'service-auth, one call for all',
      run: async (_, count) => {
        const before = await callsSoFar(origin);
        await shared(count, ask);
        calls = Math.max(calls, (await callsSoFar(origin)) - before);
      },
      figures: () => ({ calls }),
    },
  ];
}

function misses(name: string, ask: Ask): Contender {
  const batch = batchOf(newToken);
  const run = (from: number, count: number): Promise<void> =>
    atOnce(AT_ONCE, count, (at) => ask(batch.items[from + at] ?? ''));
  return { name, prepare: batch.prepare, run };
}

function shared(count: number, ask: Ask): Promise<void> {
  const token = newToken();
  return atOnce(count, count, () => ask(token));
}

function bare(origin: string): Ask {
  const pool = new Pool(origin, { connections: AT_ONCE });
  return async (token) => {
    const { body } = await pool.request({
      path: '/introspect',
      method: 'POST',
      headers,
      body: formOf(token),
    });
    mustBeActive(await body.json());
  };
}

async function ours(origin: string): Promise<Ask> {
  const guard = await guardFor(origin);
  return async (token) => {
    const outcome = await guard(`Bearer ${token}`);
    if (!outcome.ok) throw new Error(`a token of the benchmark was refused: ${outcome.rejection.reason}`);
  };
}

/** Judges the `Authorization` header of a request. */
async function guardFor(origin: string): Promise<(value: string) => ReturnType<Guard>> {
  const introspection = { endpoint: `${origin}/introspect`, clientId, clientSecret };
  // Keys of its own, though no JWT comes: otherwise they would be looked for at the issuer.
  const { jwk } = await createSigner('ES256');
  const verifier = createVerifier({ issuer: { issuer, jwks: { keys: [jwk] }, introspection }, audience });
  const guard = verifier.guard({ scope: 'orders:read' });
  return (value) => guard({ method: 'GET', url: '/orders', headers: { get: () => value } });
}

function viaOpenidClient(origin: string): Ask {
  const server = { issuer, introspection_endpoint: `${origin}/introspect` };
  const authentication = openid.ClientSecretBasic(clientSecret);
  const configuration = new openid.Configuration(server, clientId, clientSecret, authentication);
  openid.allowInsecureRequests(configuration);
  return async (token) => mustBeActive(await openid.tokenIntrospection(configuration, token));
}

function viaFetch(origin: string): Ask {
  return async (token) => {
    const body = formOf(token);
    const response = await fetch(`${origin}/introspect`, { method: 'POST', headers, body });
    mustBeActive(await response.json());
  };
}

function formOf(token: string): string {
  return `token=${token}&token_type_hint=access_token`;
}

function mustBeActive(answer: unknown): void {
  const isActive = typeof answer === 'object' && answer !== null && 'active' in answer && answer.active;
  if (isActive !== true) throw new Error('the endpoint of the benchmark refused a token');
}

async function callsSoFar(origin: string): Promise<number> {
  return Number(await (await fetch(origin)).text());
}

let started: Promise<string> | undefined;

/** One server for all tables, which ends with this process and does not hold it. */
function startServer(): Promise<string> {
  started ??= start();
  return started;
}

async function start(): Promise<string> {
  return `http://127.0.0.1:${await startChild('introspection-server.ts').ask<number>({})}`;
}
