/** The HTTP server of an issuer: bounds on headers, time and connections, and an end that loses no answer. */
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { OptionChecker } from '../../shared/options.ts';
import { problem } from './http-answers.ts';
import { answerNodeRequest, type IssuerHandler } from './node-http.ts';

/** Keys and certificates in PEM. */
export interface ServerTls {
  /** The private key of the server. */
  readonly key: string | Uint8Array;
  /** The certificate of the server, and those between it and its authority. */
  readonly cert: string | Uint8Array;
  /**
   * The authorities of client certificates. With them clients are asked for a certificate; one of another authority
   * is let in, but does not count as verified.
   */
  readonly ca?: string | Uint8Array | undefined;
}

export interface ServerTimes {
  /** For all headers of a request, from its first byte or that of the connection. */
  readonly headersMs: number;
  /** For all of a request. */
  readonly requestMs: number;
  /** For a connection on which nothing moves while a request is under way: a client that does not read its answer. */
  readonly stalledMs: number;
  /** For a connection between two requests. */
  readonly keepAliveMs: number;
  /** How often times are looked at. */
  readonly checkMs: number;
  /** For what is under way when the server closes. */
  readonly closeMs: number;
}

export const serverTimes: ServerTimes = Object.freeze({
  headersMs: 10_000,
  requestMs: 15_000,
  stalledMs: 30_000,
  // Above the idle time of common load balancers, so that they close connections first.
  keepAliveMs: 65_000,
  checkMs: 2000,
  closeMs: 10_000,
});

const MAX_HEADER_BYTES = 16 * 1024;
/** Above it new connections are dropped; those that are there go on. */
const MAX_CONNECTIONS = 10_000;
/** Requests of one connection that are answered at once; others that were sent without waiting are turned away. */
const MAX_PIPELINED = 16;

export interface NodeServer {
  /** Gives the port. */
  listen(port: number, host: string): Promise<number>;
  /** Stops being ready, and after so many milliseconds listening; then finishes what is under way. */
  close(drainMs: number): Promise<void>;
}

/** @throws TypeError where key and certificate cannot be used. */
export function createNodeServer(
  handler: IssuerHandler,
  check: OptionChecker,
  tls: ServerTls | undefined,
  times: ServerTimes = serverTimes,
): NodeServer {
  const sockets = new Set<Socket>();
  const underWay = new WeakMap<Socket, number>();
  let closing: Promise<void> | undefined;
  const server = makeServer(check, tls, times);
  server.timeout = times.stalledMs;
  server.maxConnections = MAX_CONNECTIONS;
  // Those without a TLS handshake are no connections of HTTP yet, and would hold up the end.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', (incoming, outgoing) => {
    const { socket } = incoming;
    const count = countUnderWay(socket, 1);
    void answerNodeRequest(incoming, outgoing, async (request, connection) => {
      if (count > MAX_PIPELINED) return tooMany();
      const isProbe = closing !== undefined && new URL(request.url).pathname === '/readyz';
      const response = isProbe ? problem(503, 'the server is closing') : await handler(request, connection);
      // While it drains, so that no connection is idle at the end: a request just sent on one would be lost.
      if (closing !== undefined) outgoing.shouldKeepAlive = false;
      return response;
    }).finally(() => countUnderWay(socket, -1));
  });

  function countUnderWay(socket: Socket, change: 1 | -1): number {
    const count = (underWay.get(socket) ?? 0) + change;
    underWay.set(socket, count);
    return count;
  }

  async function close(drainMs: number): Promise<void> {
    if (drainMs > 0) await new Promise((resolve) => setTimeout(resolve, drainMs));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, times.closeMs);
      server.close(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        // Also for what happens later, such as a connection that cannot be accepted: it must not end the process.
        server.on('error', (error: NodeJS.ErrnoException) => reject(listenError(error, port, host)));
        server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
      }),
    close(drainMs) {
      closing ??= close(drainMs);
      return closing;
    },
  };
}

function tooMany(): Response {
  return problem(503, 'too many requests on this connection at once', { headers: { 'retry-after': '1' } });
}

function makeServer(check: OptionChecker, tls: ServerTls | undefined, times: ServerTimes): Server {
  const bounds = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: times.headersMs,
    requestTimeout: times.requestMs,
    keepAliveTimeout: times.keepAliveMs,
    connectionsCheckingInterval: times.checkMs,
  };
  if (tls === undefined) return createServer(bounds);
  const { key, cert, ca } = check.object('tls', tls, ['key', 'cert', 'ca']);
  try {
    return createTlsServer({
      ...bounds,
      key: pem(key),
      cert: pem(cert),
      ...(ca !== undefined && { ca: pem(ca) }),
      requestCert: ca !== undefined,
      // Whoever has no certificate may have a secret; what a certificate is worth is the issuer's to judge.
      rejectUnauthorized: false,
      handshakeTimeout: times.headersMs,
      minVersion: 'TLSv1.2',
    });
  } catch {
    return check.failSecret('tls', 'a private key, its certificate and, if given, authorities, in PEM');
  }
}

function pem(text: unknown): string | Buffer {
  const isText = typeof text === 'string' || text instanceof Uint8Array;
  if (!isText || text.length === 0) throw new Error('no PEM');
  return typeof text === 'string' ? text : Buffer.from(text);
}

function listenError(error: NodeJS.ErrnoException, port: number, host: string): Error {
  const text =
    error.code === 'EADDRINUSE'
      ? `port ${port} of ${host} is in use by another program; choose another port, or 0 for a free one`
      : `cannot listen on port ${port} of ${host} (${error.code ?? error.name})`;
  return Object.assign(new Error(text), { code: error.code });
}
