/**
 * Keeps at least the `most` entries used last, and never more than twice as many: two generations, so that a lookup
 * moves nothing while its entry is young.
 */
export interface RecentMap<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
}

export function createRecentMap<V>(most: number): RecentMap<V> {
  let young = new Map<string, V>();
  let old = new Map<string, V>();

  function set(key: string, value: V): void {
    if (young.size >= most) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
  }

  return {
    get(key) {
      let value = young.get(key);
      if (value !== undefined) return value;
      value = old.get(key);
      if (value !== undefined) set(key, value);
      return value;
    },
    set,
  };
}
