/** The HTTP server of a gateway: bounds on headers and time, no bodies, and an end that loses no answer. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { VerifierHealth } from '../../index.ts';
import { errorCode } from '../../shared/http.ts';
import { type Gate, type GateAnswer, undecided } from './gate.ts';
import { ENVOY_PREFIX } from './original-request.ts';

export interface GatewayServer {
  /** Gives the port. */
  listen(port: number, host: string): Promise<number>;
  /** Stops being ready, and after so many milliseconds listening; then finishes what is under way. */
  close(drainMs: number): Promise<void>;
}

/** More than any proxy passes on: a token that is too large is refused by the verifier, which says why. */
const MAX_HEADER_BYTES = 64 * 1024;
const HEADERS_MS = 10_000;
const REQUEST_MS = 15_000;
const STALLED_MS = 30_000;
/** Above the idle time of common proxies, so that they close connections first. */
const KEEP_ALIVE_MS = 65_000;
/** For what is under way when the server closes. */
const CLOSE_MS = 10_000;

export function createGatewayServer(gate: Gate, isReady: () => boolean): GatewayServer {
  const sockets = new Set<Socket>();
  let closing: Promise<void> | undefined;
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  server.timeout = STALLED_MS;
  // Not 2,000, beyond which fields would be left out without a word: a second one of a name must be seen.
  server.maxHeadersCount = 0;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    respond(incoming, outgoing).catch(() => outgoing.destroy());
  };
  server.on('request', onRequest);
  // Who waits with a body for a word is answered at once.
  server.on('checkContinue', onRequest);

  async function respond(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { status, headers, body } = await answer(incoming).catch(() => undecided);
    // A body is not read, and must not be taken for the next request. While the server drains, a request that was just
    // sent on a connection that ends would be lost.
    if (hasBody(incoming) || closing !== undefined) outgoing.shouldKeepAlive = false;
    outgoing.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
    outgoing.end(body);
  }

  async function answer(incoming: IncomingMessage): Promise<GateAnswer> {
    const { url = '' } = incoming;
    if (url === '/auth') return gate.judge(incoming, 'forwarded');
    if (url.startsWith(`${ENVOY_PREFIX}/`)) return gate.judge(incoming, 'envoy');
    if (url === '/healthz') return probe(true);
    if (url === '/readyz') return probe(closing === undefined && isReady());
    return { status: 404, headers: {}, body: '' };
  }

  async function close(drainMs: number): Promise<void> {
    if (drainMs > 0) await new Promise((resolve) => setTimeout(resolve, drainMs));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, CLOSE_MS);
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
        server.on('error', (error) => reject(listenError(error, port, host)));
        server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
      }),
    close(drainMs) {
      closing ??= close(drainMs);
      return closing;
    },
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function probe(isGood: boolean): GateAnswer {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };
  return {
    status: isGood ? 200 : 503,
    headers,
    body: JSON.stringify({ status: isGood ? 'ok' : 'not ready' }),
  };
}

/** Whether tokens of any issuer can be judged: where one of several is down, those of the others still count. */
export function canJudge({ issuers }: VerifierHealth): boolean {
  return issuers.some(({ keys }) => keys === undefined || keys.loaded);
}

function listenError(error: Error, port: number, host: string): Error {
  const code = errorCode(error) ?? error.name;
  const text =
    code === 'EADDRINUSE'
      ? `port ${port} of ${host} is in use by another program; choose another port, or 0 for a free one`
      : `cannot listen on port ${port} of ${host} (${code})`;
  return new Error(text);
}
