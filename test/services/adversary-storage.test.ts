/** Several storages on one PostgreSQL that get into each other's way on purpose. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import * as kysely from 'kysely';
import pg from 'pg';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSecrets } from '../../src/issuer/clients/secrets.ts';
import { type AuditEntry, type IssuerStorage, postgresStorage, serveIssuer } from '../../src/issuer/index.ts';
import { createLimiter } from '../../src/issuer/limits/limiter.ts';
import { statusListSize } from '../../src/issuer/storage/records.ts';
import { createPostgresDialect } from '../../src/issuer/storage/sql/postgres-dialect.ts';
import type { Schema } from '../../src/issuer/storage/sql/schema.ts';
import { hasPostgres, type PrivatePostgres, startPostgres } from '../helpers/postgres.ts';
import { basic, ISSUER } from '../unit/issuer/harness.ts';
import { audit, inParallel, revoked, secret, service } from '../unit/issuer/storage/samples.ts';

const writer = fileURLToPath(new URL('../faults/issuer-crash-writer.ts', import.meta.url));
const FAR_FUTURE_MS = 2 ** 50;

describe.runIf(hasPostgres())('three storages on one PostgreSQL', () => {
  let server: PrivatePostgres;
  let storages: readonly IssuerStorage[];
  let onlooker: pg.Client;
  let urlOfTest = '';
  const at = (turn: number, among = storages): IssuerStorage => {
    const storage = among[turn % among.length];
    if (storage === undefined) throw new Error('no storage is open');
    return storage;
  };
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    urlOfTest = await server.createDatabase();
    storages = await inParallel(3, () => postgresStorage({ url: urlOfTest }));
    onlooker = new pg.Client(urlOfTest);
    await onlooker.connect();
  });
  afterEach(async () => {
    await onlooker.end();
    await Promise.all(storages.map((storage) => storage.close()));
  });

  /** Until so many of the storages' statements wait for a lock. */
  const locked = (count: number): Promise<void> =>
    expect
      .poll(async () => {
        const waiting =
          "select * from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        return (await onlooker.query(waiting)).rows.length;
      })
      .toBe(count);

  it('a new secret and notes of the use of old ones never wait for each other', async () => {
    const secrets = [secret('a-2'), secret('a-1')];
    await at(0).createService(service('a', { secrets }), audit());
    await onlooker.query("begin; select * from secrets where id = 'a-1' for update");
    const uses = new Map([['a-1', 7], ['a-2', 7]]); // biome-ignore format: one line
    const touching = at(0).touchSecrets(uses);
    await locked(1);
    const addition = { clientId: 'a', secret: secret('a-3'), expireOthersAtMs: 9 };
    const adding = at(1).addSecret(addition, audit());
    await locked(2);
    await onlooker.query('commit');
    const results = await Promise.allSettled([touching, adding]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect((await at(2).findService('a'))?.secrets).toEqual([
      secret('a-2', { expiresAtMs: 9, lastUsedAtMs: 7 }),
      secret('a-1', { expiresAtMs: 9, lastUsedAtMs: 7 }),
      secret('a-3'),
    ]);
  });

  it('an update without the sealed secrets and notes of the use of old ones never wait for each other', async () => {
    const sealed = 'a sealed secret';
    const secrets = [secret('a-2', { sealed }), secret('a-1', { sealed })];
    await at(0).createService(service('a', { secrets, authMethods: ['client_secret_jwt'] }), audit());
    await onlooker.query("begin; select * from secrets where id = 'a-1' for update");
    const uses = new Map([['a-1', 7], ['a-2', 7]]); // biome-ignore format: one line
    const touching = at(0).touchSecrets(uses);
    await locked(1);
    const updating = at(1).updateService(service('a', { version: 2 }), audit());
    await locked(2);
    await onlooker.query('commit');
    const results = await Promise.allSettled([touching, updating]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect((await at(2).findService('a'))?.secrets).toEqual([
      secret('a-2', { lastUsedAtMs: 7 }),
      secret('a-1', { lastUsedAtMs: 7 }),
    ]);
  });

  it('the end of a service and the clearing of its lists never wait for each other', async () => {
    await at(0).createService(service('a'), audit());
    const places = { clientId: 'a', count: statusListSize, expiresAtMs: 10 };
    for (const list of ['1', '2']) expect((await at(0).reserveStatuses(places)).listId).toBe(list);
    await at(0).reserveStatuses({ ...places, clientId: 'b' });
    // The first list is written behind the second one, so that who reads all of them meets it later.
    await at(0).revokeToken(revoked('x', { status: { listId: '1', index: 0 } }));
    // So few rows are read without an index, now that the server knows how few they are.
    await onlooker.query('analyze status_lists');
    await onlooker.query('begin; select * from status_lists where id = 1 for update');
    const revoking = at(0).revokeService('a', 5, audit());
    await locked(1);
    const clearing = at(1).deleteExpired(10);
    // It waits for nobody, or else for the first list.
    await Promise.race([clearing, locked(2)]);
    await onlooker.query('commit');
    const results = await Promise.allSettled([revoking, clearing]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect((await at(2).findService('a'))?.revokedAtMs).toBe(5);
    await at(2).deleteExpired(10);
    expect(await at(2).statusListRevision('1')).toBeUndefined();
  });

  it('let no more through than the limit says, nor fewer, also where clocks jump and the window turns', async () => {
    const policy = { requests: 100, windowSeconds: 60 };
    const clocks = [0, 0, 0];
    const onFailure = (error: unknown): never => {
      throw error;
    };
    const limiters = clocks.map((_, of) =>
      createLimiter({ name: 'address', policy, storage: at(of), now: () => clocks[of] ?? 0, onFailure }),
    );
    const count = async (times: number): Promise<number> => {
      const states = await inParallel(times, (turn) => limiters[turn % 3]?.take('192.0.2.1') ?? fail());
      return states.filter(({ allowed }) => allowed).length;
    };
    expect(await count(600)).toBe(100);
    clocks.fill(59_999);
    expect(await count(60)).toBe(0);
    // One is ahead: it may use the next window, as all of them may when they get there, and no more.
    clocks[1] = 60_000;
    const early = await count(30);
    expect(early).toBeLessThanOrEqual(10);
    clocks.fill(60_000);
    expect(early + (await count(600))).toBe(100);
    clocks.fill(0);
    expect(await count(60)).toBe(0);
  });

  it.each(['repeatable read', 'serializable'])(
    'wait for each other where %s is the default',
    async (level) => {
      await onlooker.query(`alter role postgres set default_transaction_isolation = '${level}'`);
      const strict = await inParallel(3, () => postgresStorage({ url: urlOfTest }));
      const reservation = { clientId: 'a', count: 2, expiresAtMs: FAR_FUTURE_MS };
      const limited = { key: 'k', windowEndsAtMs: 10, limit: 50, amount: 3 };
      try {
        const blocks = await inParallel(60, (turn) => at(turn, strict).reserveStatuses(reservation));
        expect(new Set(blocks.map(({ listId, start }) => `${listId}:${start}`)).size).toBe(60);
        const given = await inParallel(60, (turn) => at(turn, strict).takeFromLimit(limited));
        expect(given.reduce((sum, part) => sum + part)).toBe(50);
      } finally {
        await onlooker.query('alter role postgres reset default_transaction_isolation');
        await Promise.all(strict.map((storage) => storage.close()));
      }
    },
  );

  it('come to what a model says, whatever 200 of their functions do at once', async () => {
    const kinds = ['add', 'replace', 'remove', 'update', 'touch', 'reserve', 'revokeToken', 'clear'] as const;
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...kinds), { minLength: 200, maxLength: 200 }),
        fc.nat(199),
        async (steps, revokeAt) => {
          const clientId = `service-${++run}`;
          await expectModel(clientId, steps, revokeAt);
        },
      ),
      { numRuns: 8 },
    );

    async function expectModel(clientId: string, steps: readonly string[], revokeAt: number): Promise<void> {
      const first = [secret(`${clientId}-x`), secret(`${clientId}-y`), secret(`${clientId}-z`)];
      await at(0).createService(service(clientId, { secrets: first }), audit(clientId));
      const ids = new Set(first.map(({ id }) => id));
      const places: { listId: string; start: number; count: number }[] = [];
      const ended: string[] = [];
      const note = (action: string): AuditEntry => audit(clientId, { action });
      let changes = 1;
      let version = 1;

      const doStep = async (step: string, turn: number): Promise<void> => {
        const storage = at(turn);
        const id = `${clientId}-${turn}`;
        if (step === 'add' || step === 'replace') {
          const expireOthersAtMs = step === 'replace' ? 1000 + turn : undefined;
          const addition = { clientId, secret: secret(id), expireOthersAtMs };
          if ((await storage.addSecret(addition, note('added'))) !== 'created') return;
          ids.add(id);
          changes++;
        } else if (step === 'remove') {
          const known = (await storage.findService(clientId))?.secrets ?? [];
          const victim = known[turn % 3]?.id ?? '';
          if (!(await storage.removeSecret(clientId, victim, note('removed')))) return;
          ended.push(victim);
          changes++;
        } else if (step === 'update') {
          const known = await storage.findService(clientId);
          if (known === undefined) throw new Error('the service is gone');
          const next = { ...known, description: id, version: known.version + 1 };
          if (!(await storage.updateService(next, note('updated')))) return;
          version++;
          changes++;
        } else if (step === 'touch') {
          const known = (await storage.findService(clientId))?.secrets ?? [];
          await storage.touchSecrets(new Map(known.map((kept) => [kept.id, turn])));
        } else if (step === 'clear') {
          await storage.deleteExpired(500);
        } else {
          const count = 1 + (turn % 7);
          const expiresAtMs = step === 'reserve' ? FAR_FUTURE_MS : 400;
          const block = await storage.reserveStatuses({ clientId, count, expiresAtMs });
          if (step === 'reserve') places.push(block);
          const status = { listId: block.listId, index: block.start };
          if (step === 'revokeToken') await storage.revokeToken(revoked(id, { expiresAtMs, status }));
        }
      };
      await inParallel(steps.length + 1, async (turn) => {
        if (turn === revokeAt) {
          expect(await at(turn).revokeService(clientId, 5, note('revoked'))).toBe(true);
          changes++;
        } else await doStep(steps[turn] ?? '', turn);
      });

      for (const id of ended) expect(ids.delete(id)).toBe(true);
      const found = await at(0).findService(clientId);
      expect(found).toMatchObject({ version, revokedAtMs: 5 });
      expect(new Set(found?.secrets.map(({ id }) => id))).toEqual(ids);
      expect((await at(1).listAudit({ limit: 1000, target: clientId })).length).toBe(changes);
      const lists = new Map<string, Set<number>>();
      for (const { listId } of places) {
        const state = await at(2).statusList(listId, 500);
        const all = state?.revoked.flatMap(([start, count]) =>
          Array.from({ length: count }, (_, i) => start + i),
        );
        lists.set(listId, new Set(all));
      }
      const mine = places.flatMap(({ listId, start, count }) =>
        Array.from({ length: count }, (_, i) => ({ listId, index: start + i })),
      );
      expect(new Set(mine.map(({ listId, index }) => `${listId}:${index}`)).size).toBe(mine.length);
      expect(mine.filter(({ listId, index }) => !lists.get(listId)?.has(index))).toEqual([]);
    }
  });
});

