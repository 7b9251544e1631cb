/** How a pod begins and ends: its probes, a line that says where it listens, an end that loses no call. */
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Pod {
  readonly handler: RequestListener;
  /** Rejects while it is of no use to send requests here. */
  ready(): Promise<unknown>;
}

/** A variable of the manifest. */
export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}

/** Runs until SIGTERM; with `TLS_KEY_FILE` and `TLS_CERT_FILE` over TLS. */
export function servePod({ handler, ready }: Pod): void {
  let isEnding = false;

  const listener: RequestListener = (request, response) => {
    // So that no connection is idle when it is closed, and no request gets lost on one.
    if (isEnding) response.setHeader('connection', 'close');
    const probe = (status: number): void => void response.writeHead(status).end();
    if (request.url === '/healthz') probe(200);
    else if (request.url !== '/readyz') handler(request, response);
    else if (isEnding) probe(503);
    else
      ready().then(
        () => probe(200),
        () => probe(503),
      );
  };

  const server = process.env.TLS_KEY_FILE === undefined ? createServer(listener) : overTls(listener);
  server.listen(Number(setting('PORT')), setting('HOST'), () => {
    const { port } = server.address() as AddressInfo;
    console.log(JSON.stringify({ event: 'listening', port }));
  });
  process.once('SIGTERM', () => {
    isEnding = true;
    // Until no load balancer sends anything here any more.
    setTimeout(() => server.close(), Number(setting('DRAIN_SECONDS')) * 1000);
  });
}

function overTls(listener: RequestListener): ReturnType<typeof createTlsServer> {
  const key = readFileSync(setting('TLS_KEY_FILE'));
  return createTlsServer({ key, cert: readFileSync(setting('TLS_CERT_FILE')) }, listener);
}
