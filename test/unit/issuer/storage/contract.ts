/** What every storage must do, whatever it keeps things in. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IssuerStorage } from '../../../../src/issuer/index.ts';
import { countersContract } from './counters-contract.ts';
import { audit, create, inParallel, resource, type StorageOfTest, secret, service } from './samples.ts';
import { tokensContract } from './tokens-contract.ts';

/** Runs the whole contract; `open` makes an empty storage for each test. */
export function storageContract(open: () => Promise<IssuerStorage>): void {
  let storage: IssuerStorage;
  beforeEach(async () => {
    storage = await open();
  });
  afterEach(() => storage.close());
  const current: StorageOfTest = () => storage;

  servicesContract(current);
  secretsContract(current);
  resourcesContract(current);
  auditContract(current);
  tokensContract(current);
  countersContract(current);
}

const names = (list: readonly { clientId: string }[]): string[] => list.map(({ clientId }) => clientId);

function servicesContract(storage: StorageOfTest): void {
  describe('services', () => {
    it.each(['billing', '__proto__', 'constructor', "o'brien", '"; drop table services; --', 'é😀', '%'])(
      'keeps one called %j',
      async (clientId) => {
        expect(await storage().findService(clientId)).toBeUndefined();
        expect(await storage().createService(service(clientId), audit(clientId))).toBe('created');
        expect(await storage().findService(clientId)).toEqual(service(clientId));
      },
    );

    it('keeps all of a registration', async () => {
      const full = service('a', {
        description: 'with "quotes", \n lines, 😀 and \0',
        resources: ['https://a.example'],
        serves: ['https://b.example'],
        authMethods: ['client_secret_jwt', 'tls_client_auth'],
        tokenFormat: 'opaque',
        accessTokenSeconds: 60,
        dpopBound: true,
        certificateBound: true,
        jwks: { keys: [{ kty: 'OKP', x: 'x' }] },
        jwksUri: 'https://a.example/jwks',
        tlsClientAuth: { sanDns: 'a.example' },
        federatedIdentities: [{ issuer: 'https://k.example', subject: 'system:serviceaccount:a:b' }],
        secrets: [
          secret('s1', { sealed: 'sealed', expiresAtMs: 2 ** 52, lastUsedAtMs: 7 }),
          secret('s3'),
          secret('s2'),
        ],
      });
      await storage().createService(full, audit());
      expect(await storage().findService('a')).toEqual(full);
      expect(await storage().listServices({ limit: 1 })).toEqual([full]);
    });

    it('keeps one without secrets', async () => {
      await storage().createService(service('a', { secrets: [] }), audit());
      expect((await storage().findService('a'))?.secrets).toEqual([]);
    });

    it('tells names apart that differ in case, in spaces or in composition', async () => {
      const similar = ['a', 'A', 'a ', 'ä', 'a\u0308'];
      for (const name of similar) {
        expect(await storage().createService(service(name), audit(name))).toBe('created');
      }
      expect(names(await storage().listServices({ limit: 10 }))).toEqual(similar);
    });

    it('does not find one by a name that is cut off at, or filled with, what databases cannot hold', async () => {
      await storage().createService(service('admin'), audit('admin'));
      expect(await storage().findService('admin\0')).toBeUndefined();
      expect(await storage().findService('admin\0x')).toBeUndefined();
      expect(await storage().findService('admin\ud800')).toBeUndefined();
      expect(await storage().findService('')).toBeUndefined();
    });

    it('keeps the first of two with one name, and says nothing of the second in the log', async () => {
      await storage().createService(service('a'), audit());
      const second = service('a', { name: 'another', secrets: [secret('other')] });
      expect(await storage().createService(second, audit())).toBe('taken');
      expect(await storage().findService('a')).toEqual(service('a'));
      expect((await storage().listAudit({ limit: 10 })).length).toBe(1);
    });

    it('makes one of many with one name that are created at once', async () => {
      const results = await inParallel(20, (turn) =>
        storage().createService(service('a', { secrets: [secret(`s${turn}`)] }), audit()),
      );
      expect(results.filter((result) => result === 'created').length).toBe(1);
      expect(results.filter((result) => result === 'taken').length).toBe(19);
      expect((await storage().findService('a'))?.secrets.length).toBe(1);
      expect((await storage().listAudit({ limit: 30 })).length).toBe(1);
    });

    it('lists them in order of creation, page by page, revoked ones too', async () => {
      for (const name of ['b', 'a', 'd', 'c']) {
        const secrets = [secret(`${name}2`), secret(`${name}1`)];
        await storage().createService(service(name, { secrets }), audit(name));
      }
      await storage().revokeService('b', 5, audit('b'));
      const first = await storage().listServices({ limit: 3 });
      expect(names(first)).toEqual(['b', 'a', 'd']);
      expect(first.map(({ secrets }) => secrets.map(({ id }) => id))).toEqual([
        ['b2', 'b1'],
        ['a2', 'a1'],
        ['d2', 'd1'],
      ]);
      expect(names(await storage().listServices({ after: 'd', limit: 3 }))).toEqual(['c']);
      expect(await storage().listServices({ after: 'c', limit: 3 })).toEqual([]);
      expect(await storage().listServices({ after: 'unknown', limit: 3 })).toEqual([]);
    });

    it('writes a registration if nobody else did in the meantime, but neither secrets nor revocation', async () => {
      await storage().createService(service('a'), audit());
      const next = { name: 'renamed', scopes: ['write'], updatedAtMs: 9, version: 2 };
      const written = service('a', { ...next, secrets: [], revokedAtMs: 4 });
      expect(await storage().updateService(written, audit())).toBe(true);
      expect(await storage().updateService(written, audit())).toBe(false);
      expect(await storage().updateService(service('b', { version: 2 }), audit())).toBe(false);
      expect(await storage().findService('a')).toEqual(service('a', next));
      expect((await storage().listAudit({ limit: 10 })).length).toBe(2);
    });

    it('lets one of many updates of one version through', async () => {
      await storage().createService(service('a'), audit());
      const results = await inParallel(20, (turn) =>
        storage().updateService(service('a', { name: `n${turn}`, version: 2 }), audit()),
      );
      expect(results.filter(Boolean).length).toBe(1);
      expect((await storage().findService('a'))?.name).toBe(`n${results.indexOf(true)}`);
    });

    it('keeps the time of the first revocation, and the name', async () => {
      await storage().createService(service('a'), audit());
      expect(await storage().revokeService('a', 5, audit())).toBe(true);
      expect(await storage().revokeService('a', 6, audit())).toBe(true);
      expect(await storage().revokeService('b', 5, audit('b'))).toBe(false);
      expect((await storage().findService('a'))?.revokedAtMs).toBe(5);
      expect(await storage().createService(service('a'), audit())).toBe('taken');
      expect((await storage().listAudit({ limit: 10 })).length).toBe(2);
    });

    it('does not change what was given to it, nor give what can be changed', async () => {
      const given = service('a');
      await storage().createService(given, audit());
      await storage().revokeService('a', 5, audit());
      expect(given.revokedAtMs).toBeUndefined();
      expect(Object.isFrozen(await storage().findService('a'))).toBe(true);
    });
  });

  describe('creates that are sent again', () => {
    it('are made once, and found until they expire', async () => {
      expect(await storage().createService(service('a'), audit(), create('k'))).toBe('created');
      expect(await storage().createService(service('a'), audit(), create('k'))).toBe('repeated');
      expect(await storage().createService(service('b'), audit(), create('k'))).toBe('repeated');
      expect(await storage().findService('b')).toBeUndefined();
      expect(await storage().findIdempotentCreate('k', 999)).toEqual(create('k'));
      expect(await storage().findIdempotentCreate('k', 1000)).toBeUndefined();
      expect(await storage().findIdempotentCreate('x', 1)).toBeUndefined();
    });

    it('leave no key behind where the name is taken', async () => {
      await storage().createService(service('a'), audit());
      expect(await storage().createService(service('a'), audit(), create('k'))).toBe('taken');
      expect(await storage().findIdempotentCreate('k', 1)).toBeUndefined();
      expect(await storage().createService(service('b'), audit('b'), create('k'))).toBe('created');
    });

    it('may use a key again that has expired', async () => {
      await storage().createService(service('a'), audit('a', { atMs: 1 }), create('k'));
      const later = create('k', { clientId: 'b', secretId: undefined, expiresAtMs: 5000 });
      expect(await storage().createService(service('b'), audit('b', { atMs: 1000 }), later)).toBe('created');
      expect(await storage().findIdempotentCreate('k', 1001)).toEqual(later);
    });

    it('are made once of many that are sent at once', async () => {
      const results = await inParallel(20, (turn) =>
        storage().createService(service(`s${turn}`), audit(`s${turn}`), create('k')),
      );
      expect(results.filter((result) => result === 'created').length).toBe(1);
      expect(results.filter((result) => result === 'repeated').length).toBe(19);
      expect((await storage().listServices({ limit: 30 })).length).toBe(1);
    });
  });
}

