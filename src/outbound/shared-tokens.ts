/** Tokens that instances share through a store, so that a fleet asks once; without the store each asks for itself. */
import { within } from '../shared/deadline.ts';
import { isObject, own } from '../shared/json.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import { OptionChecker } from '../shared/options.ts';
import type { Bytes } from '../shared/runtime.ts';
import { createSealedText } from '../shared/sealed-text.ts';
import type { TokenStore } from '../shared/stores.ts';
import { type AccessToken, type AccessTokenFields, ReceivedToken } from './access-token.ts';

export interface SharedTokens {
  /**
   * The token that another instance put there, if it is good enough; otherwise the one that `request` gets, under
   * a lease, so that a hundred instances ask once.
   *
   * @throws (rejects with) what `request` rejects with; never for the store.
   */
  obtain(
    key: string,
    isGood: (token: AccessTokenFields) => boolean,
    request: () => Promise<AccessTokenFields>,
  ): Promise<AccessTokenFields>;
  /** Takes the token out of the store; what is being requested meanwhile is not put there either. */
  forget(key: string): Promise<void>;
}

export interface SharedTokensOptions {
  readonly store: TokenStore;
  /** Text counts by its UTF-8. */
  readonly storeKey: Uint8Array | string;
  readonly now: () => number;
  /** Waits for another instance's token; where it rejects, the wait is over and so is the call. */
  readonly sleep?: (ms: number) => Promise<void>;
  readonly random?: () => number;
  /** The longest wait for another instance; then the token is requested all the same. */
  readonly timeoutMs: number;
  /** Told of each call of the store that failed or hung, and of each entry that did not open. */
  readonly onFailed?: (what: SharedTokensFailure) => void;
  /** Names the public function whose options these are. */
  readonly check?: OptionChecker;
}

export type SharedTokensFailure = 'get' | 'set' | 'lease' | 'open';

type Request = () => Promise<AccessTokenFields>;
type IsGood = (token: AccessTokenFields) => boolean;

const LEAST_KEY_BYTES = 32;
const STORE_DEADLINE_MS = 200;
/** A token has to arrive in time too. */
const MARGIN_MS = 1000;
const FIRST_PAUSE_MS = 50;
/** With its jitter a pause is up to twice as long. */
const LONGEST_PAUSE_MS = 200;

/** In place of what a store would have given. */
const failed = Symbol('failed');

