/** The issuer's signing keys: published before they sign, kept until the last token they signed has expired. */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import { within } from '../../shared/deadline.ts';
import { andThen, type MaybePromise } from '../../shared/maybe-async.ts';
import type { StoredSigningKey } from '../storage/records.ts';
import type { IssuerStorage } from '../storage/storage.ts';
import { createSealedKeys, type SigningKey } from './sealed-keys.ts';

export const signingAlgorithms = ['ES256', 'EdDSA', 'RS256'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

export interface SigningKeys {
  /** The key that signs now. */
  signer(): MaybePromise<SigningKey>;
  /**
   * All keys whose signatures may still have to be verified, oldest first. Read anew where none has this `kid`:
   * another instance may sign with a key that this one has not heard of.
   */
  published(kid?: string): MaybePromise<readonly SigningKey[]>;
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
/** How long a request waits for news where keys are in memory. */
const PATIENCE_MS = 1000;
const LONGEST_LOAD_MS = 10_000;
const SEARCH_PAUSE_MS = 1000;
/** Covers instances that signed with the old key until they reloaded, and the clock tolerance of verifiers. */
const GRACE_MS = 60_000;

export function createSigningKeys(options: SigningKeysOptions): SigningKeys {
  const { storage, algorithm, tokenSeconds, publishAheadSeconds, now } = options;
  const sealed = createSealedKeys(options.secretKey);
  let keys: readonly SigningKey[] = [];
  let checkedAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  let loads = 0;
  let searchedAt = Number.NEGATIVE_INFINITY;

  /** Within a deadline: a storage that never answers must not hold up every later request. */
  function reload(): Promise<void> {
    if (loading === undefined) {
      const number = ++loads;
      loading = within(
        LONGEST_LOAD_MS,
        load(() => number !== loads),
        tooLate,
      ).finally(() => {
        loading = undefined;
      });
    }
    return loading;
  }

  async function load(isLate: () => boolean): Promise<void> {
    let stored = await storage.listSigningKeys();
    const active = activeKey(stored, now());
    if (active === undefined || !isFollowedByOurs(active, stored)) {
      // Losing this race is as good as winning it: then another instance's key is there.
      await addKey(stored, active === undefined ? now() : now() + publishAheadSeconds * 1000);
      stored = await storage.listSigningKeys();
    }
    const time = now();
    const isLive = (key: StoredSigningKey): boolean => time < retiresAt(key, stored);
    const opened = await sealed.openAll(stored.filter(isLive));
    // What a storage answers after its deadline is older than what was read since.
    if (isLate()) return;
    keys = opened;
    checkedAt = now();
    // What cannot be cleared away now is cleared away next time.
    await Promise.allSettled(
      stored.filter((key) => !isLive(key)).map(({ kid }) => storage.deleteSigningKey(kid)),
    );
  }

  /** Whether the algorithm that is asked for signs, or will once its key was published long enough. */
  function isFollowedByOurs(active: StoredSigningKey, stored: readonly StoredSigningKey[]): boolean {
    return stored.some((key) => key.algorithm === algorithm && key.activeFromMs >= active.activeFromMs);
  }

  /** As `reload`, but never content with a reading that began before it was called. */
  async function reloadAnew(): Promise<void> {
    await loading?.catch(() => {});
    await reload();
  }

  /** Keys in memory go on serving while the storage is slow or away. */
  function current(): MaybePromise<readonly SigningKey[]> {
    const age = now() - checkedAt;
    if (age < RELOAD_MS && age >= 0) return keys;
    if (keys.length === 0) return reload().then(() => keys);
    return within(PATIENCE_MS, reload(), tooLate).then(
      () => keys,
      () => {
        checkedAt = now();
        return keys;
      },
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

  /** For a key that is not known; not for every made-up one. */
  async function search(): Promise<void> {
    const age = now() - searchedAt;
    if (age >= 0 && age < SEARCH_PAUSE_MS) return;
    searchedAt = now();
    await within(PATIENCE_MS, reloadAnew(), tooLate).catch(() => {});
  }

  function unretired(): readonly SigningKey[] {
    return keys.filter((key) => now() < retiresAt(key, keys));
  }

  function retiresAt(key: StoredSigningKey, stored: readonly StoredSigningKey[]): number {
    const successors = stored.filter((other) => takesOver(other, key, stored));
    const replacedAt = Math.min(...successors.map(({ activeFromMs }) => activeFromMs));
    return replacedAt + Math.max(key.tokenSeconds, tokenSeconds) * 1000 + GRACE_MS;
  }

  return {
    signer: () => andThen(current(), (all) => orFail(activeKey(all, now()))),
    published: (kid) =>
      andThen(current(), (known) => {
        const isKnown = kid === undefined || known.some((key) => key.kid === kid);
        return andThen(isKnown ? undefined : search(), () => unretired());
      }),
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

function tooLate(): never {
  throw new Error('the storage did not answer in time');
}
