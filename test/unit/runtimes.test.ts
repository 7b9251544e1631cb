/** What the documents say of runtimes is what the committed results say. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { replaceBlock } from '../../bench/markdown.ts';
import { readResults, shown } from '../runtime/publish.ts';
import { agree, type CheckResult, type RuntimeRun, summarise } from '../runtime/results.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const results = readResults();

it.each(shown)('%s shows the committed results', (document, render) => {
  const text = readFileSync(join(root, document), 'utf8');
  expect(text).toBe(replaceBlock(text, 'runtimes', render(results)));
});

it('every runtime that is supported is among them, and has run more than a hundred checks', () => {
  const names = results.runtimes.map(({ name, version }) =>
    name === 'Node' ? `Node ${version.split('.', 1)[0]}` : name,
  );
  expect(names).toEqual([
    'Node 20',
    'Node 22',
    'Node 24',
    'Node 26',
    'Bun',
    'Deno',
    'workerd',
    'workerd, nodejs_compat',
  ]);
  expect(results.groups.flatMap(({ checks }) => checks).length).toBeGreaterThan(100);
});

it('every exception names a check and a reason', () => {
  for (const { group, name, reason } of results.runtimes.flatMap(({ excepted }) => excepted)) {
    expect(results.groups.find(({ title }) => title === group)?.checks).toContain(name);
    expect(reason).not.toBe('');
  }
});

describe('results', () => {
  const run = (version: string, checks: readonly CheckResult[]): RuntimeRun => ({
    runtime: { name: 'Node', version },
    results: checks,
  });
  const good: CheckResult = { group: 'Tokens', name: 'expired', outcome: 'passed' };
  const other: CheckResult = { group: 'Tokens', name: 'scopes', outcome: 'passed' };

  it('agree whatever the versions within a major, and not where a check differs', () => {
    const one = summarise([run('20.1.0', [good, other])]);
    expect(agree(one, summarise([run('20.2.0', [good, other])]))).toBe(true);
    expect(agree(one, summarise([run('22.1.0', [good, other])]))).toBe(false);
    expect(agree(one, summarise([run('20.1.0', [good])]))).toBe(false);
    const excepted = { ...other, outcome: 'excepted', detail: 'it has no clock' } as const;
    expect(agree(one, summarise([run('20.1.0', [good, excepted])]))).toBe(false);
  });

  it('of runtimes that ran other checks are refused', () => {
    expect(() => summarise([run('20.1.0', [good, other]), run('22.1.0', [good])])).toThrow('did not run');
    expect(() => summarise([])).toThrow('nothing was run');
  });
});