export function createSharedTokens(options: SharedTokensOptions): SharedTokens {
  const { now, timeoutMs, onFailed, sleep = wait, random = Math.random } = options;
  const { check = new OptionChecker('createTokenClient') } = options;
  const store = readStore(check, options.store);
  const sealed = createSealedText({ secret: readKey(check, options.storeKey), purpose: 'shared tokens' });
  // Half as long as others wait: where its holder dies, there is time left for another to take its place.
  const leaseMs = timeoutMs / 2;
  let forgotten = 0;

  async function obtain(key: string, isGood: IsGood, request: Request): Promise<AccessTokenFields> {
    const name = await nameOf(key);
    const begunAt = now();
    let slept = 0;
    for (let round = 0; ; round++) {
      const found = await read(name, isGood);
      if (found === failed) return request();
      if (found !== undefined) return found;
      const end = await takeLease(name);
      if (end === failed) return requestAndShare(name, request);
      if (end !== undefined) return requestUnderLease(name, end, isGood, request);
      // The clock knows what the store took; were it set back, the pauses alone would count.
      const left = timeoutMs - Math.max(slept, now() - begunAt);
      if (left <= 0) return requestAndShare(name, request);
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** round, LONGEST_PAUSE_MS) * (1 + random());
      const ms = Math.ceil(Math.min(pause, left));
      await sleep(ms);
      slept += ms;
    }
  }

  async function requestUnderLease(
    name: string,
    end: () => MaybePromise<void>,
    isGood: IsGood,
    request: Request,
  ): Promise<AccessTokenFields> {
    try {
      // The last holder may have put its token there after this instance looked.
      const found = await read(name, isGood);
      if (found === failed) return await request();
      return found ?? (await requestAndShare(name, request));
    } finally {
      await ask('lease', end);
    }
  }

  async function requestAndShare(name: string, request: Request): Promise<AccessTokenFields> {
    // Whatever was forgotten meanwhile: not sharing costs others one request, sharing the wrong token many calls.
    const before = forgotten;
    const token = await request();
    if (forgotten === before) await write(name, token);
    return token;
  }

  async function read(name: string, isGood: IsGood): Promise<AccessToken | undefined | typeof failed> {
    const text: unknown = await ask('get', () => store.get(name));
    if (text === failed) return failed;
    // Many a database says null.
    if (text === undefined || text === null) return undefined;
    const token = typeof text === 'string' ? parseToken(await sealed.open(name, text)) : undefined;
    if (token === undefined) {
      onFailed?.('open');
      return undefined;
    }
    return lasts(token) && isGood(token) ? token : undefined;
  }

  async function write(name: string, token: AccessTokenFields): Promise<void> {
    if (!lasts(token)) return;
    const { accessToken, tokenType, expiresAt, scope } = token;
    const text = await sealed.seal(name, JSON.stringify({ accessToken, tokenType, expiresAt, scope }));
    await ask('set', () => store.set(name, text, Math.floor(expiresAt)));
  }

  function lasts({ expiresAt }: AccessTokenFields): boolean {
    return expiresAt - now() >= MARGIN_MS;
  }

  async function takeLease(name: string): Promise<(() => MaybePromise<void>) | undefined | typeof failed> {
    let late = false;
    const end = await ask('lease', async () => {
      const granted = await store.lease(name, leaseMs);
      // Nobody waits for it any more, and others shall not wait for its end.
      if (late) await granted?.();
      return granted ?? undefined;
    });
    late = end === failed;
    return end;
  }

  /** Does what has to do with the store, as long as that may take. */
  async function ask<T>(what: SharedTokensFailure, work: () => MaybePromise<T>): Promise<T | typeof failed> {
    // What a store throws may quote what it was given, and helps nobody here.
    const answer = await within<T | typeof failed>(STORE_DEADLINE_MS, attempt(work), () => failed);
    if (answer === failed) onFailed?.(what);
    return answer;
  }

  /** Of a key the store learns only whether it is the same. */
  async function nameOf(key: string): Promise<string> {
    return `token:${await sealed.nameOf(key)}`;
  }

  return {
    obtain,
    async forget(key) {
      forgotten++;
      const name = await nameOf(key);
      await ask('set', () => store.delete(name));
    },
  };
}

async function attempt<T>(work: () => MaybePromise<T>): Promise<T | typeof failed> {
  try {
    return await work();
  } catch {
    return failed;
  }
}

function parseToken(text: string | undefined): AccessToken | undefined {
  const value: unknown = text === undefined ? undefined : parseJson(text);
  if (!isObject(value)) return undefined;
  const { accessToken, tokenType, expiresAt } = value;
  const scope = own(value, 'scope');
  if (typeof accessToken !== 'string' || typeof expiresAt !== 'number') return undefined;
  if (tokenType !== 'Bearer' && tokenType !== 'DPoP') return undefined;
  if (scope !== undefined && typeof scope !== 'string') return undefined;
  return new ReceivedToken({ accessToken, tokenType, expiresAt, scope });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readStore(check: OptionChecker, store: TokenStore): TokenStore {
  const { get, set, delete: remove, lease }: Partial<TokenStore> = store ?? {};
  const isStore = [get, set, remove, lease].every((method) => typeof method === 'function');
  return isStore ? store : check.failKind('store', 'a store with get, set, delete and lease', store);
}

/** The key's bytes, copied, so that they stay what they are. */
function readKey(check: OptionChecker, key: Uint8Array | string): Bytes {
  const rule = `a secret text or bytes, at least ${LEAST_KEY_BYTES} bytes long`;
  if (typeof key !== 'string' && !(key instanceof Uint8Array)) return check.failSecret('storeKey', rule);
  const bytes = typeof key === 'string' ? new TextEncoder().encode(key) : new Uint8Array(key);
  return bytes.length < LEAST_KEY_BYTES
    ? check.failSecret('storeKey', rule, { code: 'secret_too_short' })
    : bytes;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
