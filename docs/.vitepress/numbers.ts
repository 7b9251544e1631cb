/** The figures of the start page, read from what was measured. */
import { figure, loadResults, type Result } from '../../bench/results.ts';

export interface Figure {
  readonly value: string;
  readonly text: string;
  /** The page that says how it was measured. */
  readonly link: string;
}

const publicKeys = ['RS256', 'PS256', 'ES256', 'EdDSA'].map((name) => `uncached ${name}`);
const served = ['node:http', 'Express', 'Fastify', 'Hono', 'Koa'].map((name) => `http ${name}`);
const tables = [...publicKeys, ...served, 'cached 1000', 'outbound, first calls', 'scale', 'imports'];

/** @throws Error if one of them was not measured */
export function readNumbers(): readonly Figure[] {
  const results = loadResults(tables);
  const own = (table: string, column: string, row = 'service-auth'): number =>
    measured(results, table, row, column);
  return [
    {
      value: `${own('cached 1000', 'us').toFixed(2)} µs`,
      text: 'to judge a request whose token, one of 1,000, was seen before',
      link: '/performance',
    },
    {
      value: `${range(publicKeys.map((table) => own(table, 'times the floor')))} ×`,
      text: 'the bare signature check for a new token, from EdDSA to RS256',
      link: '/performance',
    },
    {
      value: `${range(
        served.map((table) => own(table, 'of the open route') * 100),
        0,
      )} %`,
      text: 'of the requests of an open route, on five servers, with 1,000 tokens',
      link: '/performance',
    },
    {
      value: own('outbound, first calls', 'token requests').toLocaleString('en'),
      text: 'token request for 1,000 calls that start together without a token',
      link: '/outbound',
    },
    {
      value: `${own('scale', 'shared store, simulated', '1,000 instances').toFixed(2)} /s`,
      text: 'token requests of 1,000 instances that share their tokens in Redis',
      link: '/scale',
    },
    {
      value: `${own('imports', 'ms over the empty module').toFixed(0)} ms`,
      text: 'to import all of it into a new process',
      link: '/performance',
    },
  ];
}

function measured(results: readonly Result[], table: string, row: string, column: string): number {
  const value = figure(results, table, row, column);
  if (value === undefined) throw new Error(`bench/results has no ${column} of ${row} in ${table}`);
  return value;
}

function range(values: readonly number[], digits = 2): string {
  const ends = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits));
  return [...new Set(ends)].join('–');
}
