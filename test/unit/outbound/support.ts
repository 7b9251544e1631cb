/** Real servers on loopback, a clock, and what else the outbound tests share. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, onTestFinished, vi } from 'vitest';
import type { ServiceAuthEvent } from '../../../src/events.ts';
import type { TokenClientOptions } from '../../../src/outbound/token-client-options.ts';

/** A word that must never be seen where secrets do not belong. */
export const secretCanary = 'canary-secret-7b1f';
export const tokenCanary = 'canary-token-93ad';

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface TestServer {
  readonly origin: string;
  readonly received: Received[];
}

export type Handler = (request: Received, response: ServerResponse) => void | Promise<void>;

/** Starts a server on a free port that ends with the test. */
export async function startServer(handle: Handler): Promise<TestServer> {
  const received: Received[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const request = {
      method: incoming.method ?? '',
      url: incoming.url ?? '',
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString(),
    };
    received.push(request);
    await handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

export function sendJson(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export interface TokenServer extends TestServer {
  readonly tokenEndpoint: string;
  /** What a client needs to ask here. */
  readonly options: Omit<TokenClientOptions, 'fetch' | 'onEvent'> & {
    readonly onEvent: (event: ServiceAuthEvent) => void;
  };
  readonly events: ServiceAuthEvent[];
  /** Answers the next requests, first in first out; then `token-1`, `token-2` and so on for ten minutes. */
  readonly next: Handler[];
}

export async function startTokenServer(
  options: Omit<TokenClientOptions, 'fetch' | 'onEvent'> = {},
): Promise<TokenServer> {
  const next: Handler[] = [];
  const events: ServiceAuthEvent[] = [];
  let count = 0;
  const server = await startServer((request, response) => {
    const special = next.shift();
    if (special !== undefined) return special(request, response);
    count++;
    sendJson(response, { access_token: `token-${count}`, token_type: 'Bearer', expires_in: 600 });
  });
  const tokenEndpoint = `${server.origin}/token`;
  return {
    ...server,
    tokenEndpoint,
    next,
    events,
    options: {
      tokenEndpoint,
      clientId: 'billing',
      clientSecret: secretCanary,
      onEvent: (event) => events.push(event),
      ...options,
    },
  };
}

export function createClock(start = 1_800_000_000_000): { now: () => number; advance(ms: number): void } {
  let time = start;
  return {
    now: () => time,
    advance(ms) {
      time += ms;
    },
  };
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function createDeferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** The error that a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it did not reject');
    },
    (error: unknown) => error,
  );
}

export const eventTypes = (events: readonly ServiceAuthEvent[]): string[] => events.map(({ type }) => type);

/** A mistake with this text and code, to the letter, down to where to read about it. */
export const mistake = (message: string, code = 'option_invalid'): unknown =>
  expect.objectContaining({
    name: 'TypeError',
    code,
    message: `${message} (npx service-auth explain ${code})`,
  });

/** The names of a token client's options, as mistakes list them. */
export const clientOptions = [
  'issuer, discovery, tokenEndpoint, clientId, clientSecret, clientAuth, scope, resource, audience',
  'extraParameters, dpop, store, storeKey, refresh, defaultLifetimeSeconds, timeoutMs, fetch, now, random, onEvent',
].join(', ');

/** Lets no test of a file see the variables of this process. */
export function withoutEnvironment(): void {
  beforeEach(() => {
    for (const name of ['ISSUER', 'CLIENT_ID', 'CLIENT_SECRET', 'CLIENT_SECRET_FILE']) {
      vi.stubEnv(`SERVICE_AUTH_${name}`, '');
    }
    for (const name of ['SCOPE', 'RESOURCE', 'TOKEN_AUDIENCE', 'TARGETS']) {
      vi.stubEnv(`SERVICE_AUTH_${name}`, '');
    }
  });

  afterEach(() => {
    vi.unstubAllEnvs();
  });
}
