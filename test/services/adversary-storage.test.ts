/** Several storages on one PostgreSQL that get into each other's way on purpose. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AuditEntry, type IssuerStorage, postgresStorage } from '../../src/issuer/index.ts';
import { createLimiter } from '../../src/issuer/limits/limiter.ts';
import { statusListSize } from '../../src/issuer/storage/records.ts';
import { hasPostgres, type PrivatePostgres, startPostgres } from '../helpers/postgres.ts';
import { audit, inParallel, revoked, secret, service } from '../unit/issuer/storage/samples.ts';

const writer = fileURLToPath(new URL('../faults/issuer-crash-writer.ts', import.meta.url));
const FAR_FUTURE_MS = 2 ** 50;

describe.runIf(hasPostgres())('three storages on one PostgreSQL', () => {
  let server: PrivatePostgres;
  let storages: readonly IssuerStorage[];
  let onlooker: pg.Client;
  const at = (turn: number): IssuerStorage => {
    const storage = storages[turn % storages.length];
    if (storage === undefined) throw new Error('no storage is open');
    return storage;
  };
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    const url = await server.createDatabase();
    storages = await inParallel(3, () => postgresStorage({ url }));
    onlooker = new pg.Client(url);
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

describe.runIf(hasPostgres())('an empty database', () => {
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  it('gets its tables once from five processes, though some of them are killed while they make them', async () => {
    const url = await server.createDatabase();
    const blocker = new pg.Client(url);
    await blocker.connect();
    // Holds up whoever comes to the last table.
    await blocker.query('begin; create table audit (x int)');
    const children = Array.from({ length: 5 }, (_, of) => {
      const args = ['--import', 'tsx', writer, 'postgres', url, '4', `run-${of}`];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      return { child, ended: text(child.stdout) };
    });
    const waiting =
      "select wait_event from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    await expect.poll(async () => (await blocker.query(waiting)).rows.length, { timeout: 30_000 }).toBe(5);
    for (const { child } of children.slice(0, 3)) child.kill('SIGKILL');
    await Promise.all(children.slice(0, 3).map(({ ended }) => ended));
    await blocker.query('rollback');
    const outputs = await Promise.all(children.slice(3).map(({ ended }) => ended));
    for (const output of outputs) expect(output.match(/^revoked /gm)).not.toBeNull();
    expect((await blocker.query('select version from migrations')).rows).toEqual([{ version: '1' }]);
    await blocker.end();
  });
});