function secretsContract(storage: StorageOfTest): void {
  const secretsOf = async (clientId: string) => (await storage().findService(clientId))?.secrets;
  const add = (id: string, expireOthersAtMs?: number, key?: string) => {
    const addition = { clientId: 'a', secret: secret(id), expireOthersAtMs };
    return storage().addSecret(addition, audit(), key === undefined ? undefined : create(key));
  };

  describe('secrets', () => {
    beforeEach(async () => {
      await storage().createService(service('a'), audit());
    });

    it('are added behind the others', async () => {
      expect(await add('0')).toBe('created');
      expect(await secretsOf('a')).toEqual([secret('a-1'), secret('0')]);
    });

    it('end the others at a time, unless they end before', async () => {
      const early = { clientId: 'a', secret: secret('s2', { expiresAtMs: 50 }), expireOthersAtMs: undefined };
      await storage().addSecret(early, audit());
      await add('s3', 60);
      await add('s4', 55);
      expect((await secretsOf('a'))?.map(({ id, expiresAtMs }) => [id, expiresAtMs])).toEqual([
        ['a-1', 55],
        ['s2', 50],
        ['s3', 55],
        ['s4', undefined],
      ]);
    });

    it('are as many as there may be, also if more come at once', async () => {
      const additions = Array.from({ length: 15 }, (_, at) => {
        const addition = { clientId: 'a', secret: secret(`s${at}`), expireOthersAtMs: undefined, most: 10 };
        return storage().addSecret(addition, audit());
      });
      const results = await Promise.all(additions);
      expect(results.filter((result) => result === 'created')).toHaveLength(9);
      expect(results.filter((result) => result === 'full')).toHaveLength(6);
      expect(await secretsOf('a')).toHaveLength(10);
    });

    it('are not added to a service that is unknown or revoked, and nothing else happens', async () => {
      const addition = { clientId: 'b', secret: secret('s2'), expireOthersAtMs: 1 };
      expect(await storage().addSecret(addition, audit(), create('k'))).toBe('taken');
      await storage().revokeService('a', 5, audit());
      expect(await add('s2', 1, 'k')).toBe('taken');
      expect(await secretsOf('a')).toEqual([secret('a-1')]);
      expect(await storage().findIdempotentCreate('k', 1)).toBeUndefined();
      expect((await storage().listAudit({ limit: 10 })).length).toBe(2);
    });

    it('are added once for one idempotency key, of however many at once', async () => {
      const results = await inParallel(10, (turn) => add(`s${turn}`, undefined, 'k'));
      expect(results.filter((result) => result === 'created').length).toBe(1);
      expect(results.filter((result) => result === 'repeated').length).toBe(9);
      expect((await secretsOf('a'))?.length).toBe(2);
    });

    it('are kept sealed for as long as client_secret_jwt is a method of their service', async () => {
      const sealed = (id: string) => secret(id, { sealed: `sealed ${id}` });
      const methods = { authMethods: ['client_secret_basic', 'client_secret_jwt'] } as const;
      await storage().createService(service('j', { ...methods, secrets: [sealed('j1')] }), audit('j'));
      await storage().createService(service('k', { ...methods, secrets: [sealed('k1')] }), audit('k'));
      await storage().addSecret(
        { clientId: 'j', secret: sealed('j2'), expireOthersAtMs: undefined },
        audit('j'),
      );
      await storage().updateService(service('j', { ...methods, name: 'renamed', version: 2 }), audit('j'));
      expect(await secretsOf('j')).toEqual([sealed('j1'), sealed('j2')]);
      await storage().updateService(service('j', { version: 3 }), audit('j'));
      expect(await secretsOf('j')).toEqual([secret('j1'), secret('j2')]);
      // It was sealed before the method was taken away, and comes after.
      await storage().addSecret(
        { clientId: 'j', secret: sealed('j3'), expireOthersAtMs: undefined },
        audit('j'),
      );
      await storage().updateService(service('j', { ...methods, version: 4 }), audit('j'));
      expect(await secretsOf('j')).toEqual([secret('j1'), secret('j2'), secret('j3')]);
      expect(await secretsOf('k')).toEqual([sealed('k1')]);
    });

    it('are sealed no more, whichever of many come before the method is taken away and which after', async () => {
      const methods = { authMethods: ['client_secret_jwt'] } as const;
      await storage().createService(service('j', { ...methods, secrets: [] }), audit('j'));
      await inParallel(10, async (turn): Promise<unknown> => {
        if (turn === 5) return storage().updateService(service('j', { version: 2 }), audit('j'));
        const added = secret(`j${turn}`, { sealed: 'sealed' });
        return storage().addSecret({ clientId: 'j', secret: added, expireOthersAtMs: undefined }, audit('j'));
      });
      expect((await secretsOf('j'))?.map(({ sealed }) => sealed)).toEqual(Array(9).fill(undefined));
    });

    it('are removed from their service alone', async () => {
      await storage().createService(service('b'), audit('b'));
      expect(await storage().removeSecret('b', 'a-1', audit())).toBe(false);
      expect(await storage().removeSecret('a', 'a-1', audit())).toBe(true);
      expect(await storage().removeSecret('a', 'a-1', audit())).toBe(false);
      expect(await storage().removeSecret('x', 'a-1', audit())).toBe(false);
      expect(await secretsOf('a')).toEqual([]);
    });

    it('say when they were last used', async () => {
      await add('s2');
      await storage().touchSecrets(new Map([['a-1', 20], ['unknown', 20]])); // biome-ignore format: one line
      await storage().touchSecrets(new Map([['a-1', 10], ['s2', 5]])); // biome-ignore format: one line
      await storage().touchSecrets(new Map());
      expect((await secretsOf('a'))?.map(({ lastUsedAtMs }) => lastUsedAtMs)).toEqual([20, 5]);
    });
  });
}

