import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { libsqlStorage } from '../../../../src/issuer/index.ts';
import { storageContract } from './contract.ts';
import { audit, inParallel, service } from './samples.ts';

let root = '';
let made = 0;
const newDirectory = (): string => join(root, 'made', `on demand ${++made}`);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'service-auth-libsql-'));
});
afterAll(() => rm(root, { recursive: true }));

storageContract(() => libsqlStorage({ directory: newDirectory() }));

describe('a database on disk', () => {
  const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

  it('outlives its storage, and lasts', async () => {
    const directory = newDirectory();
    const first = await libsqlStorage({ directory });
    expect(first.durable).toBe(true);
    await first.createService(service('a'), audit());
    await first.close();
    const second = await libsqlStorage({ directory });
    expect(await second.findService('a')).toEqual(service('a'));
    await second.close();
  });

  it('is for its owner alone', async () => {
    const directory = newDirectory();
    const storage = await libsqlStorage({ directory });
    await storage.createService(service('a'), audit());
    expect(await mode(directory)).toBe(0o700);
    expect(await mode(join(directory, 'issuer.db'))).toBe(0o600);
    expect(await mode(join(directory, 'issuer.db-wal'))).toBe(0o600);
    await storage.close();
    await chmod(join(directory, 'issuer.db'), 0o644);
    await (await libsqlStorage({ directory })).close();
    expect(await mode(join(directory, 'issuer.db'))).toBe(0o600);
  });

  it('is used by one issuer at a time', async () => {
    const directory = newDirectory();
    const storage = await libsqlStorage({ directory });
    await expect(libsqlStorage({ directory })).rejects.toThrow(
      'the data directory is in use by another issuer; use PostgreSQL for several',
    );
    expect(await storage.createService(service('a'), audit())).toBe('created');
    await storage.close();
    await (await libsqlStorage({ directory })).close();
  });

  it('of a newer version is refused, and let go of', async () => {
    const directory = newDirectory();
    await (await libsqlStorage({ directory })).close();
    const database = new Database(join(directory, 'issuer.db'));
    database.exec('insert into migrations (version) values (99)');
    database.close();
    await expect(libsqlStorage({ directory })).rejects.toThrow('the database is of version 99');
    const again = new Database(join(directory, 'issuer.db'));
    again.exec('delete from migrations where version = 99');
    again.close();
    await (await libsqlStorage({ directory })).close();
  });

  it('finishes what is under way when it is closed, then rejects', async () => {
    const directory = newDirectory();
    const storage = await libsqlStorage({ directory });
    const creates = inParallel(50, (turn) => storage.createService(service(`s${turn}`), audit()));
    await storage.close();
    const results = await creates;
    expect(results.every((result) => result === 'created')).toBe(true);
    await expect(storage.findService('a')).rejects.toThrow();
    await expect(storage.useOnce('a', 1)).rejects.toThrow();
    const reopened = await libsqlStorage({ directory });
    expect((await reopened.listServices({ limit: 100 })).length).toBe(50);
    await reopened.close();
  });

  it('takes one transaction after the other, and lets a failed one harm no other', async () => {
    const storage = await libsqlStorage({ directory: newDirectory() });
    const unwritable = { toJSON: () => { throw new Error('no JSON'); } }; // biome-ignore format: one line
    const results = await Promise.allSettled([
      storage.createService(service('a'), audit('a', { after: unwritable })),
      storage.createService(service('b'), audit('b')),
      storage.useOnce('name', 1),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(await storage.findService('a')).toBeUndefined();
    expect(await storage.findService('b')).toBeDefined();
    expect(await storage.useOnce('name', 1)).toBe(false);
    await storage.close();
  });

  it('refuses names that it would not find again', async () => {
    const storage = await libsqlStorage({ directory: newDirectory() });
    for (const name of ['a\0b', 'half \ud83d']) {
      await expect(storage.createService(service(name), audit())).rejects.toThrow(TypeError);
    }
    await storage.close();
  });

  it.each([
    [{}, 'directory must be a path'],
    [{ directory: 5 }, 'directory must be a path; got 5'],
    [{ directory: ' ' }, 'directory must be a path'],
    [{ directory: 'a', dir: 'b' }, 'unknown option dir in options'],
    [undefined, 'options must be an object'],
  ])('%j is refused', async (options, message) => {
    // biome-ignore lint/suspicious/noExplicitAny: what a program without types may pass
    await expect(libsqlStorage(options as any)).rejects.toThrow(message);
  });
});
