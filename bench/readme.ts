/** The summary of the results for the README. */
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
  const rule = (columns: number): string => line(['---', ...Array(columns).fill('---:')]);
  return [
    line(['not cached, times the floor', ...algorithms]),
    rule(algorithms.length),
    ...checkers.map(([shown, row]) =>
      line([shown, ...algorithms.map((name) => ratio(`uncached ${name}`, row))]),
    ),
    '',
    line(['cached, making the string included', ...counts.map((count) => `${count} tokens`)]),
    rule(counts.length),
    cachedRow('making the string', 'floor'),
    cachedRow('service-auth, whole `authenticate`', 'service-auth'),
    cachedRow('fast-jwt, cache of 200,000', 'fast-jwt, cache of'),
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
    line([
      'peer, 1,000 tokens',
      ...served.map(([name, peer]) => (peer === '' ? '–' : `${share(name, `${peer}, 1,000`)} (${peer})`)),
    ]),
    '',
    line(['times the floor', 'service-auth', 'peers']),
    line(['---', '---', '---']),
    line([
      'request with a new DPoP proof, key and token known',
      ratio('dpop', 'service-auth'),
      `jose ${ratio('dpop', 'jose, token')}, oauth4webapi ${ratio('dpop', 'oauth4webapi')}`,
    ]),
    line([
      'introspection of a new token, 32 at once',
      ratio('introspection', 'service-auth'),
      `openid-client ${ratio('introspection', 'openid-client')}, fetch by hand ${ratio('introspection', 'global fetch')}`,
    ]),
    line([
      'call of a service, token in memory, 32 at once',
      `authedFetch ${ratio('outbound, fetch', 'service-auth, authedFetch')}, with undici ${ratio('outbound, fetch', 'service-auth/undici')}`,
      ['openid-client', 'oauth4webapi', 'simple-oauth2', '@badgateway/oauth2-client']
        .map((peer) => `${peer} ${ratio('outbound, fetch', peer)}`)
        .join(', '),
    ]),
    '',
    `Floors: a raw signature check (with one SHA-256 for DPoP), a bare POST of undici, the global fetch with a header that never changes. One proof recorded among a million live ones takes ${number('replay 1000000', 'service-auth', 'us', ' us')}.`,
    '',
    '![Verification, compared](bench/results/verification.svg)',
  ].join('\n');
}
