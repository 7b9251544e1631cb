/** What is to be reached, and whether the results reach it. */
import { manyAtOnce } from './judging.ts';
import { line, show } from './markdown.ts';
import { type Read, reasonFor } from './reasons.ts';
import { figure, type Result, roleOf } from './results.ts';

interface Goal {
  readonly text: string;
  readonly limit: number;
  /** @default 'at most' */
  readonly bound?: 'at most' | 'at least';
  readonly unit: string;
  /** Undefined where it was not measured. */
  readonly value: (results: readonly Result[]) => number | undefined;
}

const ratio = 'times the floor';
const of =
  (table: string, row: string, column: string) =>
  (results: readonly Result[]): number | undefined =>
    figure(results, table, row, column);

const uncachedLimits = { ES256: 1.09, EdDSA: 1.05, RS256: 1.22, PS256: 1.17, HS256: 1.75 };

/** The limit of CPU that a cached token may add to a request, in microseconds. */
const addedLimits = { 'node:http': 3, Express: 3, Fastify: 3, Hono: 8, Koa: 3 };

const goals: readonly Goal[] = [
  ...Object.entries(uncachedLimits).map(
    ([algorithm, limit]): Goal => ({
      text: `Uncached, ${algorithm}`,
      limit,
      unit: '× the signature check',
      value: of(`uncached ${algorithm}`, 'service-auth', ratio),
    }),
  ),
  ...Object.keys(uncachedLimits).map(
    (algorithm): Goal => ({
      text: `Uncached, ${algorithm}, against the best peer`,
      limit: 1,
      unit: '× the best peer',
      value: (results) => againstBest(results, `uncached ${algorithm}`, 'us', 'service-auth', Math.min),
    }),
  ),
  ...Object.keys(uncachedLimits).map(
    (algorithm): Goal => ({
      text: `Uncached, ${algorithm}, 64 at once, against the best peer`,
      limit: 1,
      unit: '× the best peer',
      value: (results) =>
        againstBest(
          results,
          `uncached ${algorithm}`,
          'us',
          `service-auth${manyAtOnce}`,
          Math.min,
          manyAtOnce,
        ),
    }),
  ),
  {
    text: 'Cached, 1,000 tokens, whole `authenticate`, over making the string',
    limit: 0.7,
    unit: 'us',
    value: of('cached 1000', 'service-auth', 'us over the floor'),
  },
  {
    text: 'Cached, 1,000 tokens, against the cache of fast-jwt with its default key',
    limit: 6,
    bound: 'at least',
    unit: '× as fast',
    value: (results) =>
      quotient(
        figure(results, 'cached 1000', 'fast-jwt, cache of', 'us'),
        figure(results, 'cached 1000', 'service-auth', 'us'),
      ),
  },
  {
    text: 'Cached, 100,000 tokens',
    limit: 2.5,
    unit: 'us',
    value: of('cached 100000', 'service-auth', 'us'),
  },
  ...Object.entries(addedLimits).flatMap(([framework, limit]): Goal[] => [
    {
      text: `${framework}, 1,000 tokens, throughput`,
      limit: 0.95,
      bound: 'at least',
      unit: '× the open route',
      value: of(`http ${framework}`, 'service-auth, 1,000', 'of the open route'),
    },
    {
      text: `${framework}, 1,000 tokens, CPU added to a request`,
      limit,
      unit: 'us',
      value: of(`http ${framework}`, 'service-auth, 1,000', 'CPU us over the open route'),
    },
  ]),
  ...['Express', 'Fastify', 'Hono', 'Koa'].map(
    (framework): Goal => ({
      text: `${framework}, every token new, throughput`,
      limit: 1.3,
      bound: 'at least',
      unit: '× the best peer',
      value: (results) =>
        againstBest(
          results,
          `http ${framework}`,
          'requests/s',
          'service-auth, every token new',
          Math.max,
          'every token new',
        ),
    }),
  ),
  ...Object.keys(addedLimits).map(
    (framework): Goal => ({
      text: `${framework}, every token new, p99`,
      limit: 1,
      unit: '× that of `crypto.verify` alone in the pool',
      value: (results) =>
        quotient(
          figure(results, `http ${framework}`, 'service-auth, every', 'p99 ms'),
          figure(results, `http ${framework}`, 'limit: crypto.verify', 'p99 ms'),
        ),
    }),
  ),
  ...['metrics and spans', 'metrics, spans and a log'].map(
    (what): Goal => ({
      text: `node:http, 1,000 tokens, ${what}`,
      limit: 2,
      unit: '% of the processor time of the same without',
      value: (results) =>
        share(
          figure(results, 'telemetry, alone', `service-auth, ${what}`, 'us over the floor'),
          figure(results, 'telemetry', 'floor', 'CPU us'),
        ),
    }),
  ),
  ...[64, 1000].flatMap((tokens) =>
    ['all cores', 'one core'].flatMap((cores): Goal[] => [
      {
        text: `Burst of ${tokens}, ${cores}, verified in one turn of the loop`,
        limit: 1,
        unit: 'ms',
        value: of(
          `burst of ${tokens}, ${cores}`,
          'service-auth',
          'verified in one turn, ms (median of maxima)',
        ),
      },
      {
        text: `Burst of ${tokens}, ${cores}, p99`,
        limit: 1,
        unit: '× that of `crypto.verify` alone in the pool',
        value: (results) =>
          quotient(
            figure(results, `burst of ${tokens}, ${cores}`, 'service-auth', 'p99 ms'),
            figure(results, `burst of ${tokens}, ${cores}`, 'crypto.verify, all in the pool', 'p99 ms'),
          ),
      },
    ]),
  ),
  {
    text: 'DPoP request, token and key known',
    limit: 1.1,
    unit: '× one signature check and SHA-256',
    value: of('dpop', 'service-auth', ratio),
  },
  {
    text: 'A proof recorded among 1,000,000',
    limit: 1,
    unit: 'us',
    value: of('replay 1000000', 'service-auth', 'us'),
  },
  {
    text: '`authedFetch`, token in memory',
    limit: 1.03,
    unit: '× fetch with a header',
    value: of('outbound, fetch', 'service-auth, authedFetch', ratio),
  },
  {
    text: '`service-auth/undici`, calls a second',
    limit: 4,
    bound: 'at least',
    unit: '× the best peer',
    value: (results) => {
      const against = againstBest(results, 'outbound, fetch', 'us', 'service-auth/undici', Math.min);
      return quotient(1, against);
    },
  },
  ...['service-auth, authedFetch', 'service-auth/undici'].map(
    (name): Goal => ({
      text: `1,000 first calls at once, \`${name}\``,
      limit: 1,
      unit: 'token request',
      value: of('outbound, first calls', name, 'token requests'),
    }),
  ),
  {
    text: 'Introspection of a new token',
    limit: 1.3,
    unit: '× a bare POST of undici',
    value: of('introspection', 'service-auth', ratio),
  },
  {
    text: '1,000 requests at once with one new opaque token',
    limit: 1,
    unit: 'call',
    value: of('introspection, one token', 'service-auth', 'calls'),
  },
  {
    text: 'A cached token beyond its own length',
    limit: 1500,
    unit: 'bytes',
    value: of('memory', 'service-auth, a cached token', 'bytes each'),
  },
  ...['jwt', 'opaque'].map(
    (kind): Goal => ({
      text: `1,000,000 distinct bad tokens, ${kind}`,
      limit: 20,
      unit: 'MB',
      value: of('memory', `service-auth, distinct bad tokens, ${kind}`, 'MB in all'),
    }),
  ),
  {
    text: "`import 'service-auth'` over an empty module",
    limit: 25,
    unit: 'ms',
    value: of('imports', 'service-auth', 'ms over the empty module'),
  },
  {
    text: 'Inbound core for workerd',
    limit: 20,
    unit: 'kB gzipped',
    value: of('bundles', 'service-auth, inbound', 'kB gzipped'),
  },
  ...['in memory', 'on disk'].map(
    (storage): Goal => ({
      text: `Issuer, tokens on one core, ${storage}`,
      limit: 2500,
      bound: 'at least',
      unit: 'a second',
      value: of('issuer, tokens', `service-auth, ${storage}`, 'a second'),
    }),
  ),
];

