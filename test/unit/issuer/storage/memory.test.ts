import { beforeEach, describe, expect, it } from 'vitest';
import {
  type IssuerStorage,
  memoryStorage,
  type StoredService,
  type StoredSigningKey,
} from '../../../../src/issuer/index.ts';

let storage: IssuerStorage;

beforeEach(() => {
  storage = memoryStorage();
});

const service = (clientId: string): StoredService => ({
  clientId,
  name: 'a service',
  description: undefined,
  scopes: ['read'],
  resources: [],
  secrets: [{ id: 's1', hash: 'h', hint: 'abcd', createdAtMs: 1 }],
  createdAtMs: 1,
  revokedAtMs: undefined,
});

const key = (kid: string): StoredSigningKey => ({
  kid,
  algorithm: 'ES256',
  sealedKey: 'x',
  createdAtMs: 1,
  activeFromMs: 1,
  tokenSeconds: 900,
});

it('says that it does not last', () => expect(storage.durable).toBe(false));

describe('services', () => {
  it.each(['billing', '__proto__', 'constructor', ''])('keeps one called "%s"', async (clientId) => {
    expect(await storage.findService(clientId)).toBeUndefined();
    expect(await storage.createService(service(clientId))).toBe(true);
    expect(await storage.findService(clientId)).toEqual(service(clientId));
  });

  it('keeps the first of two with one name', async () => {
    await storage.createService(service('a'));
    expect(await storage.createService({ ...service('a'), name: 'another' })).toBe(false);
    expect((await storage.findService('a'))?.name).toBe('a service');
  });

  it('lists them in order of creation, revoked ones too', async () => {
    for (const name of ['b', 'a', 'c']) await storage.createService(service(name));
    await storage.revokeService('b', 5);
    expect((await storage.listServices()).map(({ clientId }) => clientId)).toEqual(['b', 'a', 'c']);
  });

  it('keeps the time of the first revocation, and the name', async () => {
    await storage.createService(service('a'));
    expect(await storage.revokeService('a', 5)).toBe(true);
    expect(await storage.revokeService('a', 6)).toBe(true);
    expect((await storage.findService('a'))?.revokedAtMs).toBe(5);
    expect(await storage.createService(service('a'))).toBe(false);
    expect(await storage.revokeService('b', 5)).toBe(false);
  });

  it('does not change what was given to it, nor give what can be changed', async () => {
    const given = service('a');
    await storage.createService(given);
    await storage.revokeService('a', 5);
    expect(given.revokedAtMs).toBeUndefined();
    expect(Object.isFrozen(await storage.findService('a'))).toBe(true);
  });
});

describe('revoked tokens', () => {
  it('are remembered until they have expired', async () => {
    await storage.revokeToken({ tokenId: 'a', clientId: 'c', expiresAtMs: 10 });
    await storage.revokeToken({ tokenId: 'a', clientId: 'c', expiresAtMs: 10 });
    await storage.revokeToken({ tokenId: 'b', clientId: 'c', expiresAtMs: 20 });
    await storage.deleteExpiredTokens(9);
    expect(await storage.isTokenRevoked('a')).toBe(true);
    await storage.deleteExpiredTokens(10);
    expect(await storage.isTokenRevoked('a')).toBe(false);
    expect(await storage.isTokenRevoked('b')).toBe(true);
    expect(await storage.isTokenRevoked('constructor')).toBe(false);
  });
});

describe('signing keys', () => {
  it('are added one after the other, or not at all', async () => {
    expect(await storage.addSigningKey(key('a'), 'x')).toBe(false);
    expect(await storage.addSigningKey(key('a'), undefined)).toBe(true);
    expect(await storage.addSigningKey(key('b'), undefined)).toBe(false);
    expect(await storage.addSigningKey(key('b'), 'a')).toBe(true);
    expect(await storage.addSigningKey(key('c'), 'a')).toBe(false);
    expect((await storage.listSigningKeys()).map(({ kid }) => kid)).toEqual(['a', 'b']);
    await storage.deleteSigningKey('a');
    expect((await storage.listSigningKeys()).map(({ kid }) => kid)).toEqual(['b']);
  });
});