function resourcesContract(storage: StorageOfTest): void {
  describe('resources', () => {
    const [a, b] = ['https://a.example', 'https://b.example'];

    it('are registered once, listed in order, changed and deleted', async () => {
      expect(await storage().createResource(resource(b), audit(b))).toBe(true);
      expect(await storage().createResource(resource(a, { scopes: [], name: 'A' }), audit(a))).toBe(true);
      expect(await storage().createResource(resource(a), audit(a))).toBe(false);
      expect(await storage().listResources()).toEqual([resource(b), resource(a, { scopes: [], name: 'A' })]);
      const changed = resource(a, { scopes: ['x'], updatedAtMs: 5, version: 2 });
      expect(await storage().updateResource(changed, audit(a))).toBe(true);
      expect(await storage().findResource(a)).toEqual(changed);
      expect(await storage().updateResource(resource('https://c.example', { version: 2 }), audit())).toBe(
        false,
      );
      expect(await storage().deleteResource(a, audit(a))).toBe(true);
      expect(await storage().deleteResource(a, audit(a))).toBe(false);
      expect(await storage().findResource(a)).toBeUndefined();
      expect((await storage().listAudit({ limit: 10 })).length).toBe(4);
    });

    it('are written if nobody else wrote them in the meantime', async () => {
      await storage().createResource(resource(a), audit(a));
      const results = await inParallel(20, (turn) =>
        storage().updateResource(resource(a, { name: `n${turn}`, version: 2 }), audit(a)),
      );
      expect(results.filter(Boolean).length).toBe(1);
      expect(await storage().findResource(a)).toEqual(
        resource(a, { name: `n${results.indexOf(true)}`, version: 2 }),
      );
      expect(await storage().updateResource(resource(a, { version: 2 }), audit(a))).toBe(false);
      expect(await storage().updateResource(resource(a, { version: 4 }), audit(a))).toBe(false);
      expect((await storage().listAudit({ limit: 30 })).length).toBe(2);
    });
  });
}

