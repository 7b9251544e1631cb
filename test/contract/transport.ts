/** One server behind one interface: send a request, get status, headers and body. */
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Caller } from '../../src/index.ts';

export interface Sent {
  readonly method: string;
  readonly path: string;
  /** Several values become several header fields. */
  readonly authorization: string | readonly string[] | undefined;
  /** The `DPoP` header. */
  readonly dpop?: string | readonly string[] | undefined;
}

/** The header fields to send, those without a value left out. */
function fieldsOf({ authorization, dpop }: Sent): Record<string, string | string[]> {
  const given = Object.entries({ authorization, dpop }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Record<string, string | string[]>;
}

export interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface Transport {
  send(sent: Sent): Promise<Got>;
  close(): Promise<void>;
}

/** What the handlers answer: the caller as JSON, or `null` where there is none. */
export function describeCaller(caller: Caller | undefined): string {
  if (caller === undefined) return 'null';
  const { issuer, subject, clientId, kind, audience, scopes, tokenId } = caller;
  return JSON.stringify({ issuer, subject, clientId, kind, audience, scopes: [...scopes], tokenId });
}

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Headers may be larger than Node's default, so that the verifier's own bound is what is tested. */
export async function overHttp(listener: Listener): Promise<Transport> {
  const server = createServer({ maxHeaderSize: 64 * 1024 }, listener);
  return overServer(server);
}

export async function overServer(server: Server): Promise<Transport> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    send: (sent) =>
      new Promise((resolve, reject) => {
        const { method, path } = sent;
        const outgoing = httpRequest(
          { port, method, path, headers: fieldsOf(sent), agent: false },
          (incoming) => {
            let body = '';
            incoming.setEncoding('utf8').on('data', (text: string) => {
              body += text;
            });
            incoming.on('error', reject).on('end', () =>
              resolve({
                status: incoming.statusCode ?? 0,
                headers: incoming.headers as Record<string, string>,
                body,
              }),
            );
          },
        );
        outgoing.on('error', reject).end();
      }),
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

export function inProcess(handle: (request: Request) => Response | Promise<Response>): Transport {
  return {
    async send(sent) {
      const { method, path } = sent;
      const headers = new Headers();
      for (const [name, values] of Object.entries(fieldsOf(sent))) {
        for (const value of [values].flat()) headers.append(name, value);
      }
      const response = await handle(new Request(`http://127.0.0.1${path}`, { method, headers }));
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: await response.text(),
      };
    },
    close: async () => {},
  };
}

export function injected(app: FastifyInstance): Transport {
  return {
    async send(sent) {
      const { method, path } = sent;
      const response = await app.inject({ method: method as 'GET', url: path, headers: fieldsOf(sent) });
      return {
        status: response.statusCode,
        headers: response.headers as Record<string, string>,
        body: response.body,
      };
    },
    close: () => app.close(),
  };
}
