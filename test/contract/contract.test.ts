import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey } from '../helpers/tokens.ts';
import { createRoutes } from './routes.ts';
import { bodyOf, createTable, type Expected, type Keys } from './table.ts';
import type { Got, Transport } from './transport.ts';
import { transports } from './transports.ts';

const keys: Keys = {
  es256: await createKey('ES256'),
  rs256: await createKey('RS256'),
  ps256: await createKey('PS256'),
  es384: await createKey('ES384'),
  es512: await createKey('ES512'),
  eddsa: await createKey('EdDSA'),
  stranger: await createKey('ES256', 'stranger'),
};
const { stranger, ...published } = keys;
const table = await createTable(keys);

function check({ status, headers, body }: Got, expected: Expected, method: string): void {
  expect(status).toBe(expected.status);
  for (const [name, value] of Object.entries(expected.headers ?? {})) expect(headers[name]).toMatch(value);
  if (expected.status === 200) {
    if (method !== 'HEAD') expect(JSON.parse(body)).toEqual(expected.caller);
    return;
  }
  expect(headers['www-authenticate']).toBe(expected.challenge);
  expect(headers['content-type']).toBe('application/json');
  expect(headers['cache-control']).toBe('no-store');
  // To HEAD a server sends no body, and without a server it is there still.
  if (method !== 'HEAD') expect(JSON.parse(body)).toEqual(bodyOf(expected));
  if (expected.status === 503) expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
  else expect(headers['retry-after']).toBeUndefined();
}

it('has no row twice', () => {
  expect(new Set(table.map(({ name }) => name)).size).toBe(table.length);
});

describe.each(Object.entries(transports))('%s', (_name, make) => {
  let transport: Transport;
  beforeAll(async () => {
    transport = await make(createRoutes(Object.values(published)));
  });
  afterAll(() => transport.close());

  it.each(table)('$name', async ({ method = 'GET', path, authorization, dpop, expected }) => {
    check(await transport.send({ method, path, authorization, dpop: await dpop?.() }), expected, method);
  });
});
