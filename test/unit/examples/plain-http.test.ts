/** What examples on plain `node:http` must not teach: to let requests pass where judging them failed. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { documents } from '../../../docs/.vitepress/documents.ts';

const root = new URL('../../../', import.meta.url);
const programs = readdirSync(fileURLToPath(new URL('examples', root)), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(ts|md)$/.test(file) && !file.includes('node_modules'))
  .map((file) => `examples/${file}`);
const files = [...new Set([...programs, ...documents()])];

it('no call of a middleware is given a next that does not look at its error, or throws it at nobody', () => {
  const calls = files.flatMap((file) => {
    const text = readFileSync(new URL(file, root), 'utf8');
    const found = text.matchAll(
      /\w+\((?:request|req), (?:response|res), \(([^)]*)\)(?:: \w+)? => ([\s\S]{0,120})/g,
    );
    return [...found].map(([, parameters = '', body = '']) => ({ file, parameters, body }));
  });
  expect(calls.length).toBeGreaterThan(1);
  for (const { file, parameters, body } of calls) {
    expect([file, parameters]).toEqual([file, expect.stringMatching(/^error/)]);
    expect([file, body]).toEqual([file, expect.not.stringContaining('throw error')]);
  }
});
