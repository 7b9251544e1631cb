/** Answers about active tokens that instances share: a help, and no harm where it fails, is slow or holds nonsense. */
import { encodeBase64url } from '../shared/base64url.ts';
import { type CircuitBreaker, createCircuitBreaker } from '../shared/circuit-breaker.ts';
import { sha256 } from '../shared/crypto.ts';
import { within } from '../shared/deadline.ts';
import { isObject, type JsonObject, parseJsonObject } from '../shared/json.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import type { TextStore } from '../shared/stores.ts';
import { dropNulls } from './introspection-answer.ts';

export interface IntrospectionStore {
  /** What an instance was told of an active token. */
  read(token: string): Promise<StoredAnswer | undefined>;
  /** Nobody waits for it. */
  write(token: string, answer: StoredAnswer, expiresAt: number): void;
  forget(token: string): void;
}

export interface StoredAnswer {
  readonly claims: JsonObject;
  /** By the clock of the instance that was told. */
  readonly storedAt: number;
}

export interface IntrospectionStoreOptions {
  readonly store: TextStore;
  readonly issuer: string;
  readonly clientId: string;
  readonly endpoint: () => MaybePromise<string>;
  readonly response: 'json' | 'jwt';
  readonly now: () => number;
}

const DEADLINE_MS = 200;

export function createIntrospectionStore(options: IntrospectionStoreOptions): IntrospectionStore {
  const { store, issuer, clientId, endpoint, response, now } = options;
  // One that hangs must not cost each new token the deadline; it may well hang in one direction alone.
  const reading = createCircuitBreaker({ now });
  const writing = createCircuitBreaker({ now });

  /**
   * Endpoint and client belong to the key: another client may be told other things (CVE-2026-33496). So does the kind
   * of answer: who wants signed ones is not served what came without a signature.
   */
  async function keyOf(token: string): Promise<string> {
    const text = JSON.stringify([issuer, await endpoint(), clientId, response, token]);
    return `introspection:${encodeBase64url(await sha256(new TextEncoder().encode(text)))}`;
  }

  return {
    async read(token) {
      const key = await keyOf(token).catch(() => undefined);
      return key === undefined ? undefined : parse(await guarded(reading, () => store.get(key)));
    },
    write(token, answer, expiresAt) {
      if (expiresAt <= answer.storedAt) return;
      const write = (key: string): Promise<unknown> =>
        guarded(writing, () => store.set(key, JSON.stringify(answer), expiresAt));
      // The next instance asks the issuer itself where this fails.
      keyOf(token).then(write, () => {});
    },
    forget(token) {
      keyOf(token)
        .then((key) => store.delete(key))
        .catch(() => {});
    },
  };
}

async function guarded<T>(breaker: CircuitBreaker, work: () => MaybePromise<T>): Promise<T | undefined> {
  if (breaker.waitMs() > 0) return undefined;
  try {
    const value = await within(DEADLINE_MS, Promise.resolve(work()), late);
    breaker.succeeded();
    return value;
  } catch {
    breaker.failed();
    return undefined;
  }
}

function late(): never {
  throw new Error('the store did not answer in time');
}

function parse(text: unknown): StoredAnswer | undefined {
  if (typeof text !== 'string') return undefined;
  const { claims, storedAt } = parseJsonObject(new TextEncoder().encode(text)) ?? {};
  if (!isObject(claims) || claims.active !== true || typeof storedAt !== 'number') return undefined;
  return { claims: dropNulls(claims), storedAt };
}
