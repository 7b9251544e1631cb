import { createMemoryReplayStore, type ReplayStore } from '../index.ts';
import { type LogLevel, logLevels } from '../shared/limited-log.ts';
import { asUsage, defineCommand, oneOf, wholeNumber } from './command.ts';
import { UsageError } from './errors.ts';
import { exitCodes } from './exit-codes.ts';
import { createGate, type Refusal } from './gateway/gate.ts';
import { keepPolicy, type PolicyKeeper, readPolicy } from './gateway/policy-keeper.ts';
import { createRefusalLog } from './gateway/refusal-log.ts';
import { canJudge, createGatewayServer } from './gateway/server.ts';
import { gatewayUsage } from './gateway/usage.ts';
import { createJournal, type Journal } from './journal.ts';
import { loadReplayStore } from './load-replay-store.ts';
import { nextStopSignal } from './stop-signal.ts';

const DEFAULT_PORT = 4010;

/** `service-auth gateway`: runs until SIGINT or SIGTERM, then finishes what is under way. */
export const gatewayCommand = defineCommand({
  usage: gatewayUsage,
  flags: {
    config: { type: 'string' },
    check: { type: 'boolean', default: false },
    issuer: { type: 'string' },
    'replay-store': { type: 'string' },
    port: { type: 'string' },
    host: { type: 'string' },
    'drain-seconds': { type: 'string' },
    'log-level': { type: 'string' },
  },
  async run(values, output) {
    const { config, 'replay-store': storePath } = values;
    if (config === undefined) throw new UsageError('--config is missing: the file with the policy');
    const options = readOptions(values);
    const journal = createJournal(output.json, options.level);
    const { store, close } = await openStore(storePath);
    const surroundings = { issuer: values.issuer, replayStore: store, onEvent: journal.onEvent };
    try {
      if (values.check) {
        const { routes } = await asUsage(() => readPolicy(config, surroundings));
        output.result({ routes }, () => `the policy is good: ${routes} routes`);
        return exitCodes.good;
      }
      const policy = await asUsage(() => keepPolicy(config, surroundings, journal));
      try {
        await serve(policy, journal, { ...options, json: output.json });
      } finally {
        policy.close();
        journal.flush();
      }
    } finally {
      await close();
    }
    return exitCodes.good;
  },
});

interface ServeOptions {
  readonly port: number;
  readonly host: string;
  readonly drainMs: number;
  readonly level: LogLevel;
  readonly json: boolean;
}

type TextFlags = Readonly<Partial<Record<'port' | 'host' | 'drain-seconds' | 'log-level', string>>>;

function readOptions({ host = '127.0.0.1', ...values }: TextFlags): Omit<ServeOptions, 'json'> {
  return {
    host,
    port: wholeNumber('port', values.port) ?? DEFAULT_PORT,
    drainMs: (wholeNumber('drain-seconds', values['drain-seconds']) ?? 0) * 1000,
    level: oneOf('log-level', values['log-level'], logLevels) ?? 'info',
  };
}

/** Until it is told to stop. */
async function serve(policy: PolicyKeeper, journal: Journal, options: ServeOptions): Promise<void> {
  const { port, host, drainMs, level, json } = options;
  const stopped = nextStopSignal();
  const reload = (): void => void policy.reload();
  process.on('SIGHUP', reload);
  const gate = createGate(policy.current, refusalLog(json, level));
  const server = createGatewayServer(gate, () => isReady(policy));
  const url = urlOf(host, await server.listen(port, host));
  const { routes } = policy.current();
  const text = `service-auth gateway listening on ${url}, ${routes} routes`;
  journal.open({ url, pid: process.pid, routes }, text);
  await stopped;
  await server.close(drainMs);
  process.off('SIGHUP', reload);
}

async function openStore(path: string | undefined): Promise<{ store: ReplayStore; close(): Promise<void> }> {
  return path === undefined
    ? { store: createMemoryReplayStore(), close: async () => {} }
    : loadReplayStore(path);
}

function refusalLog(json: boolean, level: LogLevel): (refusal: Refusal) => void {
  return level === 'error' ? () => {} : createRefusalLog(json ? console.log : console.error);
}

/** Asks again for what is missing, so that a gateway that nobody sends requests to becomes ready, too. */
function isReady(policy: PolicyKeeper): boolean {
  const { verifier } = policy.current();
  if (canJudge(verifier.health())) return true;
  verifier.ready().catch(() => {});
  return false;
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
