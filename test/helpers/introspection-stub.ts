/** An introspection endpoint that answers what a test says, over a real socket. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { EventBody } from '../../src/events.ts';
import {
  createIntrospector,
  type Introspector,
  type IntrospectorOptions,
} from '../../src/inbound/introspection.ts';
import { clientSecretBasic } from '../../src/shared/client-auth.ts';
import { keyAlgorithms } from '../../src/shared/crypto.ts';
import { createStaticKeySet, parseKeySet } from '../../src/shared/key-set.ts';
import { UndecidedError } from '../../src/shared/undecided.ts';
import { issuer, nowMs } from './tokens.ts';

export interface IntrospectionRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly form: URLSearchParams;
}

type Reply = (response: ServerResponse, request: IntrospectionRequest) => void;

export interface IntrospectionStub {
  readonly url: string;
  readonly requests: IntrospectionRequest[];
  /** What every request gets from now on. */
  reply: Reply;
  close(): Promise<void>;
}

export async function startIntrospectionStub(
  first: Reply = says({ active: true }),
): Promise<IntrospectionStub> {
  const requests: IntrospectionRequest[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const seen = {
      method: request.method,
      url: request.url,
      headers: request.headers,
      form: new URLSearchParams(body),
    };
    requests.push(seen);
    stub.reply(response, seen);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stub: IntrospectionStub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/introspect`,
    requests,
    reply: first,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return stub;
}

/** An answer in JSON. */
export function says(answer: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  };
}

/** A port of this machine at which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await new Promise<void>((resolve) => connect(port, '127.0.0.1').on('error', () => resolve()));
  return port;
}

export interface Harness {
  readonly introspector: Introspector;
  readonly events: EventBody[];
  /** The waits between attempts, which took no time. */
  readonly slept: number[];
  /** In epoch milliseconds. */
  time: number;
}

/** An introspector with a clock of its own, which asks the endpoint. */
export function createHarness(endpoint: string, changes: Partial<IntrospectorOptions> = {}): Harness {
  const events: EventBody[] = [];
  const slept: number[] = [];
  const harness: Harness = {
    events,
    slept,
    time: nowMs,
    introspector: createIntrospector({
      issuer,
      endpoint: () => endpoint,
      clientId: 'orders',
      clientAuth: clientSecretBasic('the secret of orders'),
      cacheSeconds: 30,
      negativeCacheSeconds: 10,
      timeoutMs: 3000,
      retries: 1,
      response: 'json',
      store: undefined,
      keys: createStaticKeySet(parseKeySet({ keys: [] }, keyAlgorithms)),
      algorithms: new Set(keyAlgorithms),
      fetch: undefined,
      now: () => harness.time,
      random: () => 1,
      sleep: async (ms) => {
        slept.push(ms);
      },
      emit: (event) => events.push(event),
      ...changes,
    }),
  };
  return harness;
}

/** How an introspector fails to decide. */
export async function undecided(
  { introspector }: Harness,
  token = 'an-opaque-token',
): Promise<UndecidedError> {
  try {
    await introspector.introspect(token);
  } catch (error) {
    if (error instanceof UndecidedError) return error;
    throw error;
  }
  throw new Error('it was decided');
}
