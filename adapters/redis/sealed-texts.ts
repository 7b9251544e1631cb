import type { TextStore } from '../../src/index.ts';
import type { Bytes } from '../../src/shared/runtime.ts';
import { createSealedText } from '../../src/shared/sealed-text.ts';

/** The same store, of which Redis learns nothing: what was changed there, or put under another key, is not there. */
export function sealTexts(store: TextStore, secret: Bytes): TextStore {
  const sealed = createSealedText({ secret, purpose: 'introspection answers' });
  return {
    async get(key) {
      const text = await store.get(key);
      return text === undefined ? undefined : sealed.open(key, text);
    },
    set: async (key, text, expiresAt) => store.set(key, await sealed.seal(key, text), expiresAt),
    delete: (key) => store.delete(key),
  };
}
