/** Whether a replay store records a proof once, however many ask at the same time (RFC 9449 section 11.1). */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ReplayStore } from '../../index.ts';
import { errorCode } from '../../shared/http.ts';
import { UsageError } from '../errors.ts';
import type { Findings } from './examination.ts';

const check = 'replay store';
const AT_ONCE = 50;
const LASTS_MS = 60_000;

export async function examineReplayStore(path: string): Promise<Findings> {
  const { store, close } = await loadStore(path);
  try {
    const [jkt, jti, otherJti] = [random(), random(), random()];
    const expiresAt = Date.now() + LASTS_MS;
    const parallel = Array.from({ length: AT_ONCE }, async () => store.record({ jkt, jti, expiresAt }));
    const answers = await Promise.all(parallel);
    const other = await store.record({ jkt, jti: otherJti, expiresAt });
    return judge(answers, other);
  } catch (error) {
    const found = `it failed (${errorCode(error) ?? (error instanceof Error ? error.name : 'unknown')})`;
    return [{ check, status: 'undecided', found, hint: 'can its database be reached from here?' }];
  } finally {
    await close();
  }
}

type RecordAnswer = Awaited<ReturnType<ReplayStore['record']>>;

function judge(answers: readonly RecordAnswer[], other: RecordAnswer): Findings {
  const count = (word: RecordAnswer): number => answers.filter((answer) => answer === word).length;
  const recorded = count('recorded');
  if (recorded > 1) {
    const found = `it recorded one proof ${recorded} times when ${AT_ONCE} asked at once: it is not atomic`;
    return [
      { check, status: 'failure', found, hint: 'look and write in one step, such as SET with NX in Redis' },
    ];
  }
  if (count('full') > 0 || other === 'full') return [{ check, status: 'failure', found: 'it is full' }];
  if (recorded === 0 || count('replayed') !== AT_ONCE - 1) {
    const found = `of ${AT_ONCE} at once it answered ${recorded} 'recorded' and ${count('replayed')} 'replayed'`;
    return [
      { check, status: 'failure', found, hint: `exactly one must be 'recorded', all others 'replayed'` },
    ];
  }
  if (other !== 'recorded') {
    return [{ check, status: 'failure', found: 'it takes another proof of the same key for a replay' }];
  }
  return [{ check, status: 'ok', found: `of ${AT_ONCE} at once exactly one was recorded` }];
}

/** The store that a module exports, as `replayStore` or as its default; or a function that makes one. */
export async function loadStore(path: string): Promise<{ store: ReplayStore; close: () => Promise<void> }> {
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (error) {
    const reason = errorCode(error) ?? (error instanceof Error ? error.message : 'unknown');
    throw new UsageError(`--replay-store: the module cannot be loaded: ${path} (${reason})`);
  }
  const exported = module.replayStore ?? module.default;
  const store: unknown = typeof exported === 'function' ? await exported() : exported;
  if (!isStore(store)) {
    throw new UsageError('--replay-store: the module must export replayStore, which has a function record');
  }
  const { close } = module;
  return {
    store,
    close: async () => {
      if (typeof close === 'function') await close();
    },
  };
}

function isStore(value: unknown): value is ReplayStore {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'record') === 'function';
}

function random(): string {
  return randomBytes(16).toString('base64url');
}