/** How many of the goals that were measured are reached. */
export function countGoals(results: readonly Result[]): {
  readonly reached: number;
  readonly measured: number;
} {
  const verdicts = goals
    .map((goal) => judge(goal, results).isMissed)
    .filter((missed) => missed !== undefined);
  return { reached: verdicts.filter((missed) => !missed).length, measured: verdicts.length };
}

/** The goals as a table, and below it why those are missed that are. */
export function renderGoals(results: readonly Result[]): string {
  const judged = goals.map((goal) => judge(goal, results));
  const missed = judged.filter(({ isMissed }) => isMissed);
  const { reached, measured } = countGoals(results);
  return [
    `${reached} of ${measured} reached.\n`,
    line(['What to reach', 'Goal', 'Measured', '']),
    line(['---', '---', '---:', '---']),
    ...judged.map(({ cells }) => line(cells)),
    ...(missed.length > 0 ? ['\nWhat is missed, and why:\n'] : []),
    ...missed.map(({ text }) => `- **${text}**: ${reasonFor(text, reader(results)) ?? 'not explained yet.'}`),
  ].join('\n');
}

interface Judged {
  readonly text: string;
  readonly cells: readonly string[];
  /** Undefined where it was not measured. */
  readonly isMissed: boolean | undefined;
}

function judge({ text, limit, bound = 'at most', unit, value }: Goal, results: readonly Result[]): Judged {
  const measured = value(results);
  const goal = `${bound} ${show(limit)} ${unit}`;
  if (measured === undefined) return { text, cells: [text, goal, '–', 'not measured'], isMissed: undefined };
  const isMissed = bound === 'at most' ? measured > limit : measured < limit;
  const off = Math.abs(measured / limit - 1) * 100;
  const verdict = isMissed ? `**missed by ${off.toFixed(0)} %**` : 'reached';
  return { text, cells: [text, goal, show(measured), verdict], isMissed };
}

function reader(results: readonly Result[]): Read {
  return (table, row, column) => show(figure(results, table, row, column));
}

function quotient(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one / other;
}

function share(part: number | undefined, whole: number | undefined): number | undefined {
  const of = quotient(part, whole);
  return of === undefined ? undefined : of * 100;
}

/** Our own figure against the best of those that are neither ours nor the least there can be. */
function againstBest(
  results: readonly Result[],
  table: string,
  column: string,
  own: string,
  best: (...values: number[]) => number,
  ending = '',
): number | undefined {
  const rows = results.find((result) => result.table === table)?.rows ?? [];
  const peers = rows
    .filter(({ name }) => roleOf(name) === 'peer' && name.endsWith(ending))
    // What both cores do together is compared with its like.
    .filter(({ name }) => name.endsWith(manyAtOnce) === ending.endsWith(manyAtOnce))
    .map(({ figures }) => figures[column] ?? Number.NaN);
  if (peers.length === 0) return undefined;
  return quotient(figure(results, table, own, column), best(...peers));
}
