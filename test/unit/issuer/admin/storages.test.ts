import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { libsqlStorage, memoryStorage } from '../../../../src/issuer/index.ts';
import { describeAdminFlows } from './flows.ts';

const directories: string[] = [];
afterAll(async () => {
  await Promise.all(directories.map((directory) => rm(directory, { recursive: true })));
});

describeAdminFlows('memory', async () => memoryStorage());
describeAdminFlows('libsql', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'service-auth-admin-'));
  directories.push(directory);
  return libsqlStorage({ directory });
});
