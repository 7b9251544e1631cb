import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The words of one union type of the source. */
function wordsOf(type: string): readonly string[] {
  const [, body = ''] = read('src/events.ts').split(`export type ${type} =`);
  return [...(body.split(';', 1)[0] ?? '').matchAll(/'([\w.]+)'/g)].map(([, word = '']) => word);
}

const table = read('docs/reasons.md');
const documented = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, word = '']) => word);

it('every reason is documented once, and no other', () => {
  const reasons = [...wordsOf('RejectionReason'), ...wordsOf('UndecidedReason')];
  expect(reasons.length).toBeGreaterThan(40);
  expect(documented.slice().sort()).toEqual(reasons.slice().sort());
});

it('names the steps that there are', () => {
  const steps = new Set(wordsOf('RejectionStep'));
  const rows = table.split('\n').filter((line) => /^\| `\w+` \|.*\| 40\d/.test(line));
  expect(rows).toHaveLength(wordsOf('RejectionReason').length);
  for (const row of rows) {
    for (const step of row.split('|')[2]?.trim().split(', ') ?? []) expect(steps).toContain(step);
  }
});
