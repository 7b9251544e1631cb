/** What a load has met, as its clients saw it. */
export interface FleetCounts {
  /** Proofs of good tokens; each is sent twice, to two instances. */
  readonly proofs: number;
  /** Of them: sent to both at the very same moment. */
  readonly together: number;
  /** Of them: let through at least once. */
  readonly accepted: number;
  readonly acceptedTwice: number;
  /** Of them: turned away with 401 or 403 though nobody had used them. */
  readonly goodRefused: number;
  /** Requests with a proof that may have been used before, and that were turned away. */
  readonly replaysRefused: number;
  /** Requests with bad credentials of one kind or another, and what became of them. */
  readonly bad: number;
  readonly badAccepted: number;
  /** Requests that were answered with 503, good and bad. */
  readonly undecided: number;
  /** Requests that had no answer at all: the process was gone, or did not move. */
  readonly unanswered: number;
  /** Answers of any other kind. */
  readonly odd: number;
}

export type Mutable<T> = { -readonly [name in keyof T]: T[name] };

export interface LoadReport {
  readonly counts: FleetCounts;
  /** Why proofs of good tokens were refused: how often for each reason. */
  readonly reasons: Readonly<Record<string, number>>;
  /** How many requests each instance has let through. */
  readonly acceptedBy: readonly number[];
}

export function noCounts(): Mutable<FleetCounts> {
  return {
    proofs: 0,
    together: 0,
    accepted: 0,
    acceptedTwice: 0,
    goodRefused: 0,
    replaysRefused: 0,
    bad: 0,
    badAccepted: 0,
    undecided: 0,
    unanswered: 0,
    odd: 0,
  };
}

const names = Object.keys(noCounts()) as (keyof FleetCounts)[];

/** What happened between two looks. */
export function difference(after: FleetCounts, before: FleetCounts): FleetCounts {
  const counts = noCounts();
  for (const name of names) counts[name] = after[name] - before[name];
  return counts;
}

export function sumOf(reports: readonly LoadReport[]): LoadReport {
  const counts = noCounts();
  const reasons: Record<string, number> = {};
  const acceptedBy: number[] = [];
  for (const report of reports) {
    for (const name of names) counts[name] += report.counts[name];
    for (const [reason, count] of Object.entries(report.reasons)) {
      reasons[reason] = (reasons[reason] ?? 0) + count;
    }
    for (const [at, count] of report.acceptedBy.entries()) acceptedBy[at] = (acceptedBy[at] ?? 0) + count;
  }
  return { counts, reasons, acceptedBy };
}

/** Writes rows under each other, for whoever reads the output of the tests. */
export function printTable(rows: readonly Readonly<Record<string, string | number>>[]): void {
  const heads = Object.keys(rows[0] ?? {});
  const lines = [heads, ...rows.map((row) => heads.map((head) => `${row[head]}`))];
  const widths = heads.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const written = lines.map((line) =>
    line
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  '),
  );
  console.log(`\n${written.join('\n')}`);
}
