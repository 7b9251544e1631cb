import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { libsqlStorage } from '../../src/issuer/index.ts';
import { findHalves, findLost, writeUntilCrash } from './issuer-crash.ts';

it('kill -9 of an issuer loses nothing that it has acknowledged on disk', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'service-auth-crash-'));
  const lines: string[] = [];
  try {
    for (const crashAfter of [300, 5000]) {
      const run = `after-${crashAfter}`;
      const written = await writeUntilCrash({ kind: 'libsql', where: directory, run, crashAfter });
      expect(written.length).toBeGreaterThanOrEqual(crashAfter);
      lines.push(...written);
    }
    const storage = await libsqlStorage({ directory });
    const lost = await findLost(storage, lines);
    // biome-ignore lint/suspicious/noConsole: the count is a result
    console.info(`on disk: ${lines.length} acknowledged, ${lines.length - lost.length} found`);
    expect(lost).toEqual([]);
    expect(await findHalves(storage)).toEqual([]);
    await storage.close();
  } finally {
    await rm(directory, { recursive: true });
  }
}, 120_000);
