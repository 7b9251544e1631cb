/** Two issuer processes that are started with one seed on one PostgreSQL: one of them creates each thing. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminClient } from '../../src/issuer/index.ts';
import { hasPostgres, type PrivatePostgres, startPostgres } from '../helpers/postgres.ts';
import { buildProgram, type Program, type RunningIssuer } from '../unit/cli/harness.ts';
import { basic, form } from '../unit/issuer/harness.ts';

const adminToken = 'an-admin-token-from-outside';
const GIVEN = 'a-secret-that-somebody-brought-along';
const RESOURCE = 'https://orders.example';
const names = Array.from({ length: 10 }, (_, at) => `service-${at}`);

interface Line {
  readonly event: string;
  readonly clientId?: string;
  readonly clientSecret?: string;
}

describe.runIf(hasPostgres())('two issuer processes with one seed', () => {
  let postgres: PrivatePostgres;
  let program: Program;
  beforeAll(async () => {
    [postgres, program] = await Promise.all([startPostgres(), buildProgram()]);
  });
  afterAll(async () => {
    program.endAll();
    await Promise.all([postgres.remove(), program.remove()]);
  });

  async function tokenStatus({ url }: RunningIssuer, clientId: string, clientSecret: string) {
    const headers = { authorization: basic({ clientId, clientSecret }) };
    const body = form({ grant_type: 'client_credentials', resource: RESOURCE });
    return (await fetch(`${url}/token`, { method: 'POST', headers, body })).status;
  }

  async function seedLines(issuer: RunningIssuer): Promise<Line[]> {
    const { stdout } = await issuer.stop();
    const lines: Line[] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    return lines.filter(({ event }) => event.startsWith('seed.'));
  }

  it('create each thing once between them, and its secret opens it at both', async () => {
    const registration = (clientId: string) => ({
      clientId,
      name: clientId,
      scopes: ['read'],
      resources: [RESOURCE],
    });
    const seed = {
      resources: [{ resource: RESOURCE, scopes: ['read'] }],
      services: [...names.map(registration), { ...registration('given'), clientSecretEnv: 'GIVEN_SECRET' }],
    };
    const path = join(program.directory, 'seed.json');
    await writeFile(path, JSON.stringify(seed));
    const environment = {
      SERVICE_AUTH_ADMIN_TOKEN: adminToken,
      SERVICE_AUTH_SECRET_KEY: 'a secret key of at least 32 bytes, for tests',
      SERVICE_AUTH_DATABASE_URL: await postgres.createDatabase(),
      GIVEN_SECRET: GIVEN,
    };
    const flags = ['--issuer', 'https://idp.example', '--seed', path];
    const start = () => program.startIssuer(flags, environment);
    const [a, b] = await Promise.all([start(), start()]);
    expect(await Promise.all([a, b].map((at) => tokenStatus(at, 'given', GIVEN)))).toEqual([200, 200]);
    const client = createAdminClient({
      issuer: 'https://idp.example',
      adminToken,
      fetch: (url, init) => fetch(`${a.url}${new URL(url).pathname}${new URL(url).search}`, init),
    });
    const { entries } = await client.audit.list({ limit: 200 });
    expect(
      entries
        .filter(({ actor }) => actor === 'seed')
        .map(({ target }) => target)
        .sort(),
    ).toEqual([RESOURCE, ...names, 'given'].sort());
    const { services } = await client.services.list();
    expect(services.map(({ secrets }) => secrets.length)).toEqual(services.map(() => 1));

    const said = [...(await seedLines(a)), ...(await seedLines(b))];
    const created = said.filter(({ event }) => event === 'seed.service_created');
    expect(created.map(({ clientId }) => clientId).sort()).toEqual([...names, 'given'].sort());
    expect(said.length).toBe(created.length + 1);
    const third = await start();
    for (const { clientId = '', clientSecret = GIVEN } of created) {
      expect(await tokenStatus(third, clientId, clientSecret)).toBe(200);
    }
    expect(await seedLines(third)).toEqual([]);
  });
});
