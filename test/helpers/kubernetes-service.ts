/** A stand-in for a Service: one address, and connections to those pods behind it that say they are ready. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Probe } from './kubernetes-workloads.ts';

export interface ServiceStandIn {
  readonly port: number;
  /** Sends connections there while its probe succeeds, which is asked as often as the manifest says. */
  add(port: number, probe: Probe): void;
  /** Resolves once there are so many to send connections to. */
  reaches(count: number): Promise<void>;
  close(): Promise<void>;
}

interface Endpoint {
  readonly port: number;
  readonly timer: NodeJS.Timeout;
  failures: number;
  isReady: boolean;
}

export async function startService(): Promise<ServiceStandIn> {
  const endpoints = new Map<number, Endpoint>();
  const sockets = new Set<Socket>();
  const waiting = new Set<() => void>();
  let turn = 0;

  const ready = (): Endpoint[] => [...endpoints.values()].filter(({ isReady }) => isReady);

  const server = createServer((incoming) => {
    const targets = ready();
    const target = targets[turn++ % targets.length];
    if (target === undefined) {
      incoming.resetAndDestroy();
      return;
    }
    const outgoing = connect(target.port, '127.0.0.1');
    for (const [one, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  function note(endpoint: Endpoint, isGood: boolean, { failureThreshold = 3 }: Probe): void {
    endpoint.failures = isGood ? 0 : endpoint.failures + 1;
    if (isGood) endpoint.isReady = true;
    else if (endpoint.failures >= failureThreshold) endpoint.isReady = false;
    for (const check of waiting) check();
  }

  return {
    port: (server.address() as AddressInfo).port,
    add(port, probe) {
      const ask = async (): Promise<void> => note(endpoint, (await probeStatus(port, probe)) === 200, probe);
      const timer = setInterval(() => void ask(), probe.periodSeconds * 1000);
      const endpoint: Endpoint = { port, timer, failures: 0, isReady: false };
      endpoints.set(port, endpoint);
      void ask();
    },
    reaches: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (ready().length !== count) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    close: () =>
      new Promise((resolve) => {
        for (const { timer } of endpoints.values()) clearInterval(timer);
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** What a probe is answered; as the kubelet does, without a look at the certificate. `undefined`: nothing. */
export function probeStatus(port: number, { httpGet }: Probe): Promise<number | undefined> {
  if (httpGet === undefined) throw new Error('the probe is none of HTTP');
  const options = { host: '127.0.0.1', port, path: httpGet.path, agent: false };
  return new Promise((resolve) => {
    const outgoing =
      httpGet.scheme === 'HTTPS'
        ? httpsRequest({ ...options, rejectUnauthorized: false })
        : httpRequest(options);
    outgoing.once('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.once('error', () => resolve(undefined));
    outgoing.end();
  });
}
