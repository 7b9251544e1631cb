/** Everything that is measured, in the order of the tables. */
import { burst, loopBlocked } from './burst.ts';
import { cached } from './cached.ts';
import { dpop } from './dpop.ts';
import { growthOfIssuers, growthOfKeys, growthOfPolicies, growthOfTokens } from './growth.ts';
import { type Contender, type Effort, measure, type Row, requestsInOneTurn } from './harness.ts';
import { http } from './http/index.ts';
import { frameworks } from './http/routes.ts';
import { introspection, introspectionHits, introspectionShared } from './introspection.ts';
import { issuer, issuerServices } from './issuer.ts';
import { memory } from './memory.ts';
import { outboundFetch, outboundFirst, outboundUndici } from './outbound.ts';
import { proofs } from './proofs.ts';
import { replay } from './replay.ts';
import { bundles, imports } from './size.ts';
import { telemetry, telemetryAlone } from './telemetry.ts';
import { algorithms, uncached } from './uncached.ts';

/** The charts, each a file. */
export type ChartName = 'verification' | 'http' | 'burst' | 'outbound' | 'growth' | 'issuer' | 'size';

/**
 * What of a time may grow, and how far, before it counts as slower than the baseline: what comes above the floor, where the
 * floor does most of the work; the ratio; or the ratio where the floor takes less than a microsecond.
 */
export type Guard = 'overhead' | 'ratio' | 'unsteady';

interface Named {
  readonly name: string;
  /** For readers of charts. */
  readonly title: string;
  /** For whole runs alone, unless it is named. @default false */
  readonly isLong?: boolean;
  readonly chart: ChartName;
  /** @default 'ratio' */
  readonly guard?: Guard;
  /** Its figures depend on how much is measured, and are not compared between efforts. @default false */
  readonly isSized?: boolean;
}

/** Contenders that take turns in this process. */
interface Timed extends Named {
  readonly operations: number;
  /** Few operations in one turn of the loop, as a server has; otherwise all. @default false */
  readonly isInTurns?: boolean;
  readonly contenders: (
    operations: number,
    effort: Effort,
  ) => Promise<readonly Contender[]> | readonly Contender[];
}

/** What is measured otherwise; undefined where this machine cannot. */
interface Other extends Named {
  readonly bar: Bar;
  readonly rows: (effort: Effort) => Promise<readonly Row[] | undefined>;
}

export type Table = Timed | Other;

/** The figure that a chart shows, and what it counts. */
export interface Bar {
  readonly column: string;
  readonly unit: string;
}

