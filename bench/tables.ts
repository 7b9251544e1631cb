/** Everything that is measured, in the order of the tables. */
import { burst } from './burst.ts';
import { cached } from './cached.ts';
import { dpop } from './dpop.ts';
import { growthOfIssuers, growthOfKeys, growthOfPolicies, growthOfTokens } from './growth.ts';
import { type Contender, measure, type Row } from './harness.ts';
import { http } from './http/index.ts';
import { frameworks } from './http/routes.ts';
import { introspection, introspectionHits, introspectionShared } from './introspection.ts';
import { issuer, issuerServices } from './issuer.ts';
import { memory } from './memory.ts';
import { outboundFetch, outboundFirst, outboundUndici } from './outbound.ts';
import { proofs } from './proofs.ts';
import { replay } from './replay.ts';
import { bundles, imports } from './size.ts';
import { telemetry } from './telemetry.ts';
import { algorithms, uncached } from './uncached.ts';

/** The charts, each a file. */
export type ChartName = 'verification' | 'http' | 'burst' | 'outbound' | 'growth' | 'issuer' | 'size';

interface Named {
  readonly name: string;
  /** For whole runs alone. @default false */
  readonly long?: boolean;
  readonly chart: ChartName;
  /** The figure that the chart shows. */
  readonly bar: string;
}

/** Contenders that take turns in this process. */
interface Timed extends Omit<Named, 'bar'> {
  readonly operations: number;
  /** So many operations in one turn of the event loop. @default all */
  readonly slice?: number;
  readonly contenders: (
    operations: number,
    isQuick: boolean,
  ) => Promise<readonly Contender[]> | readonly Contender[];
}

/** What is measured otherwise; undefined where this machine cannot. */
interface Other extends Named {
  readonly rows: (isQuick: boolean) => Promise<readonly Row[] | undefined>;
}

export type Table = Timed | Other;

/**
 * What comes beyond a quarter of a millisecond in one turn of the loop goes to the thread pool, so that a turn here is as busy
 * as one that reads a few requests.
 */
const REQUESTS_A_TURN = 3;

export const tables: readonly Table[] = [
  ...algorithms.map(
    (algorithm): Table => ({
      name: `uncached ${algorithm}`,
      chart: 'verification',
      operations: 1000,
      slice: REQUESTS_A_TURN,
      contenders: (operations) => uncached(algorithm, operations),
    }),
  ),
  ...[1, 1000, 10_000, 100_000].map(
    (distinct): Table => ({
      name: `cached ${distinct}`,
      chart: 'verification',
      long: distinct > 10_000,
      operations: Math.max(distinct, 50_000),
      contenders: () => cached(distinct),
    }),
  ),
  { name: 'dpop', chart: 'verification', operations: 1000, slice: REQUESTS_A_TURN, contenders: dpop },
  { name: 'proofs', chart: 'verification', operations: 1000, contenders: proofs },
  {
    name: 'replay 1000000',
    chart: 'verification',
    operations: 50_000,
    contenders: (_, isQuick) => replay(isQuick ? 100_000 : 1_000_000),
  },
  { name: 'introspection', chart: 'outbound', operations: 2000, contenders: introspection },
  { name: 'introspection, hit', chart: 'outbound', operations: 50_000, contenders: introspectionHits },
  { name: 'introspection, one token', chart: 'outbound', operations: 1000, contenders: introspectionShared },
  ...frameworks.map(
    (framework): Table => ({
      name: `http ${framework}`,
      chart: 'http',
      bar: 'CPU us',
      rows: (isQuick) =>
        http(framework, isQuick ? { rounds: 2, requests: 300 } : { rounds: 7, requests: 6000 }),
    }),
  ),
  {
    name: 'telemetry',
    chart: 'http',
    bar: 'CPU us',
    rows: (isQuick) => telemetry(isQuick ? { rounds: 2, requests: 300 } : { rounds: 15, requests: 6000 }),
  },
  ...[64, 1000].flatMap((tokens) => [burstTable(tokens, false), burstTable(tokens, true)]),
  { name: 'memory', chart: 'size', bar: 'bytes each', rows: memory },
  { name: 'imports', chart: 'size', bar: 'ms', rows: imports },
  { name: 'bundles', chart: 'size', bar: 'kB gzipped', rows: bundles },
  { name: 'growth, issuers', chart: 'growth', operations: 1000, slice: 3, contenders: growthOfIssuers },
  { name: 'growth, keys', chart: 'growth', operations: 1000, slice: 3, contenders: growthOfKeys },
  { name: 'growth, policies', chart: 'growth', operations: 50_000, contenders: growthOfPolicies },
  { name: 'growth, tokens', chart: 'growth', long: true, operations: 100_000, contenders: growthOfTokens },
  { name: 'outbound, fetch', chart: 'outbound', operations: 4000, contenders: outboundFetch },
  { name: 'outbound, undici', chart: 'outbound', operations: 5000, contenders: outboundUndici },
  { name: 'outbound, first calls', chart: 'outbound', operations: 1000, contenders: outboundFirst },
  { name: 'issuer, tokens', chart: 'issuer', operations: 4000, contenders: issuer },
  {
    name: 'issuer, registered services',
    chart: 'issuer',
    operations: 4000,
    contenders: (_, isQuick) => issuerServices(isQuick ? 1000 : 1_000_000),
  },
];

function burstTable(tokens: number, onOneCore: boolean): Table {
  return {
    name: `burst of ${tokens}, ${onOneCore ? 'one core' : 'all cores'}`,
    chart: 'burst',
    bar: 'loop blocked, ms at most',
    rows: (isQuick) => burst(tokens, isQuick ? 3 : 21, onOneCore),
  };
}

export function barOf(table: Table): string {
  return 'rows' in table ? table.bar : 'us';
}

export async function rowsOf(table: Table, isQuick: boolean): Promise<readonly Row[] | undefined> {
  if ('rows' in table) return table.rows(isQuick);
  const { operations, slice } = table;
  const count = isQuick ? Math.ceil(operations / 5) : operations;
  const contenders = await table.contenders(count, isQuick);
  return measure({ rounds: isQuick ? 3 : 21, operations: count, slice, contenders });
}
