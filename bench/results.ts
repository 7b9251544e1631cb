/** Results, a file for each table: any table can be measured again by itself. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Row } from './harness.ts';

export interface Result {
  readonly table: string;
  /** In ISO 8601. */
  readonly measuredAt?: string;
  /** Of the source; absent outside of a checkout. */
  readonly commit?: string | undefined;
  readonly node: string;
  readonly processor: string;
  readonly cores: number;
  /** Of the packages that the rows name. */
  readonly versions?: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

/** The folder of the project, whatever the current one is. */
export const root = fileURLToPath(new URL('..', import.meta.url));
export const folder = fileURLToPath(new URL('results', import.meta.url));

/** Longer names first: what is found is taken out, so that `koa-jwt` does not name `koa`, too. */
const packages = [
  'express-oauth2-jwt-bearer',
  '@badgateway/oauth2-client',
  'aws-jwt-verify',
  'simple-oauth2',
  'openid-client',
  'jsonwebtoken',
  'oauth4webapi',
  '@fastify/jwt',
  'fast-jwt',
  'jwks-rsa',
  'koa-jwt',
  'express',
  'fastify',
  'undici',
  'hono',
  'jose',
  'koa',
];

export function resultOf(table: string, rows: readonly Row[]): Result {
  const [first] = cpus();
  return {
    table,
    measuredAt: new Date().toISOString(),
    commit: readCommit(),
    node: process.versions.node,
    processor: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    versions: versionsIn([table, ...rows.map(({ name }) => name)].join('\n')),
    rows,
  };
}

function readCommit(): string | undefined {
  const { status, stdout } = spawnSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : undefined;
}

function versionsIn(text: string): Readonly<Record<string, string>> {
  let rest = text.toLowerCase().replaceAll('service-auth/', '');
  const found = packages.filter((name) => {
    const isThere = rest.includes(name);
    rest = rest.replaceAll(name, '');
    return isThere;
  });
  return Object.fromEntries(found.sort().map((name) => [name, versionOf(name)]));
}

function versionOf(name: string): string {
  const { version } = JSON.parse(readFileSync(`${root}/node_modules/${name}/package.json`, 'utf8'));
  return version;
}

export function saveResult(result: Result): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(pathOf(result.table), `${JSON.stringify(result, null, 2)}\n`);
}

/** What was measured so far, in the order of these tables. */
export function loadResults(tables: readonly string[]): readonly Result[] {
  return tables
    .map(pathOf)
    .filter((path) => existsSync(path))
    .map((path): Result => JSON.parse(readFileSync(path, 'utf8')));
}

function pathOf(table: string): string {
  return `${folder}/${table.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.json`;
}

export type Role = 'floor' | 'limit' | 'own' | 'peer';

/** The first word of a row says what it stands for. */
export function roleOf(row: string): Role {
  if (row.startsWith('floor')) return 'floor';
  if (row.startsWith('limit')) return 'limit';
  return row.startsWith('service-auth') ? 'own' : 'peer';
}

/** One figure of the first row whose name begins so. */
export function figure(
  results: readonly Result[],
  table: string,
  row: string,
  column: string,
): number | undefined {
  const rows = results.find((result) => result.table === table)?.rows;
  const value = rows?.find(({ name }) => name.startsWith(row))?.figures[column];
  // JSON has no NaN.
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
