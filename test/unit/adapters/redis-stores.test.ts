/** What needs no server: options, deadlines, and what failures say. Real servers are in test/services. */
import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRedisCommands } from '../../../adapters/redis/client.ts';
import { withLocalFallback } from '../../../adapters/redis/replay.ts';
import { createRedisStores, type RedisClient, RedisFailure } from '../../../adapters/redis.ts';

const canary = 'canary-value-5c1e';
const proof = { jkt: 'thumbprint', jti: canary, expiresAt: Date.now() + 60_000 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A client of which every command waits until the test says what became of it. */
function waitingClient() {
  const commands: { args: readonly string[]; answer(reply: unknown): void; fail(error: unknown): void }[] =
    [];
  const client = {
    call: (name: string, args: string[]) =>
      new Promise<unknown>((answer, fail) => commands.push({ args: [name, ...args], answer, fail })),
  };
  return { client, commands };
}

/** The stores of instances that share what a Redis would keep of proofs and of their quota. */
function createCountingInstances(count: number, proofsPerKeyAndMinute: number) {
  const values = new Map<string, string>();
  const commands: string[] = [];
  let ahead = 0;
  const client: RedisClient = {
    async call(name, args) {
      commands.push(name);
      const [key = '', value = ''] = name === 'EVAL' ? args.slice(2) : args;
      if (name === 'GET') return values.get(key) ?? null;
      if (name === 'SET') {
        if (values.has(key)) return null;
        values.set(key, value);
        return 'OK';
      }
      const used = Number(values.get(key) ?? 0);
      const granted = Math.max(0, Math.min(Number(args[4]), Number(value) - used));
      values.set(key, `${used + granted}`);
      return granted;
    },
  };
  const now = (): number => 1_800_000_000_000 + ahead;
  const make = () => createRedisStores({ client, now, replay: { proofsPerKeyAndMinute } }).replay;
  return {
    replay: Array.from({ length: count }, make),
    commands,
    advance: (milliseconds: number) => {
      ahead += milliseconds;
    },
  };
}

const replying = (reply: unknown): RedisClient => ({ call: async () => reply });
const failing = (message: string): RedisClient => ({ call: () => Promise.reject(new Error(message)) });

describe('a command', () => {
  it('fails at its deadline, though the client would wait for ever', async () => {
    const { client, commands } = waitingClient();
    const { replay } = createRedisStores({ client, timeoutMs: 150 });
    const answer = Promise.resolve(replay.record(proof)).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(149);
    expect(await Promise.race([answer, 'waiting'])).toBe('waiting');
    await vi.advanceTimersByTimeAsync(1);
    expect(await answer).toMatchObject({ code: 'timeout' });
    // What comes of it afterwards disturbs nobody.
    commands[0]?.fail(new Error('Connection is closed.'));
    await vi.runAllTimersAsync();
  });

  it('is not given to a client that has ten thousand of them waiting already', async () => {
    // The others keep so many timers badly.
    vi.useRealTimers();
    const { client, commands } = waitingClient();
    const { send } = createRedisCommands({ client, timeoutMs: 10 });
    const attempt = (): Promise<unknown> => send('key', ['GET', 'key']).catch((error: unknown) => error);
    const all = Array.from({ length: 10_000 }, attempt);
    expect(await attempt()).toMatchObject({ code: 'busy' });
    expect(new Set((await Promise.all(all)).map((error) => (error as RedisFailure).code))).toEqual(
      new Set(['timeout']),
    );
    // Nobody waits for them, yet the client still has them.
    expect(await attempt()).toMatchObject({ code: 'busy' });
    for (const { answer } of commands) answer('late');
    await new Promise(setImmediate);
    const last = attempt();
    expect(commands).toHaveLength(10_001);
    commands.at(-1)?.answer('in time');
    expect(await last).toBe('in time');
  });

  it.each([
    ['OOM command not allowed when used memory > maxmemory', 'full', 'Redis has no memory left'],
    ['READONLY You cannot write against a read only replica.', 'unavailable', 'Redis failed (READONLY)'],
    [
      `ERR Error running script (call to f_1): @user_script:5: -OOM command not allowed`,
      'full',
      'Redis has no memory left',
    ],
    ['CLUSTERDOWN Hash slot not served', 'unavailable', 'Redis failed (CLUSTERDOWN)'],
    [`Unexpected reply to SET ${canary}`, 'unavailable', 'Redis failed (no answer)'],
    [`${canary} is not a command`, 'unavailable', 'Redis failed (no answer)'],
    ['', 'unavailable', 'Redis failed (no answer)'],
  ])(
    'that fails with «%s» says what kind of failure it is, and nothing else',
    async (said, code, message) => {
      const { send } = createRedisCommands({ client: failing(said), timeoutMs: 100 });
      const error = await send('key', ['GET', 'key']).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(RedisFailure);
      expect(error).toMatchObject({ code, message });
      expect(inspect(error, { depth: 9 })).not.toContain(canary);
    },
  );

  it('that the client throws at, or rejects with no error, fails alike', async () => {
    const clients: RedisClient[] = [
      {
        call: () => {
          throw new TypeError(canary);
        },
      },
      { call: () => Promise.reject(undefined) },
    ];
    for (const client of clients) {
      const { send } = createRedisCommands({ client, timeoutMs: 100 });
      await expect(send('key', ['GET', 'key'])).rejects.toMatchObject({ code: 'unavailable' });
    }
  });

  it('goes to the key, the master and the method of each kind of client', async () => {
    const seen: unknown[] = [];
    const note = async (...args: unknown[]): Promise<unknown> => seen.push(args);
    const clients: RedisClient[] = [
      { call: note },
      { sendCommand: note },
      { sendCommand: note, masters: [] },
      { sendCommand: note, getMasterNode: () => undefined },
    ];
    for (const client of clients) {
      await createRedisCommands({ client, timeoutMs: 100 }).send('key', ['GET', 'key']);
    }
    expect(seen).toEqual([
      ['GET', ['key']],
      [['GET', 'key']],
      ['key', false, ['GET', 'key']],
      [false, ['GET', 'key']],
    ]);
  });
});

describe('a client of node-redis', () => {
  it('gets a listener for errors where it has none, which would end the program', () => {
    const client = Object.assign(new EventEmitter(), { sendCommand: async () => 'OK' });
    createRedisStores({ client });
    expect(() => client.emit('error', new Error('Socket closed unexpectedly'))).not.toThrow();
    const own = vi.fn();
    const heard = Object.assign(new EventEmitter(), { sendCommand: async () => 'OK' }).on('error', own);
    createRedisStores({ client: heard });
    expect(heard.listenerCount('error')).toBe(1);
  });
});

describe('the replay store', () => {
  it.each([null, undefined, 'QUEUED', 1, true, []])('takes the reply %j for no record', async (reply) => {
    expect(await createRedisStores({ client: replying(reply) }).replay.record(proof)).toBe('replayed');
  });

  it('reads bytes, which some clients are told to give', async () => {
    const { replay, introspection } = createRedisStores({ client: replying(Buffer.from('OK')) });
    expect(await replay.record(proof)).toBe('recorded');
    expect(await introspection.get('key')).toBe('OK');
  });

  it('keeps a proof that is nearly dead as long as the clocks of others may be behind', async () => {
    const { client, commands } = waitingClient();
    const now = (): number => 1_800_000_000_000;
    const { replay } = createRedisStores({ client, now, replay: { clockDifferenceSeconds: 3 } });
    const answer = replay.record({ ...proof, expiresAt: now() - 1 });
    await vi.advanceTimersByTimeAsync(0);
    expect(commands[0]?.args.slice(3)).toEqual(['PX', '3001', 'NX']);
    commands[0]?.answer('OK');
    expect(await answer).toBe('recorded');
  });

  it('refuses where Redis is full, also where instances may remember for themselves', async () => {
    const client = failing('OOM command not allowed');
    for (const whenUnavailable of ['refuse', 'local'] as const) {
      const { replay } = createRedisStores({ client, replay: { whenUnavailable } });
      expect(await replay.record(proof)).toBe('full');
    }
  });

  it('records no more proofs of one key in a minute than it may, and those of others all the same', async () => {
    const { replay, advance } = createCountingInstances(1, 256);
    const record = (jti: string, jkt = 'a'): unknown => replay[0]?.record({ ...proof, jkt, jti });
    const answers: unknown[] = [];
    for (let at = 0; at < 300; at++) answers.push(await record(`${at}`));
    expect(answers).toEqual([...Array(257).fill('recorded'), ...Array(43).fill('full')]);
    expect(await record('first', 'b')).toBe('recorded');
    advance(60_000);
    expect(await record('later')).toBe('recorded');
  });

  it('counts the proofs of one key at all instances together, also when they come at once', async () => {
    const count = 8;
    const limit = 2560;
    const { replay, commands } = createCountingInstances(count, limit);
    const answers = await Promise.all(
      Array.from({ length: 2 * limit }, async (_, at) =>
        replay[at % count]?.record({ ...proof, jti: `${at}` }),
      ),
    );
    // Each may record a 256th beyond it.
    expect(answers.filter((answer) => answer === 'recorded')).toHaveLength(limit + (count * limit) / 256);
    expect(commands.filter((name) => name === 'EVAL').length).toBeLessThanOrEqual(256 + count);
  });

  it('a proof that is sent again and again uses nothing of its key up', async () => {
    const { replay } = createCountingInstances(1, 256);
    const record = (jti: string): unknown => replay[0]?.record({ ...proof, jti });
    await record('stolen');
    for (let at = 0; at < 1000; at++) expect(await record('stolen')).toBe('replayed');
    for (let at = 0; at < 256; at++) expect(await record(`${at}`)).toBe('recorded');
    expect(await record('one more')).toBe('full');
  });

  it('a part of the quota that is granted too late is not lost', async () => {
    const { client, commands } = waitingClient();
    const { replay } = createRedisStores({ client, timeoutMs: 100, replay: { proofsPerKeyAndMinute: 512 } });
    const record = async (jti: string): Promise<unknown> => {
      const answer = Promise.resolve(replay.record({ ...proof, jti })).catch(({ code }) => code);
      await vi.advanceTimersByTimeAsync(0);
      return answer;
    };
    for (const jti of ['a', 'b']) {
      const answer = record(jti);
      await vi.advanceTimersByTimeAsync(0);
      commands.at(-1)?.answer('OK');
      expect(await answer).toBe('recorded');
    }
    const late = record('c');
    await vi.advanceTimersByTimeAsync(100);
    expect(await late).toBe('timeout');
    expect(commands.at(-1)?.args[0]).toBe('EVAL');
    commands.at(-1)?.answer(2);
    await vi.advanceTimersByTimeAsync(0);
    const next = record('d');
    await vi.advanceTimersByTimeAsync(0);
    expect(commands.at(-1)?.args[0]).toBe('SET');
    commands.at(-1)?.answer('OK');
    expect(await next).toBe('recorded');
  });

  it('where it remembers locally accepts none that it has no room to remember', async () => {
    const { client, commands } = waitingClient();
    const shared = createRedisStores({ client }).replay;
    const local = { record: async () => 'full' as const };
    const store = withLocalFallback(shared, Date.now, local);
    expect(await store.record(proof)).toBe('full');
    expect(commands).toEqual([]);
  });

  it('asks a Redis that is away only now and then, where it remembers locally', async () => {
    let asked = 0;
    const client: RedisClient = {
      call: () => {
        asked++;
        return Promise.reject(new Error('Connection is closed.'));
      },
    };
    const { replay } = createRedisStores({ client, replay: { whenUnavailable: 'local' } });
    for (let at = 0; at < 1000; at++) {
      expect(await replay.record({ ...proof, jti: `${at}` })).toBe('recorded');
    }
    expect(asked).toBe(5);
    await vi.advanceTimersByTimeAsync(2000);
    await replay.record({ ...proof, jti: 'later' });
    expect(asked).toBe(6);
  });
});

describe('options', () => {
  const client = replying('OK');
  it.each([
    [{}, 'createRedisStores: client must be a client of ioredis, iovalkey or node-redis; got undefined'],
    [{ client: class Redis {} }, 'client must be a client of ioredis, iovalkey or node-redis; got a'],
    [
      { client: `redis://user:${canary}@host` },
      'client must be a client of ioredis, iovalkey or node-redis; got a text',
    ],
    [{ client, namespace: '{a}' }, 'namespace must be at most 64 letters'],
    [{ client, namespace: '' }, 'namespace must be a non-empty string'],
    [{ client, timeoutMs: 0 }, 'timeoutMs must be a number of milliseconds from 1 to 60000; got 0'],
    [
      { client, replay: { whenUnavailable: 'accept' } },
      `replay.whenUnavailable must be one of 'refuse', 'local'`,
    ],
    [{ client, replay: { clockDifferenceSeconds: -1 } }, 'replay.clockDifferenceSeconds must be a number'],
    [{ client, onFailure: 'log' }, 'onFailure must be a function'],
    [{ client, nameSpace: 'a' }, 'unknown option nameSpace in options; did you mean namespace?'],
  ])('%# are checked at creation', (options, message) => {
    const create = (): unknown => Reflect.apply(createRedisStores, undefined, [options]);
    expect(create).toThrow(TypeError);
    expect(create).toThrow(message);
  });

  it('every failure is told of, with the store it happened in', async () => {
    const told: unknown[] = [];
    const { replay, introspection, tokens } = createRedisStores({
      client: failing('LOADING Redis is loading the dataset in memory'),
      onFailure: (failure) => told.push(failure),
    });
    await expect(replay.record(proof)).rejects.toThrow(RedisFailure);
    await expect(introspection.get('a')).rejects.toThrow(RedisFailure);
    await expect(tokens.lease('a', 1000)).rejects.toThrow(RedisFailure);
    const failure = { code: 'unavailable', message: 'Redis failed (LOADING)' };
    expect(told).toEqual(['replay', 'introspection', 'tokens'].map((store) => ({ store, ...failure })));
  });

  it('a listener that fails later disturbs nobody', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const { introspection } = createRedisStores({
      client: failing('LOADING'),
      onFailure: async () => {
        throw new Error('a listener that throws');
      },
    });
    await expect(introspection.get('a')).rejects.toThrow(RedisFailure);
    vi.useRealTimers();
    await new Promise(setImmediate);
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});
