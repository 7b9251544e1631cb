/** What a check found, and how findings are shown. */
import { harmlessLine, type Output } from './output.ts';

export type FindingStatus = 'ok' | 'warning' | 'failure' | 'undecided' | 'skipped';

export interface Finding {
  readonly check: string;
  readonly status: FindingStatus;
  readonly found: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** The word that `service-auth explain` explains. */
  readonly code?: string | undefined;
}

const words: Readonly<Record<FindingStatus, string>> = {
  ok: 'ok  ',
  warning: 'warn',
  failure: 'FAIL',
  undecided: '?   ',
  skipped: '-   ',
};

/** One line for each finding, and one below for what to do. */
export function showFindings(findings: readonly Finding[], { style }: Output): string {
  const colours = { ok: style.green, warning: style.yellow, failure: style.red, undecided: style.yellow };
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, status, found, hint, code }) => {
    const colour = status === 'skipped' ? style.dim : colours[status];
    const line = `${colour(words[status])}  ${check.padEnd(width)}  ${harmlessLine(found)}`;
    const more = code === undefined ? undefined : `more: service-auth explain ${code}`;
    const below = [hint, more].flatMap((text) => text ?? []);
    return [line, ...below.map((text) => `${' '.repeat(width + 8)}${style.dim(`-> ${harmlessLine(text)}`)}`)];
  });
  return lines.join('\n');
}
