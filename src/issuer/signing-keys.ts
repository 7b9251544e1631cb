/** The issuer's signing keys: published before they sign, kept until the last token they signed has expired. */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import { createSealedKeys, type SigningKey } from './sealed-keys.ts';
import type { IssuerStorage, StoredSigningKey } from './storage/storage.ts';

export const signingAlgorithms = ['ES256', 'EdDSA', 'RS256'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

export interface SigningKeys {
  /** The key that signs now. */
  signer(): MaybePromise<SigningKey>;
  /** All keys whose signatures may still have to be verified, oldest first. */
  published(): MaybePromise<readonly SigningKey[]>;
  /**
   * Adds a key that signs after the publish-ahead time, or at once.
   * Gives `undefined` where an earlier rotation has not taken effect yet.
   */
  rotate(immediately: boolean): Promise<StoredSigningKey | undefined>;
  /** Reads the storage whatever is in memory; rejects if it cannot. */
  reload(): Promise<void>;
}

export interface SigningKeysOptions {
  readonly storage: IssuerStorage;
  readonly secretKey: Uint8Array;
  readonly algorithm: SigningAlgorithm;
  readonly tokenSeconds: number;
  readonly publishAheadSeconds: number;
  readonly now: () => number;
}

/** Instances that share a storage learn of each other's rotations within this time. */
const RELOAD_MS = 5000;
/** Covers instances that signed with the old key until they reloaded, and the clock tolerance of verifiers. */
const GRACE_MS = 60_000;

export function createSigningKeys(options: SigningKeysOptions): SigningKeys {
  const { storage, algorithm, tokenSeconds, publishAheadSeconds, now } = options;
  const sealed = createSealedKeys(options.secretKey);
  let keys: readonly SigningKey[] = [];
  let reloadAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;

  function reload(): Promise<void> {
    loading ??= load().finally(() => {
      loading = undefined;
    });
    return loading;
  }

  async function load(): Promise<void> {
    let stored = await storage.listSigningKeys();
    if (activeKey(stored, now())?.algorithm !== algorithm) {
      // Losing this race is as good as winning it: then another instance's key is there.
      await addKey(stored, now());
      stored = await storage.listSigningKeys();
    }
    const time = now();
    const live: StoredSigningKey[] = [];
    for (const key of stored) {
      if (time < retiresAt(key, stored)) live.push(key);
      else await storage.deleteSigningKey(key.kid);
    }
    keys = await sealed.openAll(live);
    reloadAt = now() + RELOAD_MS;
  }

  /** As `reload`, but never content with a reading that began before it was called. */
  async function reloadAnew(): Promise<void> {
    await loading?.catch(() => {});
    await reload();
  }

  /** Keys in memory go on serving while the storage is away. */
  function current(): MaybePromise<readonly SigningKey[]> {
    if (now() < reloadAt) return keys;
    if (keys.length === 0) return reload().then(() => keys);
    return reload().then(
      () => keys,
      () => keys,
    );
  }

  async function addKey(
    stored: readonly StoredSigningKey[],
    activeFromMs: number,
  ): Promise<StoredSigningKey | undefined> {
    const privateJwk = await generatePrivateJwk(algorithm);
    const key: StoredSigningKey = {
      kid: await calculateJwkThumbprint(privateJwk),
      algorithm,
      sealedKey: await sealed.seal(privateJwk),
      createdAtMs: now(),
      activeFromMs,
      tokenSeconds,
    };
    return (await storage.addSigningKey(key, stored.at(-1)?.kid)) ? key : undefined;
  }

  function retiresAt(key: StoredSigningKey, stored: readonly StoredSigningKey[]): number {
    const successors = stored.filter((other) => takesOver(other, key, stored));
    const replacedAt = Math.min(...successors.map(({ activeFromMs }) => activeFromMs));
    return replacedAt + Math.max(key.tokenSeconds, tokenSeconds) * 1000 + GRACE_MS;
  }

  return {
    signer: () => andThen(current(), (all) => orFail(activeKey(all, now()))),
    published: () => andThen(current(), (all) => all.filter((key) => now() < retiresAt(key, all))),
    async rotate(immediately) {
      await reload();
      const stored = await storage.listSigningKeys();
      if (!immediately && stored.some(({ activeFromMs }) => activeFromMs > now())) return undefined;
      const key = await addKey(stored, now() + (immediately ? 0 : publishAheadSeconds * 1000));
      await reloadAnew();
      return key;
    },
    reload,
  };
}

/** Of the keys whose time has come the one whose time came last; of equals the one added last. */
function activeKey<K extends StoredSigningKey>(keys: readonly K[], nowMs: number): K | undefined {
  let active: K | undefined;
  for (const key of keys) {
    if (key.activeFromMs > nowMs) continue;
    if (active === undefined || key.activeFromMs >= active.activeFromMs) active = key;
  }
  return active;
}

function takesOver(
  other: StoredSigningKey,
  key: StoredSigningKey,
  stored: readonly StoredSigningKey[],
): boolean {
  if (other.activeFromMs !== key.activeFromMs) return other.activeFromMs > key.activeFromMs;
  return stored.indexOf(other) > stored.indexOf(key);
}

function orFail(key: SigningKey | undefined): SigningKey {
  if (key === undefined) throw new Error('no signing key is active; the clock went backwards');
  return key;
}

async function generatePrivateJwk(algorithm: SigningAlgorithm): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return exportJWK(privateKey);
}
