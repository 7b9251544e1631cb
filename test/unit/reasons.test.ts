/** Codes and their documents: what programs may compare, people can look up. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readSections, type Section } from '../../src/cli/explain/sections.ts';
import { optionErrorCodes } from '../../src/errors.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The words of one union type of the source. */
function wordsOf(file: string, type: string): readonly string[] {
  const [, body = ''] = read(file).split(`export type ${type} =`);
  return [...(body.split(';', 1)[0] ?? '').matchAll(/^\s*\| '([\w.]+)'/gm)].map(([, word = '']) => word);
}

const rejections = wordsOf('src/events.ts', 'RejectionReason');
const undecided = wordsOf('src/events.ts', 'UndecidedReason');
// Semicolons end the comments of this one, too.
const failures = [
  ...(read('src/errors.ts')
    .split('export interface', 1)[0]
    ?.matchAll(/^ {2}\| '(\w+)'/gm) ?? []),
].map(([, word = '']) => word);

const reasons = readSections('docs/reasons.md', read('docs/reasons.md'));
const errors = readSections('docs/errors.md', read('docs/errors.md'));
const codesOf = (sections: readonly Section[]): readonly string[] => sections.map(({ code }) => code).sort();

it('every reason has one section, and nothing else has', () => {
  expect(rejections.length).toBeGreaterThan(40);
  expect(undecided.length).toBeGreaterThan(5);
  expect(codesOf(reasons)).toEqual([...rejections, ...undecided].sort());
});

it('every code of an error has one section, and nothing else has', () => {
  expect(failures.length).toBeGreaterThan(15);
  expect(codesOf(errors)).toEqual([...failures, ...optionErrorCodes].sort());
});

it.each([...reasons, ...errors])(
  '$place says what it means, why, how to mend it, and shows one',
  ({ text }) => {
    const [meaning = '', list = ''] = text.split('\n\n- ');
    expect(meaning.length).toBeGreaterThan(10);
    expect(list).toMatch(
      /^Usual causes: [\s\S]{10,}\n- To mend: [\s\S]{5,}\n- (Seen as|Example): [\s\S]{5,}$/,
    );
  },
);

describe('the table of refusals', () => {
  const rows = read('docs/reasons.md')
    .split('\n')
    .filter((line) => /^\| \[`\w+`\]/.test(line));

  it('has every one, and leads to its section', () => {
    const links = rows.map((row) => /^\| \[`(\w+)`\]\(#(\w+)\)/.exec(row)?.slice(1));
    expect(links.map((link) => link?.[0])).toEqual(rejections.toSorted(byRow(rows)));
    for (const link of links) expect(link?.[1]).toBe(link?.[0]);
  });

  it('names the steps that there are', () => {
    const steps = new Set(wordsOf('src/events.ts', 'RejectionStep'));
    for (const row of rows) {
      for (const step of row.split('|')[2]?.trim().split(', ') ?? []) expect(steps).toContain(step);
    }
  });
});

function byRow(rows: readonly string[]): (a: string, b: string) => number {
  const at = (word: string): number => rows.findIndex((row) => row.includes(`[\`${word}\`]`));
  return (a, b) => at(a) - at(b);
}
