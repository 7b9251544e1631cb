import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createAuthedFetch, createTokenClient } from '../../../src/index.ts';
import { parseUrl } from '../../../src/shared/url.ts';

/** After so many the runtime has compiled them: `URL.canParse` fails from the 6,000th on. */
const MANY = 20_000;

describe('parseUrl', () => {
  it('gives the URL of a text, with its base, or nothing', () => {
    expect(parseUrl('https://orders.example/a?b')?.href).toBe('https://orders.example/a?b');
    expect(parseUrl(new URL('https://orders.example'))?.href).toBe('https://orders.example/');
    expect(parseUrl('/a', 'https://orders.example/b')?.href).toBe('https://orders.example/a');
    for (const text of ['', '/a', 'orders', 'https://', 'https://[']) expect(parseUrl(text)).toBeUndefined();
  });

  it('takes letters beyond ASCII however often it was asked', () => {
    const urls = ['https://bücher.example/straße', 'https://orders.example/日本', 'https://orders.example/a'];
    const refused = Array.from({ length: MANY }).flatMap(() => urls.filter((url) => !parseUrl(url)));
    expect(refused).toEqual([]);
  });
});

describe('a process that has run for a while', () => {
  const transport = {
    fetch: async () => Response.json({ access_token: 'token-1', token_type: 'Bearer', expires_in: 3600 }),
  };
  const client = { clientId: 'billing', clientSecret: 'a-secret-of-this-test' };
  const tokens = { ...client, ...transport, tokenEndpoint: 'https://idp.example/token' };

  it('calls hosts with letters beyond ASCII', async () => {
    const fetch = createAuthedFetch({ ...tokens, targets: ['https://bücher.example'] });
    const answers = new Set<number>();
    for (let call = 0; call < MANY; call++) {
      answers.add((await fetch('https://bücher.example/straße?name=Müller')).status);
    }
    expect(answers).toEqual(new Set([200]));
    fetch.close();
  });

  it('makes proofs for them', async () => {
    const tokenClient = createTokenClient({ ...tokens, dpop: true });
    for (let call = 0; call < MANY / 2; call++) {
      await tokenClient.dpopProof({ method: 'GET', url: 'https://bücher.example/straße' });
    }
    tokenClient.close();
  });
});

it('nothing asks URL.canParse', () => {
  const root = new URL('../../../', import.meta.url);
  const asking = ['src', 'adapters'].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .filter((name) => /\bcanParse\(/.test(readFileSync(new URL(`${folder}/${name}`, root), 'utf8'))),
  );
  expect(asking).toEqual([]);
});