function auditContract(storage: StorageOfTest): void {
  describe('the audit log', () => {
    it('is read from the newest, page by page, of all or of one target', async () => {
      for (const target of ['a', 'b', 'a', 'b', 'a']) {
        await storage().createResource(resource(`https://${Math.random()}.example`), audit(target));
      }
      const all = await storage().listAudit({ limit: 3 });
      expect(all.map(({ target }) => target)).toEqual(['a', 'b', 'a']);
      const rest = await storage().listAudit({ limit: 3, before: all.at(-1)?.sequence });
      expect(rest.map(({ target }) => target)).toEqual(['b', 'a']);
      expect(rest.every(({ sequence }) => sequence < (all.at(-1)?.sequence ?? 0))).toBe(true);
      expect((await storage().listAudit({ limit: 9, target: 'a' })).length).toBe(3);
      expect((await storage().listAudit({ limit: 1, target: 'b', before: rest[0]?.sequence })).length).toBe(
        0,
      );
    });

    it('keeps what was before and after as it was then', async () => {
      const after: { name: string; list: unknown[] } = { name: '😀 "\0', list: [null, { x: 1 }] };
      await storage().createResource(resource('https://a.example'), audit('a', { before: null, after }));
      after.name = 'changed';
      const [entry] = await storage().listAudit({ limit: 1 });
      expect(entry).toEqual({
        ...audit('a', { before: null, after: { name: '😀 "\0', list: [null, { x: 1 }] } }),
        sequence: entry?.sequence,
      });
    });
  });
}
