/** An authorization server on loopback, of which any end can be made to fail in any way. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { statusListToken } from '../helpers/status-lists.ts';
import { audience, nowSeconds, type TestKey } from '../helpers/tokens.ts';

export const ends = ['discovery', 'key set', 'introspection', 'status list'] as const;
export type End = (typeof ends)[number];

type Answer = (request: IncomingMessage, response: ServerResponse, good: string) => void;

/** What can happen to an answer that would have been good. */
export const faults = {
  'status 500': (_request, response) => void response.writeHead(500).end('oops'),
  'status 429': (_request, response) => void response.writeHead(429, { 'retry-after': '2' }).end(),
  'connection reset': (request) => void request.socket.resetAndDestroy(),
  'cut off': (_request, response, good) => {
    response.writeHead(200, { 'content-length': `${good.length}` }).write(good.slice(0, 10));
    setImmediate(() => response.destroy());
  },
  'too large': (_request, response, good) => void response.end(good.padEnd(5_000_000, ' ')),
  redirect: (_request, response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
  malformed: (_request, response, good) => void response.end(`${good.slice(0, -1)}"`),
  'wrong content type': (_request, response, good) =>
    void response.setHeader('content-type', 'text/html').end(good),
  slow: (_request, response, good) => void setTimeout(() => response.end(good), 50),
  'never answers': () => {},
} satisfies Record<string, Answer>;
export type FaultName = keyof typeof faults;

export interface FaultServer {
  readonly url: string;
  readonly requests: End[];
  /** From now on this end fails; `undefined` mends it. */
  fail(end: End | undefined, fault?: FaultName): void;
  close(): Promise<void>;
}

const paths: Readonly<Record<string, End>> = {
  '/.well-known/oauth-authorization-server': 'discovery',
  '/.well-known/openid-configuration': 'discovery',
  '/jwks': 'key set',
  '/introspect': 'introspection',
  '/status/1': 'status list',
};

export async function startFaultServer(key: TestKey): Promise<FaultServer> {
  const requests: End[] = [];
  let failing: { end: End; fault: FaultName } | undefined;
  const server = createServer((request, response) => {
    const end = paths[request.url ?? ''];
    if (end === undefined) return void response.writeHead(404).end();
    requests.push(end);
    void goodAnswer(end).then((good) => {
      if (failing?.end === end) faults[failing.fault](request, response, good);
      else response.setHeader('content-type', 'application/json').end(good);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function goodAnswer(end: End): Promise<string> {
    if (end === 'status list') return statusListToken(key, `${url}/status/1`, [0]);
    const claims = { iss: url, aud: audience, client_id: 'billing', exp: nowSeconds + 86_400 };
    const documents = {
      discovery: { issuer: url, jwks_uri: `${url}/jwks`, introspection_endpoint: `${url}/introspect` },
      'key set': { keys: [key.publicJwk] },
      introspection: { active: true, ...claims },
    };
    return JSON.stringify(documents[end]);
  }

  return {
    url,
    requests,
    fail(end, fault) {
      failing = end === undefined || fault === undefined ? undefined : { end, fault };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
