/** What `npm run bench` was asked to do. */
import { parseArgs } from 'node:util';
import type { Effort } from './harness.ts';
import { type Table, tables } from './tables.ts';

export interface Command {
  readonly mode: Mode;
  readonly effort: Effort;
  readonly tables: readonly Table[];
  /** All tables, measured in full. */
  readonly isWhole: boolean;
}

/** What is no command: to be said before the usage, if anything. */
export class UsageError extends Error {}

type Mode = 'measure' | 'check' | 'baseline' | 'profile' | 'publish';

const modes = ['check', 'baseline', 'profile', 'publish'] as const;

export const usage = `npm run bench [-- [--quick] [--check | --baseline] [name ...]]
npm run bench -- --profile | --publish

Measures all tables, which takes about half an hour, or those whose names begin so; a name in full is that
table alone. Results go to bench/results; the documents and charts are written by a run of all tables, or by --publish.

  --quick     fewer rounds and fewer tables, about two minutes in all; writes nothing
  --check     compares with bench/baseline.json and writes nothing; status 1 where something is slower
  --baseline  puts what was measured into bench/baseline.json, too
  --profile   takes the CPU profiles of the hot paths, some minutes
  --publish   measures nothing, but writes documents and charts from the results there are
  --help      prints this

Names:
${tables.map(({ name }) => `  ${name}`).join('\n')}
`;

/** Undefined where help was asked for. */
export function readCommand(args: readonly string[]): Command | undefined {
  const { values, positionals } = parse(args);
  if (values.help === true) return undefined;
  const asked = modes.filter((mode) => values[mode] === true);
  const [mode = 'measure'] = asked;
  if (asked.length > 1) throw new UsageError(`${flags(asked)} exclude each other`);
  const isQuick = values.quick === true;
  if (isQuick && mode !== 'measure' && mode !== 'check') {
    throw new UsageError(`--quick and --${mode} exclude each other: quick figures are not kept`);
  }
  if (positionals.length > 0 && (mode === 'profile' || mode === 'publish')) {
    throw new UsageError(`--${mode} takes no names`);
  }
  const isAll = positionals.length === 0;
  return {
    mode,
    effort: isQuick ? 'quick' : 'whole',
    tables: isAll ? tables.filter(({ isLong = false }) => !(isQuick && isLong)) : named(positionals),
    isWhole: isAll && !isQuick,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        quick: { type: 'boolean' },
        check: { type: 'boolean' },
        baseline: { type: 'boolean' },
        profile: { type: 'boolean' },
        publish: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : `${error}`);
  }
}

/** In the order of the tables. */
function named(words: readonly string[]): readonly Table[] {
  const chosen = new Set(
    words.flatMap((word) => {
      const exact = tables.filter(({ name }) => name === word);
      const found = exact.length > 0 ? exact : tables.filter(({ name }) => name.startsWith(word));
      if (found.length === 0) throw new UsageError(`no benchmark is named ${JSON.stringify(word)}`);
      return found;
    }),
  );
  return tables.filter((table) => chosen.has(table));
}

function flags(names: readonly string[]): string {
  return names.map((name) => `--${name}`).join(' and ');
}
