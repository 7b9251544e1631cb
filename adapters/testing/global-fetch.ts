/** The global fetch, replaced for a while. */
import type { FetchFunction } from '../../src/index.ts';

/** The global fetch is replaced until it is put back. */
export interface ReplacedFetch {
  /** Puts back the one that was there. */
  restore(): void;
  [Symbol.dispose](): void;
}

/** `make` is given the fetch that was there before. */
export function replaceGlobalFetch(make: (before: FetchFunction) => FetchFunction): ReplacedFetch {
  const before = globalThis.fetch;
  const replacement = make((input, init) => before(input, init));
  globalThis.fetch = replacement;
  const restore = (): void => {
    // Whoever has replaced it since puts back what was there then.
    if (globalThis.fetch === replacement) globalThis.fetch = before;
  };
  return { restore, [Symbol.dispose]: restore };
}
