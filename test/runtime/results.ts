/** What a run of the suite on every runtime gave, as it is kept. */

/** One check on one runtime, as the suite gives it. */
export interface CheckResult {
  readonly group: string;
  readonly name: string;
  readonly outcome: 'passed' | 'excepted' | 'failed';
  /** What went wrong, or why it cannot hold there. */
  readonly detail?: string;
}

export interface RuntimeRun {
  readonly runtime: { readonly name: string; readonly version: string };
  readonly results: readonly CheckResult[];
}

/** The results of all runtimes, without those that passed: everything that is named nowhere did. */
export interface Results {
  readonly runtimes: readonly {
    readonly name: string;
    readonly version: string;
    readonly excepted: readonly { readonly group: string; readonly name: string; readonly reason: string }[];
  }[];
  /** The checks of every runtime, by group. */
  readonly groups: readonly { readonly title: string; readonly checks: readonly string[] }[];
}

/**
 * What is kept of runs in which nothing failed.
 *
 * @throws Error where two runtimes did not run the same checks.
 */
export function summarise(runs: readonly RuntimeRun[]): Results {
  const [first] = runs;
  if (first === undefined) throw new Error('nothing was run');
  const groups = groupsOf(first);
  for (const run of runs) {
    if (JSON.stringify(groupsOf(run)) === JSON.stringify(groups)) continue;
    throw new Error(`${run.runtime.name} did not run the checks of ${first.runtime.name}`);
  }
  const runtimes = runs.map(({ runtime, results }) => ({
    ...runtime,
    excepted: results
      .filter(({ outcome }) => outcome === 'excepted')
      .map(({ group, name, detail: reason = '' }) => ({ group, name, reason })),
  }));
  return { runtimes, groups };
}

function groupsOf({ results }: RuntimeRun): Results['groups'] {
  const titles = [...new Set(results.map(({ group }) => group))];
  return titles.map((title) => ({
    title,
    checks: results.filter(({ group }) => group === title).map(({ name }) => name),
  }));
}

/** Whether two results say the same of the same checks, whatever the versions. */
export function agree(one: Results, other: Results): boolean {
  const core = ({ runtimes, groups }: Results): string =>
    JSON.stringify([
      groups,
      runtimes.map(({ name, version, excepted }) => [name, name === 'Node' && majorOf(version), excepted]),
    ]);
  return core(one) === core(other);
}

function majorOf(version: string): string {
  return version.split('.', 1)[0] ?? version;
}
