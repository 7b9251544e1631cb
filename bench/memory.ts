/** What is kept, measured in fresh processes. */
import { type Child, startChild } from './children.ts';
import type { Effort, Row } from './harness.ts';
import type { MemoryQuestion } from './memory-probe.ts';

export async function memory(effort: Effort): Promise<readonly Row[]> {
  const isQuick = effort === 'quick';
  const kept = isQuick ? 20_000 : 100_000;
  const bad = isQuick ? 20_000 : 1_000_000;
  const rows: Row[] = [];
  for (const [name, who] of [
    ['service-auth', 'service-auth'],
    ['fast-jwt', 'fast-jwt'],
  ] as const) {
    const bytes = await probe({ do: 'keep', who, tokens: kept });
    rows.push({
      name: `${name}, a cached token beyond its length`,
      figures: { tokens: kept, 'bytes each': bytes / kept },
    });
  }
  for (const kind of ['jwt', 'opaque'] as const) {
    const bytes = await probe({ do: 'flood', kind, tokens: bad });
    rows.push({
      name: `service-auth, distinct bad tokens, ${kind}`,
      figures: { tokens: bad, 'bytes each': bytes / bad, 'MB in all': bytes / 1e6 },
    });
  }
  return rows;
}

async function probe(question: MemoryQuestion): Promise<number> {
  const child: Child = startChild('memory-probe.ts');
  try {
    return await child.ask<number>(question);
  } finally {
    child.stop();
  }
}