function fail(): never {
  throw new Error('there are three limiters');
}

describe.runIf(hasPostgres())('two issuers whose PostgreSQL goes away under load', () => {
  it('answer with tokens or 503, nothing else, and need no restart', async () => {
    const database = await startPostgres();
    const url = await database.createDatabase();
    const secretKey = 'a secret key that both of the issuers have';
    const storages = await inParallel(2, () => postgresStorage({ url, maxConnections: 3 }));
    const servers = await Promise.all(
      storages.map((storage) => serveIssuer({ port: 0, storage, secretKey, limits: false, issuer: ISSUER })),
    );
    const clientSecret = 'a secret of the service a';
    const sealed = createSecrets(new TextEncoder().encode(secretKey), randomBytes).seal('a', clientSecret, {
      nowMs: Date.now(),
    });
    await storages[0]?.createService(service('a', { secrets: [sealed] }), audit());

    const seen = new Set<number>();
    const ask = async (turn: number, path = '/token'): Promise<number> => {
      const { statusCode, body } = await request(`${servers[turn % 2]?.url}${path}`, {
        method: path === '/token' ? 'POST' : 'GET',
        headers: {
          authorization: basic({ clientId: 'a', clientSecret }),
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: path === '/token' ? 'grant_type=client_credentials' : null,
      });
      await body.dump();
      return statusCode;
    };
    const isTrue = async (path: string, status: number): Promise<void> => {
      for (const turn of [0, 1]) {
        await expect.poll(() => ask(turn, path), { timeout: 20_000 }).toBe(status);
      }
    };
    let isOver = false;
    const load = inParallel(40, async (turn) => {
      while (!isOver) seen.add(await ask(turn));
    });
    await isTrue('/readyz', 200);
    for (const end of [database.stop, database.kill9]) {
      await end();
      await isTrue('/readyz', 503);
      await isTrue('/token', 503);
      await isTrue('/jwks', 200);
      await database.start();
      await isTrue('/token', 200);
      await isTrue('/readyz', 200);
    }
    isOver = true;
    await load;
    expect([...seen].sort()).toEqual([200, 503]);
    await Promise.all(servers.map((server) => server.close()));
    await Promise.all(storages.map((storage) => storage.close()));
    await database.remove();
  });
});

it('a connection that gave no answer is asked for no rollback, which would take as long again', async () => {
  const asked: string[] = [];
  const released: unknown[] = [];
  const client = {
    async query({ text: statement }: { text: string }) {
      asked.push(statement);
      if (statement !== 'begin') throw new Error('Query read timeout');
      return { rows: [], rowCount: 0 };
    },
    release: (isBroken: unknown) => released.push(isBroken),
  };
  const pool = Object.assign(new pg.Pool(), { connect: async () => client });
  const db = new kysely.Kysely<Schema>({ dialect: createPostgresDialect(kysely, pool) });
  const transaction = db
    .transaction()
    .execute((queries) => queries.deleteFrom('tokens').where('hash', '=', 'x').execute());
  await expect(transaction).rejects.toThrow('Query read timeout');
  expect(asked).toEqual(['begin', 'delete from "tokens" where "hash" = $1']);
  expect(released).toEqual([true]);
});

describe.runIf(hasPostgres())('an empty database', () => {
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  it('gets its tables once from five processes, though some of them are killed while they make them', async () => {
    const url = await server.createDatabase();
    const [blocker, observer] = [new pg.Client(url), new pg.Client(url)];
    await Promise.all([blocker.connect(), observer.connect()]);
    // Holds up whoever comes to the last table.
    await blocker.query('begin; create table audit (x int)');
    const children = Array.from({ length: 5 }, (_, of) => {
      const args = ['--import', 'tsx', writer, 'postgres', url, '4', `run-${of}`];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      return { child, ended: text(child.stdout) };
    });
    const waiting =
      "select wait_event from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    await expect.poll(async () => (await observer.query(waiting)).rows.length, { timeout: 30_000 }).toBe(5);
    for (const { child } of children.slice(0, 3)) child.kill('SIGKILL');
    await Promise.all(children.slice(0, 3).map(({ ended }) => ended));
    await blocker.query('rollback');
    const outputs = await Promise.all(children.slice(3).map(({ ended }) => ended));
    for (const output of outputs) expect(output.match(/^revoked /gm)).not.toBeNull();
    expect((await observer.query('select version from migrations')).rows).toEqual([{ version: '1' }]);
    await Promise.all([blocker.end(), observer.end()]);
  });
});
