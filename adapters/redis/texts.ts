/** Text in Redis until it expires, and leases: what instances share to spare the issuer. */
import type { TextStore, TokenStore } from '../../src/index.ts';
import type { RedisCommands } from './client.ts';
import { createOwnValues, type KeyNames, setOnce, textOf } from './keys.ts';

export interface RedisTextRules {
  readonly commands: RedisCommands;
  readonly nameOf: KeyNames;
  readonly now: () => number;
}

/** Nothing that is shared is worth keeping for longer. */
const LONGEST_MS = 30 * 24 * 3600 * 1000;
/** Whatever others put there: no more is read, and no more is written. */
const LONGEST_BYTES = 512 * 1024;

export function createRedisTextStore({ commands, nameOf, now }: RedisTextRules): TextStore {
  const { send } = commands;
  return {
    async get(key) {
      const name = nameOf(key);
      const text = textOf(await send(name, ['GETRANGE', name, '0', String(LONGEST_BYTES)]));
      return text === '' || (text?.length ?? 0) > LONGEST_BYTES ? undefined : text;
    },
    async set(key, text, expiresAt) {
      const lastsMs = Math.floor(Math.min(expiresAt - now(), LONGEST_MS));
      if (!(lastsMs > 0) || Buffer.byteLength(text) > LONGEST_BYTES) return;
      const name = nameOf(key);
      await send(name, ['SET', name, text, 'PX', String(lastsMs)]);
    },
    async delete(key) {
      const name = nameOf(key);
      await send(name, ['DEL', name]);
    },
  };
}

export interface RedisTokenRules extends RedisTextRules {
  readonly nameOfLease: KeyNames;
}

/** Only its holder ends a lease: by now it may be another's. */
const END_LEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

export function createRedisTokenStore({ nameOfLease, ...rules }: RedisTokenRules): TokenStore {
  const { commands } = rules;
  const ownValue = createOwnValues();
  return {
    ...createRedisTextStore(rules),
    async lease(key, lastsMs) {
      const name = nameOfLease(key);
      const holder = ownValue();
      const end = async (): Promise<void> => {
        await commands.send(name, ['EVAL', END_LEASE, '1', name, holder]);
      };
      // Granted after the deadline, it would keep others waiting for nobody.
      const giveBack = (): void => void end().catch(() => {});
      const isGranted = await setOnce(commands, name, holder, Math.max(1, Math.ceil(lastsMs)), giveBack);
      return isGranted ? end : undefined;
    },
  };
}
