/**
 * Writes to a storage, and prints each write once it is acknowledged: `<what> <name>` in a line.
 * Arguments: `libsql` or `postgres`, where it is, how many writes, and a name that no other run has.
 */
import { writeSync } from 'node:fs';
import { libsqlStorage, postgresStorage } from '../../src/issuer/index.ts';
import { audit, revoked, service } from '../unit/issuer/storage/samples.ts';

const [kind, where = '', most = '0', run = ''] = process.argv.slice(2);
const WORKERS = 8;
const FAR_FUTURE_MS = 2 ** 50;

async function main(): Promise<void> {
  const storage = await (kind === 'libsql'
    ? libsqlStorage({ directory: where })
    : postgresStorage({ url: where }));
  const acknowledged = (what: string, name: string): void => void writeSync(1, `${what} ${name}\n`);
  let written = 0;

  async function work(): Promise<void> {
    while (written < Number(most)) {
      written += 4;
      const name = `${run}-${written}`;
      await storage.createService(service(name), audit(name));
      acknowledged('created', name);
      await storage.useOnce(name, FAR_FUTURE_MS);
      acknowledged('used', name);
      const { listId, start: index } = await storage.reserveStatuses({
        clientId: name,
        count: 1,
        expiresAtMs: FAR_FUTURE_MS,
      });
      await storage.revokeToken(revoked(name, { expiresAtMs: FAR_FUTURE_MS, status: { listId, index } }));
      acknowledged('token-revoked', name);
      await storage.revokeService(name, 5, audit(name, { action: 'service.revoked' }));
      acknowledged('revoked', name);
    }
  }

  await Promise.all(Array.from({ length: WORKERS }, work));
  await storage.close();
}

await main();
