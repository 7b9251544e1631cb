import { isLoopback } from '../shared/http.ts';
import { OptionChecker } from '../shared/options.ts';
import { createNodeServer, type ServerTls } from './http/node-server.ts';
import { createIssuer, type Issuer } from './issuer.ts';
import { type IssuerOptions, issuerOptions } from './issuer-options.ts';

/** The options of an issuer, and where it listens. */
export interface ServeIssuerOptions extends Omit<IssuerOptions, 'issuer'> {
  /**
   * As in {@link IssuerOptions}; required if `host` is not a loopback address.
   * @default the address that the server listens on
   */
  readonly issuer?: string | undefined;
  /**
   * The port to listen on; 0 picks a free one.
   * @default 4000
   */
  readonly port?: number | undefined;
  /**
   * The address to listen on.
   * @default '127.0.0.1'
   */
  readonly host?: string | undefined;
  /**
   * Makes it an https server, which may ask clients for certificates (RFC 8705).
   * @default none: TLS is left to what stands in front of it
   */
  readonly tls?: ServerTls | undefined;
  /**
   * How long the server goes on after `close` was called while `/readyz` answers 503, so that balancers learn of it
   * before it stops listening; in milliseconds, up to 60000.
   * @default 0
   */
  readonly drainMs?: number | undefined;
}

/** An issuer that listens. */
export interface IssuerServer {
  /** Where the server listens, without a slash at the end. */
  readonly url: string;
  readonly issuer: Issuer;
  /**
   * Is not ready from now on; takes no new connections, finishes what is under way within 10 seconds, then closes the
   * issuer. Storage that was passed in stays open.
   */
  close(): Promise<void>;
}

const LONGEST_DRAIN_MS = 60_000;

/**
 * Runs an issuer on a Node HTTP server, with bounds on headers, bodies, time and connections.
 *
 * Not checked: whether certificates of clients were revoked.
 *
 * @throws TypeError for wrong options; rejects with an Error that names the port if that is in use, and as
 * {@link Issuer.ready} does.
 * @see {@link createIssuer} for the RFCs
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
  const given = check.object('options', options, [...issuerOptions, 'port', 'host', 'tls', 'drainMs']);
  const { port = 4000, host = '127.0.0.1', issuer: name, tls, drainMs = 0, ...rest } = given;
  checkAddress(check, port, host, name);
  check.number('drainMs', drainMs, 0, LONGEST_DRAIN_MS, 'milliseconds');
  // Made before anything listens, so that a wrong option opens no port; the final name may need the port.
  const scheme = tls === undefined ? 'http' : 'https';
  const urlOf = (bound: number): string => new URL(`${scheme}://${bracketed(host)}:${bound}`).origin;
  let issuer = createIssuer({ ...rest, issuer: name ?? urlOf(port) });

  const server = createNodeServer((request, connection) => issuer.fetch(request, connection), check, tls);
  const url = urlOf(await server.listen(port, host));
  if (name === undefined && issuer.issuer !== url) issuer = createIssuer({ ...rest, issuer: url });
  try {
    await issuer.ready();
  } catch (error) {
    await server.close(0);
    throw error;
  }
  return {
    url,
    issuer,
    async close() {
      await server.close(drainMs);
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
