/**
 * Verified tokens, found by the tail of their signature and answered for only after comparing them whole.
 *
 * Hashing 600 fresh characters costs more than comparing them, so the tail finds the slot; it decides nothing.
 * Two generations instead of a list in order of use: a lookup moves nothing while its entry is young.
 */
export interface TokenCache<T> {
  get(token: string): T | undefined;
  set(token: string, value: T): void;
  delete(token: string): void;
  /** Looks at every entry: for rare occasions. */
  deleteIf(matches: (value: T) => boolean): void;
  clear(): void;
  readonly size: number;
}

/** Of JWTs, whose signatures differ in their tails. What tells other tokens apart nobody knows: they are hashed whole. */
const JWT_BEGIN = 'eyJ';
/** 72 bits; V8 makes longer slices views of the whole, which it hashes and compares more slowly. */
const TAIL = 12;

/**
 * Makes a cache that keeps at least the `maxTokens` tokens used last (fewer, where those have more than
 * `maxCharacters` together), and never more than twice as many.
 */
export function createTokenCache<T>(
  maxTokens: number,
  maxCharacters: number = Number.POSITIVE_INFINITY,
): TokenCache<T> {
  type Entry = { readonly token: string; readonly value: T };
  let young = new Map<string, Entry>();
  let old = new Map<string, Entry>();
  let characters = 0;

  function insert(tail: string, entry: Entry): void {
    if (young.size >= maxTokens || characters >= maxCharacters) {
      old = young;
      young = new Map();
      characters = 0;
    }
    characters += entry.token.length - (young.get(tail)?.token.length ?? 0);
    young.set(tail, entry);
  }

  return {
    get(token) {
      const tail = tailOf(token);
      let entry = young.get(tail);
      if (entry !== undefined) return entry.token === token ? entry.value : undefined;
      entry = old.get(tail);
      if (entry === undefined || entry.token !== token) return undefined;
      old.delete(tail);
      insert(tail, entry);
      return entry.value;
    },
    set(token, value) {
      const tail = tailOf(token);
      old.delete(tail);
      insert(tail, { token, value });
    },
    delete(token) {
      const tail = tailOf(token);
      for (const generation of [young, old]) {
        if (generation.get(tail)?.token === token) generation.delete(tail);
      }
    },
    deleteIf(matches) {
      for (const generation of [young, old]) {
        for (const [tail, { value }] of generation) if (matches(value)) generation.delete(tail);
      }
    },
    clear() {
      young = new Map();
      old = new Map();
    },
    get size() {
      return young.size + old.size;
    },
  };
}

function tailOf(token: string): string {
  return token.startsWith(JWT_BEGIN) ? token.slice(-TAIL) : token;
}
