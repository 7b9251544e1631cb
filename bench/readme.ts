/** Writes the summary of the results into the README, where its comment marks the place. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Measured } from './harness.ts';

type Results = Readonly<Record<string, readonly Measured[]>>;

export function summarise(results: Results): string {
  const find = (table: string, start: string): Measured | undefined =>
    results[table]?.find(({ name }) => name.startsWith(start));
  const ratio = (table: string, start: string): string => find(table, start)?.ratio.toFixed(2) ?? '–';
  const time = (table: string, start: string): string => {
    const microseconds = find(table, start)?.microseconds;
    return microseconds === undefined ? '–' : `${microseconds.toFixed(2)} us`;
  };
  const peers = ['service-auth', 'fast-jwt', 'aws-jwt-verify', 'jose'];
  const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'];
  const counts = ['1', '1000', '10000', '100000'];
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    row(['not cached, times the floor', ...algorithms]),
    row(['---', ...algorithms.map(() => '---')]),
    ...peers.map((peer) => row([peer, ...algorithms.map((name) => ratio(`uncached ${name}`, peer))])),
    '',
    row(['cached, making the string included', ...counts.map((count) => `${count} tokens`)]),
    row(['---', ...counts.map(() => '---')]),
    row(['making the string', ...counts.map((count) => time(`cached ${count}`, 'floor'))]),
    row([
      'service-auth, whole `authenticate`',
      ...counts.map((count) => time(`cached ${count}`, 'service-auth')),
    ]),
    row(['fast-jwt, cache of 200,000', ...counts.map((count) => time(`cached ${count}`, 'fast-jwt'))]),
    '',
    row(['times the floor', 'service-auth', 'peers']),
    row(['---', '---', '---']),
    row([
      'request with a new DPoP proof, key and token known',
      ratio('dpop', 'service-auth'),
      `jose ${ratio('dpop', 'jose, token')}, oauth4webapi ${ratio('dpop', 'oauth4webapi')}`,
    ]),
    row([
      'introspection of a new token, 32 at once',
      ratio('introspection', 'service-auth'),
      `openid-client ${ratio('introspection', 'openid-client')}, fetch by hand ${ratio('introspection', 'global fetch')}`,
    ]),
    row([
      'call of a service, token in memory, 32 at once',
      `authedFetch ${ratio('outbound, fetch', 'service-auth, authedFetch')}, with undici ${ratio('outbound, fetch', 'service-auth/undici')}`,
      `openid-client ${ratio('outbound, fetch', 'openid-client')}, oauth4webapi ${ratio('outbound, fetch', 'oauth4webapi')}`,
    ]),
    '',
    `Floors: a raw signature check (with one SHA-256 for DPoP), a bare POST of undici, the global fetch with a header that never changes. One proof recorded among a million live ones takes ${time('replay 1000000', 'service-auth')}.`,
  ].join('\n');
}

export function writeIntoReadme(results: Results): void {
  const readme = readFileSync('README.md', 'utf8');
  const [before = '', rest = ''] = readme.split('<!-- bench -->\n');
  const after = rest.slice(rest.indexOf('`npm run bench`'));
  writeFileSync('README.md', `${before}<!-- bench -->\n${summarise(results)}\n\n${after}`);
}