export const tables: readonly Table[] = [
  ...algorithms.map(
    (algorithm): Table => ({
      name: `uncached ${algorithm}`,
      title: `Access token verified without a cache, ${algorithm}`,
      chart: 'verification',
      guard: 'overhead',
      operations: 1000,
      isInTurns: true,
      contenders: (operations) => uncached(algorithm, operations),
    }),
  ),
  ...[1, 1000, 10_000, 100_000].map(
    (distinct): Table => ({
      name: `cached ${distinct}`,
      title: `Access token verified before, ES256, ${distinct === 1 ? 'one token' : `${distinct.toLocaleString('en')} tokens`}`,
      chart: 'verification',
      guard: 'unsteady',
      isLong: distinct > 10_000,
      operations: Math.max(distinct, 50_000),
      contenders: () => cached(distinct),
    }),
  ),
  {
    name: 'dpop',
    title: 'Request with a new DPoP proof, token and key known',
    chart: 'verification',
    guard: 'overhead',
    operations: 1000,
    isInTurns: true,
    contenders: dpop,
  },
  {
    name: 'proofs',
    title: 'DPoP proof made for a request',
    chart: 'verification',
    guard: 'overhead',
    operations: 1000,
    contenders: proofs,
  },
  {
    name: 'replay 1000000',
    title: 'Proof recorded among 1,000,000 live ones',
    chart: 'verification',
    isSized: true,
    operations: 50_000,
    contenders: (_, effort) => replay(effort === 'quick' ? 100_000 : 1_000_000),
  },
  {
    name: 'introspection',
    title: 'Introspection of a new opaque token, 32 at once',
    chart: 'outbound',
    operations: 2000,
    contenders: introspection,
  },
  {
    name: 'introspection, hit',
    title: 'Opaque token introspected before',
    chart: 'outbound',
    guard: 'unsteady',
    operations: 50_000,
    contenders: introspectionHits,
  },
  {
    name: 'introspection, one token',
    title: 'Many requests at once with one new opaque token',
    chart: 'outbound',
    isSized: true,
    operations: 1000,
    contenders: introspectionShared,
  },
  ...frameworks.map(
    (framework): Table => ({
      name: `http ${framework}`,
      title: `Requests to ${framework}, 32 connections`,
      chart: 'http',
      bar: { column: 'CPU us', unit: 'processor time a request, microseconds' },
      rows: (effort) =>
        http(framework, effort === 'quick' ? { rounds: 1, requests: 100 } : { rounds: 7, requests: 6000 }),
    }),
  ),
  {
    name: 'telemetry',
    title: 'A protected request to node:http, with metrics, spans and a log',
    chart: 'http',
    guard: 'unsteady',
    bar: { column: 'CPU us', unit: 'processor time a request, microseconds' },
    rows: (effort) =>
      telemetry(effort === 'quick' ? { rounds: 1, requests: 100 } : { rounds: 15, requests: 6000 }),
  },
  {
    name: 'telemetry, alone',
    title: 'A token verified before, with metrics, spans and a log',
    chart: 'verification',
    guard: 'unsteady',
    operations: 50_000,
    contenders: telemetryAlone,
  },
  ...[64, 1000].flatMap((tokens) => [burstTable(tokens, false), burstTable(tokens, true)]),
  {
    name: 'memory',
    title: 'Kept of each token',
    isLong: true,
    chart: 'size',
    isSized: true,
    bar: { column: 'bytes each', unit: 'bytes' },
    rows: memory,
  },
  {
    name: 'imports',
    title: 'Import into a new process',
    chart: 'size',
    bar: { column: 'ms', unit: 'milliseconds' },
    rows: imports,
  },
  {
    name: 'bundles',
    title: 'Bundle for workerd, minified and compressed',
    chart: 'size',
    bar: { column: 'kB gzipped', unit: 'kilobytes' },
    rows: bundles,
  },
  {
    name: 'growth, issuers',
    title: 'Verification without a cache, with more issuers',
    chart: 'growth',
    operations: 1000,
    isInTurns: true,
    contenders: growthOfIssuers,
  },
  {
    name: 'growth, keys',
    title: 'Verification without a cache, with more keys',
    chart: 'growth',
    operations: 1000,
    isInTurns: true,
    contenders: growthOfKeys,
  },
  {
    name: 'growth, policies',
    title: 'Known token, with more policies',
    chart: 'growth',
    guard: 'unsteady',
    operations: 50_000,
    contenders: growthOfPolicies,
  },
  {
    name: 'growth, tokens',
    title: 'Known token, with more tokens in the cache',
    chart: 'growth',
    guard: 'unsteady',
    isLong: true,
    isSized: true,
    operations: 100_000,
    contenders: growthOfTokens,
  },
  {
    name: 'outbound, fetch',
    title: 'Call of a service, token in memory, 32 at once',
    chart: 'outbound',
    operations: 4000,
    contenders: outboundFetch,
  },
  {
    name: 'outbound, undici',
    title: 'Call of a service by undici, token in memory, 32 at once',
    chart: 'outbound',
    operations: 5000,
    contenders: outboundUndici,
  },
  {
    name: 'outbound, first calls',
    title: 'Many first calls at once, by a client that has no token yet',
    chart: 'outbound',
    isSized: true,
    operations: 1000,
    contenders: outboundFirst,
  },
  {
    name: 'issuer, tokens',
    title: 'Token given by an issuer on one core',
    chart: 'issuer',
    operations: 4000,
    contenders: issuer,
  },
  {
    name: 'issuer, registered services',
    title: 'Token given by an issuer that knows more services',
    isLong: true,
    chart: 'issuer',
    operations: 4000,
    contenders: (_, effort) => issuerServices(effort === 'quick' ? 1000 : 1_000_000),
  },
];

function burstTable(tokens: number, onOneCore: boolean): Table {
  const cores = onOneCore ? 'one core' : 'all cores';
  return {
    name: `burst of ${tokens}, ${cores}`,
    title: `${tokens.toLocaleString('en')} new tokens at once, ${cores}: how long the event loop stood still`,
    isLong: tokens > 100,
    chart: 'burst',
    bar: { column: loopBlocked, unit: 'milliseconds, median of the maxima' },
    rows: (effort) => burst(tokens, effort === 'quick' ? 1 : 21, onOneCore),
  };
}

export function barOf(table: Table): Bar {
  return 'rows' in table ? table.bar : { column: 'us', unit: 'microseconds' };
}

export async function rowsOf(table: Table, effort: Effort): Promise<readonly Row[] | undefined> {
  if ('rows' in table) return table.rows(effort);
  const { operations, isInTurns = false } = table;
  const isQuick = effort === 'quick';
  const count = isQuick ? Math.ceil(operations / 5) : operations;
  const contenders = await table.contenders(count, effort);
  const [floor] = contenders;
  const slice = isInTurns && floor !== undefined ? await requestsInOneTurn(floor) : undefined;
  return measure({ rounds: isQuick ? 3 : 21, operations: count, slice, contenders });
}
