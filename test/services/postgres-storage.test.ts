import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresStorage } from '../../src/issuer/index.ts';
import { hasPostgres, type PrivatePostgres, startPostgres } from '../helpers/postgres.ts';
import { storageContract } from '../unit/issuer/storage/contract.ts';
import { audit, inParallel, service } from '../unit/issuer/storage/samples.ts';

describe.runIf(hasPostgres())('storage in PostgreSQL', () => {
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  const connected = async <T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client(url);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };

  storageContract(async () => postgresStorage({ url: await server.createDatabase() }));

  it('is durable, and closes all its connections', async () => {
    const url = await server.createDatabase();
    const storage = await postgresStorage({ url });
    expect(storage.durable).toBe(true);
    await inParallel(20, (turn) => storage.useOnce(`n${turn}`, 1));
    await storage.close();
    await expect(storage.findService('a')).rejects.toThrow();
    const others =
      'select * from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()';
    await connected(url, (client) =>
      expect.poll(async () => (await client.query(others)).rows, { timeout: 10_000 }).toEqual([]),
    );
  });

  it('opens no more connections than it may', async () => {
    const url = await server.createDatabase();
    const storage = await postgresStorage({ url, maxConnections: 2 });
    await inParallel(50, (turn) => storage.createService(service(`s${turn}`), audit()));
    const { rows } = await connected(url, (client) =>
      client.query('select * from pg_stat_activity where datname = current_database()'),
    );
    expect(rows.length).toBe(3);
    await storage.close();
  });

  it('makes its tables once, though eight issuers open an empty database at once', async () => {
    const url = await server.createDatabase();
    const storages = await inParallel(8, () => postgresStorage({ url, maxConnections: 2 }));
    const { rows } = await connected(url, (client) => client.query('select version from migrations'));
    expect(rows).toEqual([{ version: '1' }]);
    await Promise.all(storages.map((storage) => storage.close()));
  });

  it('refuses a database of a newer version', async () => {
    const url = await server.createDatabase();
    await (await postgresStorage({ url })).close();
    await connected(url, (client) => client.query('insert into migrations (version) values (99)'));
    await expect(postgresStorage({ url })).rejects.toThrow('the database is of version 99');
  });

  it('leaves nothing behind of a migration that fails, and succeeds when it can', async () => {
    const url = await server.createDatabase();
    await connected(url, (client) => client.query('create table audit (x int)'));
    await expect(postgresStorage({ url })).rejects.toThrow('audit');
    await connected(url, (client) => client.query('drop table audit'));
    await (await postgresStorage({ url })).close();
  });

  it('outlives the loss of its connections, used ones and idle ones', async () => {
    const url = await server.createDatabase();
    const storage = await postgresStorage({ url });
    await inParallel(5, (turn) => storage.useOnce(`before ${turn}`, 1));
    const under = inParallel(200, (turn) => storage.useOnce(`during ${turn}`, 1).catch(() => 'failed'));
    await connected(url, (client) =>
      client.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      ),
    );
    await under;
    await expect
      .poll(() => storage.useOnce('after', 1).catch(() => 'failed'), { timeout: 10_000 })
      .not.toBe('failed');
    expect(await storage.useOnce('before 1', 1)).toBe(false);
    await storage.close();
  });

  it('works again after a restart of the server, and rejects in the meantime', async () => {
    const storage = await postgresStorage({ url: await server.createDatabase() });
    await storage.createService(service('a'), audit());
    await server.stop();
    await expect(storage.findService('a')).rejects.toThrow();
    await expect(storage.createService(service('b'), audit('b'))).rejects.toThrow();
    await server.start();
    expect(await storage.findService('a')).toEqual(service('a'));
    expect(await storage.createService(service('b'), audit('b'))).toBe('created');
    await storage.close();
  });

  it('gives up a statement that waits too long, and its lock', async () => {
    const url = await server.createDatabase();
    const storage = await postgresStorage({ url });
    await storage.createService(service('a'), audit());
    await connected(url, async (client) => {
      await client.query('begin');
      await client.query("select * from services where client_id = 'a' for update");
      await expect(storage.revokeService('a', 5, audit())).rejects.toThrow('timeout');
    });
    expect(await storage.revokeService('a', 6, audit())).toBe(true);
    expect((await storage.findService('a'))?.revokedAtMs).toBe(6);
    await storage.close();
  });

  it('refuses names that it would not find again', async () => {
    const storage = await postgresStorage({ url: await server.createDatabase() });
    await expect(storage.createService(service('a\0b'), audit())).rejects.toThrow(TypeError);
    await storage.close();
  });

  it('rejects where there is no server, and never tells a password', async () => {
    const url = 'postgresql://someone:a-password@127.0.0.1:1/database';
    const error = await postgresStorage({ url }).catch((reason) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(JSON.stringify([error.message, error.stack])).not.toContain('a-password');
  });
});
