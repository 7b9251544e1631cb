import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isLoopback } from '../shared/http.ts';
import { OptionChecker } from '../shared/options.ts';
import { answerNodeRequest } from './http/node-http.ts';
import { createIssuer, type Issuer } from './issuer.ts';
import { type IssuerOptions, issuerOptions } from './issuer-options.ts';

/** Those of an issuer, and where it listens. */
export interface ServeIssuerOptions extends Omit<IssuerOptions, 'issuer'> {
  /**
   * As in {@link IssuerOptions}; required if `host` is not a loopback address.
   * @default the address that the server listens on
   */
  readonly issuer?: string | undefined;
  /**
   * 0 picks a free one.
   * @default 4000
   */
  readonly port?: number | undefined;
  /**
   * The address to listen on.
   * @default '127.0.0.1'
   */
  readonly host?: string | undefined;
}

/** An issuer that listens. */
export interface IssuerServer {
  /** Where the server listens, without a slash at the end. */
  readonly url: string;
  readonly issuer: Issuer;
  /** Takes no new connections, finishes what is under way within 10 seconds, then closes the issuer. */
  close(): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
/** Above the idle time of common load balancers, so that they close connections first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const LONGEST_CLOSE_MS = 10_000;
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * Runs an issuer on a Node HTTP server, with bounds on headers, bodies and time (RFC 8414).
 *
 * Not checked: TLS, which is left to what stands in front of it.
 *
 * @throws TypeError for wrong options; rejects with an Error that names the port if that is in use.
 *
 * @example
 * ```ts
 * import { serveIssuer } from 'service-auth/issuer';
 *
 * const { url, close } = await serveIssuer({ port: 0, accessTokenSeconds: 60 });
 * console.log(`issuer at ${url}`);
 * await close();
 * ```
 */
export async function serveIssuer(options: ServeIssuerOptions = {}): Promise<IssuerServer> {
  const check = new OptionChecker('serveIssuer');
  const given = check.object('options', options, [...issuerOptions, 'port', 'host']);
  const { port = 4000, host = '127.0.0.1', issuer: name, ...rest } = given;
  checkAddress(check, port, host, name);
  // Made before anything listens, so that a wrong option opens no port; the final name may need the port.
  const urlOf = (bound: number): string => new URL(`http://${bracketed(host)}:${bound}`).origin;
  let issuer = createIssuer({ ...rest, issuer: name ?? urlOf(port) });

  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (incoming, outgoing) => {
    void answerNodeRequest(incoming, outgoing, async (request) => {
      const response = await issuer.fetch(request);
      if (!server.listening) outgoing.shouldKeepAlive = false;
      return response;
    });
  });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;

  const url = urlOf(await listen(server, port, host));
  if (name === undefined && issuer.issuer !== url) issuer = createIssuer({ ...rest, issuer: url });
  try {
    await issuer.ready();
  } catch (error) {
    await closeServer(server);
    throw error;
  }
  return {
    url,
    issuer,
    async close() {
      await closeServer(server);
      await issuer.close();
    },
  };
}

function checkAddress(check: OptionChecker, port: unknown, host: unknown, issuer: string | undefined): void {
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535) {
    check.fail('port', 'a whole number from 0 to 65535', port);
  }
  const address = check.string('host', host);
  if (issuer === undefined && !isLoopback(bracketed(address))) {
    check.fail(
      'issuer',
      `given if host is not a loopback address (host is ${JSON.stringify(address)})`,
      issuer,
    );
  }
}

/** An IPv6 address as URLs spell it. */
function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, port, host)));
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

function listenError(error: NodeJS.ErrnoException, port: number, host: string): Error {
  if (error.code === 'EADDRINUSE') {
    const text = `port ${port} of ${host} is in use by another program; choose another port, or 0 for a free one`;
    return Object.assign(new Error(text), { code: error.code });
  }
  const text = `cannot listen on port ${port} of ${host} (${error.code ?? error.name})`;
  return Object.assign(new Error(text), { code: error.code });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), LONGEST_CLOSE_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
