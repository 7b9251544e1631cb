import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IssuerStorage, postgresStorage } from '../../src/issuer/index.ts';
import { findHalves, findLost, writeUntilCrash } from '../faults/issuer-crash.ts';
import { hasPostgres, type PrivatePostgres, startPostgres } from '../helpers/postgres.ts';

describe.runIf(hasPostgres())('kill -9 loses nothing that was acknowledged', () => {
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  async function expectAll(what: string, storage: IssuerStorage, lines: readonly string[]): Promise<void> {
    const lost = await findLost(storage, lines);
    // biome-ignore lint/suspicious/noConsole: the count is a result
    console.info(`${what}: ${lines.length} acknowledged, ${lines.length - lost.length} found`);
    expect(lost).toEqual([]);
    expect(await findHalves(storage)).toEqual([]);
  }

  it('of the issuer', async () => {
    const url = await server.createDatabase();
    const lines: string[] = [];
    for (const crashAfter of [1, 700, 2300, 5000]) {
      const run = `after-${crashAfter}`;
      lines.push(...(await writeUntilCrash({ kind: 'postgres', where: url, run, crashAfter })));
    }
    expect(lines.length).toBeGreaterThanOrEqual(8001);
    const storage = await postgresStorage({ url });
    await expectAll('PostgreSQL, issuer killed', storage, lines);
    await storage.close();
  });

  it('of PostgreSQL itself, which then serves the storages that it served before', async () => {
    const url = await server.createDatabase();
    const storage = await postgresStorage({ url });
    const lines: string[] = [];
    for (const crashAfter of [100, 5000]) {
      const crash = (): Promise<void> => server.kill9();
      const run = `after-${crashAfter}`;
      lines.push(...(await writeUntilCrash({ kind: 'postgres', where: url, run, crashAfter, crash })));
      await expect(storage.findService('anything')).rejects.toThrow();
      await server.start();
    }
    expect(lines.length).toBeGreaterThanOrEqual(5100);
    await expectAll('PostgreSQL, server killed', storage, lines);
    await storage.close();
  });
});
