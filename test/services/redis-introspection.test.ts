/** Answers of the issuer that verifiers share in a real Redis, and the issuer itself where Redis is away. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRedisStores } from '../../adapters/redis.ts';
import { createVerifier, type Verifier } from '../../src/index.ts';
import { type IntrospectionStub, says, startIntrospectionStub } from '../helpers/introspection-stub.ts';
import {
  hasRedis,
  type PrivateRedis,
  type PrivateRedisCluster,
  startRedis,
  startRedisCluster,
  until,
} from '../helpers/redis.ts';
import {
  clusterClients,
  type RedisClientKind,
  type RedisConnection,
  singleClients,
} from '../helpers/redis-clients.ts';
import { audience, issuer } from '../helpers/tokens.ts';

const secret = 'the secret that the instances share, 32 bytes';
const open = new Set<RedisConnection>();
let stub: IntrospectionStub;
beforeEach(async () => {
  const exp = Math.floor(Date.now() / 1000) + 600;
  stub = await startIntrospectionStub(
    says({ active: true, client_id: 'billing', aud: audience, exp, iss: issuer }),
  );
});
afterEach(async () => {
  for (const client of open) client.close();
  open.clear();
  await stub.close();
});

/** The verifier of one instance, with a connection of its own. */
async function startVerifier(
  kind: RedisClientKind,
  port: number,
  namespace: string,
  secret?: string,
): Promise<Verifier> {
  const opened = await kind.connect(port);
  open.add(opened);
  const { introspection } = createRedisStores({ client: opened.client, namespace, secret });
  const clientSecret = 'the secret of orders';
  return createVerifier({
    issuer: {
      issuer,
      introspection: { endpoint: stub.url, clientId: 'orders', clientSecret, store: introspection },
    },
    audience,
  });
}

const opaque = (): string => `opaque-${randomUUID()}`;
const isGood = async (verifier: Verifier, token: string): Promise<boolean> =>
  (await verifier.verifyToken(token)).ok;

describe.runIf(hasRedis())('introspection cache', () => {
  let redis: PrivateRedis;
  let cluster: PrivateRedisCluster;
  beforeAll(async () => {
    [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
  });
  afterAll(() => Promise.all([redis.remove(), cluster.remove()]));

  it.each([...singleClients, ...clusterClients])(
    'with $name: one call serves two verifiers',
    async (kind) => {
      const { port = 0 } = (kind.isCluster ? cluster.nodes[0] : redis) ?? {};
      const namespace = randomUUID();
      const [a, b] = [await startVerifier(kind, port, namespace), await startVerifier(kind, port, namespace)];
      const token = opaque();
      expect(await isGood(a, token)).toBe(true);
      const servers = kind.isCluster ? cluster.nodes : [redis];
      const keys = async (): Promise<string> => {
        const lists = servers.map((server) => server.command('--scan', '--pattern', `${namespace}:*`));
        return (await Promise.all(lists)).join('\n').trim();
      };
      // Nobody waits for what is written.
      await until(async () => (await keys()) !== '');
      expect(await keys()).toMatch(new RegExp(`^${namespace}:v1:cache:\\{introspection:[\\w-]{43}\\}$`));
      expect(await isGood(b, token)).toBe(true);
      expect(stub.requests).toHaveLength(1);
    },
  );
});

describe.runIf(hasRedis())('answers that are sealed', () => {
  let redis: PrivateRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.remove());
  beforeEach(() => redis.command('FLUSHALL'));
  const [kind] = singleClients;

  async function sealing(of = secret): Promise<Verifier> {
    if (kind === undefined) throw new Error('no client');
    return startVerifier(kind, redis.port, 'sealed', of);
  }

  async function onlyKey(): Promise<string> {
    await until(async () => (await redis.command('DBSIZE')) === '1');
    return redis.command('--scan');
  }

  it('serve those who have the secret, and say nothing to others', async () => {
    const token = opaque();
    expect(await isGood(await sealing(), token)).toBe(true);
    const key = await onlyKey();
    expect(await redis.command('GET', key)).toMatch(/^v1\.[\w-]+$/);
    expect(await isGood(await sealing(), token)).toBe(true);
    expect(stub.requests).toHaveLength(1);
    // After a change of the secret each asks once more.
    expect(await isGood(await sealing(`${secret}, another`), token)).toBe(true);
    expect(stub.requests).toHaveLength(2);
  });

  it('are not believed where others wrote them, changed them or put them elsewhere', async () => {
    const [good, bad] = [opaque(), opaque()];
    expect(await isGood(await sealing(), good)).toBe(true);
    const from = await onlyKey();
    const text = await redis.command('GET', from);
    stub.reply = says({ active: false });
    expect(await isGood(await sealing(), bad)).toBe(false);
    await redis.command('FLUSHALL');
    const plain = await startVerifier(kind ?? expect.fail(), redis.port, 'sealed');
    stub.reply = says({ active: true, client_id: 'billing', aud: audience, iss: issuer, exp: 9e9 });
    expect(await isGood(plain, bad)).toBe(true);
    const key = await onlyKey();
    const clear = await redis.command('GET', key);
    stub.reply = says({ active: false });
    const last = text.endsWith('A') ? 'B' : 'A';
    for (const value of [clear, text, text.slice(0, -1) + last, '', 'v1.', 'x'.repeat(100_000)]) {
      await redis.command('SET', key, value);
      expect(await isGood(await sealing(), bad)).toBe(false);
    }
  });
});

