import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ReplayStore } from '../index.ts';
import { errorCode } from '../shared/http.ts';
import { UsageError } from './errors.ts';

export interface LoadedStore {
  readonly store: ReplayStore;
  /** What the module exports as `close`; nothing where it exports none. */
  close(): Promise<void>;
}

/**
 * The store that a module exports, as `replayStore` or as its default; or a function that makes one.
 *
 * @throws UsageError where there is no such module or store.
 */
export async function loadReplayStore(path: string): Promise<LoadedStore> {
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
