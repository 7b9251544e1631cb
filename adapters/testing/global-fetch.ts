/** The global fetch, replaced for a while. */
import type { FetchFunction } from '../../src/index.ts';

/** The global fetch is replaced until it is put back. */
export interface ReplacedFetch {
  /** Puts back the one that was there. */
  restore(): void;
  [Symbol.dispose](): void;
}

/** What was there before those that have been put back. */
const putBack = new WeakMap<FetchFunction, FetchFunction>();

/** `make` is given the fetch that was there before. */
export function replaceGlobalFetch(make: (before: FetchFunction) => FetchFunction): ReplacedFetch {
  const before = globalThis.fetch;
  const theirs: FetchFunction = (input, init) => before(input, init);
  const ours = make(theirs);
  // Somebody may have kept it, and must not reach an issuer whose test is over.
  const replacement: FetchFunction = (input, init) => (putBack.has(replacement) ? theirs : ours)(input, init);
  globalThis.fetch = replacement;
  const restore = (): void => {
    putBack.set(replacement, before);
    // Whoever has replaced it since puts back what was there then; several of ours come off in any order.
    for (let next = putBack.get(globalThis.fetch); next !== undefined; next = putBack.get(next)) {
      globalThis.fetch = next;
    }
  };
  return { restore, [Symbol.dispose]: restore };
}