it.runIf(hasRedis())('an answer of another kind or of any size is none', async () => {
  const redis = await startRedis();
  try {
    const [kind] = singleClients;
    if (kind === undefined) throw new Error('no client');
    const opened = await kind.connect(redis.port);
    open.add(opened);
    const { introspection } = createRedisStores({ client: opened.client });
    const key = 'service-auth:v1:cache:{a}';
    await redis.command('LPUSH', key, 'value');
    await expect((async () => introspection.get('a'))()).rejects.toMatchObject({ code: 'unavailable' });
    await redis.command('DEL', key);
    await redis.command('SETRANGE', key, `${300 * 1024 * 1024}`, 'x');
    expect(await introspection.get('a')).toBeUndefined();
    await introspection.set('b', 'x'.repeat(512 * 1024 + 1), Date.now() + 60_000);
    expect(await introspection.get('b')).toBeUndefined();
    await introspection.set('b', 'x'.repeat(512 * 1024), Date.now() + 60_000);
    expect(await introspection.get('b')).toHaveLength(512 * 1024);
  } finally {
    await redis.remove();
  }
});

describe.runIf(hasRedis()).each(singleClients)('a Redis that fails, with $name', (kind) => {
  let redis: PrivateRedis;
  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(() => redis.remove());

  it('killed or paused: every answer comes from the issuer, none is a refusal', async () => {
    const verifier = await startVerifier(kind, redis.port, 'outage');
    expect(await isGood(verifier, opaque())).toBe(true);
    redis.pause();
    for (let at = 0; at < 10; at++) expect(await isGood(verifier, opaque())).toBe(true);
    redis.resume();
    await redis.kill9();
    for (let at = 0; at < 10; at++) expect(await isGood(verifier, opaque())).toBe(true);
    expect(stub.requests).toHaveLength(21);
    await redis.start();
    // Shared again, by the same program.
    await until(async () => {
      await isGood(verifier, opaque());
      return (await redis.command('DBSIZE')) !== '0';
    });
  });

  it('full: every answer comes from the issuer', async () => {
    const verifier = await startVerifier(kind, redis.port, 'full');
    await redis.command('DEBUG', 'POPULATE', '1000', 'filler', '100');
    await redis.command('CONFIG', 'SET', 'maxmemory', '1mb');
    for (let at = 0; at < 10; at++) expect(await isGood(verifier, opaque())).toBe(true);
    expect(stub.requests).toHaveLength(10);
    expect(await redis.command('--scan', '--pattern', 'full:*')).toBe('');
  });

  it('restarted empty: asks the issuer once more, and shares that', async () => {
    const first = await startVerifier(kind, redis.port, 'empty');
    const token = opaque();
    expect(await isGood(first, token)).toBe(true);
    await until(async () => (await redis.command('DBSIZE')) === '1');
    await redis.restart();
    const [second, third] = [
      await startVerifier(kind, redis.port, 'empty'),
      await startVerifier(kind, redis.port, 'empty'),
    ];
    expect(await isGood(second, token)).toBe(true);
    await until(async () => (await redis.command('DBSIZE')) === '1');
    expect(await isGood(third, token)).toBe(true);
    expect(stub.requests).toHaveLength(2);
  });
});
