/** The issuer's signing keys: published before they sign, kept until the last token they signed has expired. */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Emit } from '../../events.ts';
import { andThen, type MaybePromise } from '../../shared/maybe-async.ts';
import { inTime } from '../storage/in-time.ts';
import type { AuditEntry, StoredSigningKey } from '../storage/records.ts';
import type { IssuerStorage } from '../storage/storage.ts';
import { activeKey, type KeySchedule, nextActiveFrom, retiresAt } from './key-schedule.ts';
import { createSealedKeys, type SigningKey } from './sealed-keys.ts';

export const signingAlgorithms = ['ES256', 'EdDSA', 'RS256'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

export interface SigningKeys {
  /** The key that signs now; it stays published for as long as what it signs lives. */
  signer(lifetimeSeconds: number): MaybePromise<SigningKey>;
  /**
   * All keys whose signatures may still have to be verified, oldest first. Read anew where none has this `kid`:
   * another instance may sign with a key that this one has not heard of.
   */
  published(kid?: string): MaybePromise<readonly SigningKey[]>;
  /**
   * Adds a key that signs after the publish-ahead time, or at once.
   * Gives `undefined` where an earlier rotation has not taken effect yet.
   */
  rotate(immediately: boolean, audit?: KeyAudit): Promise<StoredSigningKey | undefined>;
  /** Reads the storage whatever is in memory; rejects if it cannot. */
  reload(): Promise<void>;
}

/** What the audit log says of a new key. */
export type KeyAudit = (key: StoredSigningKey) => AuditEntry;

export interface SigningKeysOptions {
  readonly storage: IssuerStorage;
  readonly secretKey: Uint8Array;
  readonly algorithm: SigningAlgorithm;
  /** The usual life of tokens. */
  readonly tokenSeconds: number;
  readonly publishAheadSeconds: number;
  readonly rotationSeconds: number | undefined;
  readonly now: () => number;
  readonly emit: Emit | undefined;
}

/** Instances that share a storage learn of each other's rotations within this time. */
const RELOAD_MS = 5000;
/** How long a request waits for news where keys are in memory. */
const PATIENCE_MS = 1000;
const LONGEST_LOAD_MS = 10_000;
const SEARCH_PAUSE_MS = 1000;

export function createSigningKeys(options: SigningKeysOptions): SigningKeys {
  const { storage, algorithm, tokenSeconds, publishAheadSeconds, rotationSeconds, now, emit } = options;
  const sealed = createSealedKeys(options.secretKey);
  const schedule: KeySchedule = {
    algorithm,
    publishAheadMs: publishAheadSeconds * 1000,
    rotationMs: rotationSeconds === undefined ? undefined : rotationSeconds * 1000,
  };
  let keys: readonly SigningKey[] = [];
  let checkedAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  let loads = 0;
  let searchedAt = Number.NEGATIVE_INFINITY;

  /** Within a deadline: a storage that never answers must not hold up every later request. */
  function reload(): Promise<void> {
    if (loading === undefined) {
      const number = ++loads;
      const work = load(() => number !== loads);
      loading = inTime(LONGEST_LOAD_MS, work).finally(() => {
        loading = undefined;
      });
    }
    return loading;
  }

  async function load(isLate: () => boolean): Promise<void> {
    let stored = await storage.listSigningKeys();
    const activeFromMs = nextActiveFrom(stored, schedule, now());
    if (activeFromMs !== undefined) {
      // Losing this race is as good as winning it: then another instance's key is there.
      await addKey(stored, activeFromMs);
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
      stored.filter((key) => !isLive(key)).map(async ({ kid }) => storage.deleteSigningKey(kid)),
    );
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
    return inTime(PATIENCE_MS, reload()).then(
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
    audit?: KeyAudit,
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
    const previous = stored.at(-1)?.kid;
    if (!(await storage.addSigningKey(key, previous, audit?.(key)))) return undefined;
    const { kid } = key;
    if (previous !== undefined) {
      emit?.({ type: 'issuer.keys_rotated', kid, algorithm, activeFrom: activeFromMs });
    }
    return key;
  }

  /** Written before anything is signed that lives longer than what the key has signed so far. */
  async function extend({ kid }: SigningKey, lifetimeSeconds: number): Promise<void> {
    await storage.extendSigningKey(kid, lifetimeSeconds);
    keys = keys.map((key) =>
      key.kid === kid ? { ...key, tokenSeconds: Math.max(key.tokenSeconds, lifetimeSeconds) } : key,
    );
  }

  /** For a key that is not known; not for every made-up one. */
  async function search(): Promise<void> {
    const age = now() - searchedAt;
    if (age >= 0 && age < SEARCH_PAUSE_MS) return;
    searchedAt = now();
    await inTime(PATIENCE_MS, reloadAnew()).catch(() => {});
  }

  function unretired(): readonly SigningKey[] {
    return keys.filter((key) => now() < retiresAt(key, keys));
  }

  return {
    signer: (lifetimeSeconds) =>
      andThen(current(), (all) => {
        const key = orFail(activeKey(all, now()));
        const covers = key.tokenSeconds >= lifetimeSeconds;
        return covers ? key : extend(key, lifetimeSeconds).then(() => key);
      }),
    published: (kid) =>
      andThen(current(), (known) => {
        const isKnown = kid === undefined || known.some((key) => key.kid === kid);
        return andThen(isKnown ? undefined : search(), () => unretired());
      }),
    async rotate(immediately, audit) {
      await reload();
      const stored = await storage.listSigningKeys();
      if (!immediately && stored.some(({ activeFromMs }) => activeFromMs > now())) return undefined;
      const key = await addKey(stored, now() + (immediately ? 0 : schedule.publishAheadMs), audit);
      await reloadAnew();
      return key;
    },
    reload,
  };
}

function orFail(key: SigningKey | undefined): SigningKey {
  if (key === undefined) throw new Error('no signing key is active; the clock went backwards');
  return key;
}

async function generatePrivateJwk(algorithm: SigningAlgorithm): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return exportJWK(privateKey);
}
