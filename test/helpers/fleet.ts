/** A fleet of one service, each instance a process, and those who call it. */
import { type JsonWebKey, KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrustedIssuer } from '../../src/index.ts';
import { type LoadReport, sumOf } from './fleet-counts.ts';
import { freePort } from './free-port.ts';
import { startProcess, type TalkingProcess } from './issuer-process.ts';

export const SERVICE = 'https://orders.example';
export const SERVICE_URL = `${SERVICE}/orders`;

export interface FleetOptions {
  readonly count: number;
  readonly issuer: TrustedIssuer;
  readonly redisPort: number;
  readonly redisTimeoutMs: number;
}

export interface Fleet {
  readonly ports: readonly number[];
  kill9(at: number): Promise<void>;
  /** Starts the one that was killed, on the same port. */
  start(at: number): Promise<void>;
  pause(at: number): void;
  resume(at: number): void;
  /** What the instances let through, by the name of the proof: when, in epoch milliseconds. */
  ledger(): ReadonlyMap<string, readonly number[]>;
  remove(): Promise<void>;
}

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const directory = mkdtempSync(join(tmpdir(), 'service-auth-fleet-'));
  const ports: number[] = [];
  while (ports.length < options.count) {
    const port = await freePort();
    if (!ports.includes(port)) ports.push(port);
  }
  const pathOf = (at: number): string => join(directory, `${at}.log`);
  const launch = (at: number): Promise<TalkingProcess> =>
    startProcess(new URL('fleet-verifier-process.ts', import.meta.url), {
      ISSUER: JSON.stringify(options.issuer),
      AUDIENCE: SERVICE,
      REDIS_PORT: `${options.redisPort}`,
      REDIS_TIMEOUT_MS: `${options.redisTimeoutMs}`,
      PORT: `${ports[at]}`,
      LEDGER: pathOf(at),
    });
  const processes = await Promise.all(ports.map((_, at) => launch(at)));
  const pidOf = (at: number): number => processes[at]?.pid ?? 0;

  return {
    ports,
    kill9: async (at) => processes[at]?.end(),
    async start(at) {
      processes[at] = await launch(at);
    },
    pause: (at) => void process.kill(pidOf(at), 'SIGSTOP'),
    resume: (at) => void process.kill(pidOf(at), 'SIGCONT'),
    ledger: () => readLedgers(ports.map((_, at) => pathOf(at))),
    async remove() {
      await Promise.all(processes.map((one) => one.end()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function readLedgers(paths: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const ledger = new Map<string, number[]>();
  for (const line of paths.flatMap((path) => readFileSync(path, 'utf8').split('\n'))) {
    const [name = '', time] = line.split(' ');
    if (time === undefined) continue;
    const times = ledger.get(name);
    if (times === undefined) ledger.set(name, [Number(time)]);
    else times.push(Number(time));
  }
  return ledger;
}

export interface CallersOptions {
  readonly fleet: Fleet;
  readonly key: CallerKey;
  /** How many processes call. */
  readonly count: number;
  /** How many proofs each of them has under way at once. */
  readonly atOnce: number;
  /** After how long they wait for an answer no more. */
  readonly answerTimeoutMs: number;
  /** How many each of them sends before it ends by itself. */
  readonly proofs?: number;
}

export interface Callers {
  useToken(token: string): Promise<void>;
  useBadTokens(tokens: Readonly<Record<string, string>>): Promise<void>;
  run(): Promise<void>;
  report(): Promise<LoadReport>;
  /** Resolves once they have ended by themselves. */
  ended(): Promise<LoadReport>;
  stop(): Promise<LoadReport>;
  remove(): Promise<void>;
}

export async function startCallers(options: CallersOptions): Promise<Callers> {
  const { fleet, key, count, atOnce, answerTimeoutMs, proofs } = options;
  const processes = await Promise.all(
    Array.from({ length: count }, (_, at) =>
      startProcess(new URL('fleet-load-process.ts', import.meta.url), {
        NAME: `caller-${at}`,
        URL: SERVICE_URL,
        KEY: JSON.stringify(key.privateJwk),
        PORTS: JSON.stringify(fleet.ports),
        AT_ONCE: `${atOnce}`,
        TIMEOUT_MS: `${answerTimeoutMs}`,
        PROOFS: `${proofs ?? Number.MAX_SAFE_INTEGER}`,
      }),
    ),
  );
  async function tell(line: string): Promise<LoadReport> {
    const answers = await Promise.all(processes.map((one) => one.ask(line)));
    return sumOf(answers.map((answer): LoadReport => JSON.parse(answer)));
  }
  return {
    useToken: async (token) => void (await tell(`token ${token}`)),
    useBadTokens: async (tokens) => void (await tell(`bad ${JSON.stringify(tokens)}`)),
    run: async () => void (await tell('run')),
    report: () => tell('report'),
    ended: () => tell('end'),
    stop: () => tell('stop'),
    remove: async () => void (await Promise.all(processes.map((one) => one.end()))),
  };
}

/** What callers prove possession of. */
export interface CallerKey {
  readonly keyPair: CryptoKeyPair;
  readonly privateJwk: JsonWebKey;
}

export async function createCallerKey(): Promise<CallerKey> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const keyPair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const privateJwk = KeyObject.from(keyPair.privateKey).export({ format: 'jwk' });
  return { keyPair, privateJwk };
}
