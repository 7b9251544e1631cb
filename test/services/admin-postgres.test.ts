import { afterAll, beforeAll, describe } from 'vitest';
import { postgresStorage } from '../../src/issuer/index.ts';
import { hasPostgres, type PrivatePostgres, startPostgres } from '../helpers/postgres.ts';
import { describeAdminFlows } from '../unit/issuer/admin/flows.ts';

describe.runIf(hasPostgres())('a PostgreSQL of its own', () => {
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  describeAdminFlows('PostgreSQL', async () => postgresStorage({ url: await server.createDatabase() }));
});
