/** Runs a process that writes, and looks for what it says to have written. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { IssuerStorage } from '../../src/issuer/index.ts';
import { service } from '../unit/issuer/storage/samples.ts';

export interface CrashRun {
  readonly kind: 'libsql' | 'postgres';
  /** A directory or a URL. */
  readonly where: string;
  readonly run: string;
  /** After how many acknowledged writes the crash comes. */
  readonly crashAfter: number;
  /** @default kills the process that writes */
  readonly crash?: () => Promise<void>;
}

const MOST_WRITES = 10_000;
const writer = fileURLToPath(new URL('./issuer-crash-writer.ts', import.meta.url));

/** Gives the lines of all acknowledged writes, once the process that writes has ended. */
export async function writeUntilCrash({ kind, where, run, crashAfter, crash }: CrashRun): Promise<string[]> {
  const args = ['--import', 'tsx', writer, kind, where, String(MOST_WRITES), run];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const lines: string[] = [];
  let crashed: Promise<void> | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (lines.length !== crashAfter) return;
    if (crash === undefined) child.kill('SIGKILL');
    else crashed = crash();
  });
  await ended;
  await crashed;
  return lines;
}

/** The acknowledged writes that are not there. */
export async function findLost(storage: IssuerStorage, lines: readonly string[]): Promise<string[]> {
  const lost: string[] = [];
  for (const line of lines) if (!(await isThere(storage, line))) lost.push(line);
  return lost;
}

async function isThere(storage: IssuerStorage, line: string): Promise<boolean> {
  const [what, name = ''] = line.split(' ');
  if (what === 'used') return !(await storage.useOnce(name, 2 ** 50));
  if (what === 'token-revoked') return storage.isTokenRevoked(name);
  const found = await storage.findService(name);
  if (found === undefined) return false;
  const isWhole = isDeepStrictEqual(found.secrets, service(name).secrets);
  if (what === 'revoked') return isWhole && found.revokedAtMs === 5;
  return what === 'created' && isWhole;
}

/** Changes that are there without their audit entry, or an entry without its change. */
export async function findHalves(storage: IssuerStorage): Promise<string[]> {
  const services = await storage.listServices({ limit: MOST_WRITES });
  const entries = await storage.listAudit({ limit: 2 * MOST_WRITES });
  const expected = services.flatMap(({ clientId, revokedAtMs }) => [
    `service.created ${clientId}`,
    ...(revokedAtMs === undefined ? [] : [`service.revoked ${clientId}`]),
  ]);
  const noted = new Set(entries.map(({ action, target }) => `${action} ${target}`));
  const halves = expected.filter((change) => !noted.delete(change));
  return [...halves, ...noted];
}
