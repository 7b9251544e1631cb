/** The summary of the results for the README. */
import { countGoals } from './goals.ts';
import { line } from './markdown.ts';
import { figure, type Result } from './results.ts';

const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'];
const counts = ['1', '1000', '10000', '100000'];
const checkers: readonly (readonly [shown: string, row: string])[] = [
  ['service-auth', 'service-auth'],
  ['fast-jwt', 'fast-jwt'],
  ['aws-jwt-verify', 'aws-jwt-verify'],
  ['jsonwebtoken', 'jsonwebtoken'],
  ['hono', 'hono, CryptoKey'],
  ['jose', 'jose'],
];
const served: readonly (readonly [framework: string, peer: string])[] = [
  ['node:http', ''],
  ['Express', 'express-oauth2-jwt-bearer'],
  ['Fastify', '@fastify/jwt with cache'],
  ['Hono', 'hono jwt, CryptoKey'],
  ['Koa', 'koa-jwt, KeyObject'],
];

export function summarise(results: readonly Result[]): string {
  const number = (table: string, row: string, column: string, unit = ''): string => {
    const value = row === '' ? undefined : figure(results, table, row, column);
    return value === undefined ? '–' : `${value.toFixed(2)}${unit}`;
  };
  const ratio = (table: string, row: string): string => number(table, row, 'times the floor');
  const share = (framework: string, row: string): string =>
    number(`http ${framework}`, row, 'of the open route');
  const cachedRow = (shown: string, row: string): string =>
    line([shown, ...counts.map((count) => number(`cached ${count}`, row, 'us', ' us'))]);
  const { reached, measured } = countGoals(results);
  const rule = (columns: number): string => line(['---', ...Array(columns).fill('---:')]);
  return [
    'One verification without a cache, times the least that it can take, which is the check of the signature alone:',
    '',
    line(['not cached', ...algorithms]),
    rule(algorithms.length),
    ...checkers.map(([shown, row]) =>
      line([shown, ...algorithms.map((name) => ratio(`uncached ${name}`, row))]),
    ),
    '',
    line([
      "cached, building the header's string included",
      ...counts.map((count) => (count === '1' ? '1 token' : `${Number(count).toLocaleString('en')} tokens`)),
    ]),
    rule(counts.length),
    cachedRow('the string alone', 'floor'),
    cachedRow('service-auth, whole `authenticate`', 'service-auth'),
    cachedRow('fast-jwt, cache of 200,000', 'fast-jwt, cache of'),
    cachedRow('fast-jwt, the same, keyed by the token itself', 'fast-jwt, cache by'),
    '',
    line(['requests a second, as a share of the open route', ...served.map(([framework]) => framework)]),
    rule(served.length),
    line(['service-auth, 1,000 tokens', ...served.map(([name]) => share(name, 'service-auth, 1,000'))]),
    line(['the header read, nothing checked', ...served.map(([name]) => share(name, 'limit: the header'))]),
    line(['service-auth, every token new', ...served.map(([name]) => share(name, 'service-auth, every'))]),
    line([
      '`crypto.verify` alone, every token new',
      ...served.map(([name]) => share(name, 'limit: crypto.verify')),
    ]),
    ...['1,000 tokens', 'every token new'].map((tokens) =>
      line([
        `peer, ${tokens}`,
        ...served.map(([name, peer]) =>
          peer === '' ? '–' : `${share(name, `${peer}, ${tokens}`)} (${peer})`,
        ),
      ]),
    ),
    '',
    `${reached} of ${measured} goals of speed are reached; the rest, why, and how all of it is measured: [docs/performance.md](docs/performance.md).`,
    '',
    '![Verification, cached tokens and a protected route, compared](bench/results/readme.svg)',
  ].join('\n');
}
