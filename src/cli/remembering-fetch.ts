import type { Fetch } from '../shared/transport.ts';

/** A fetch that asks for each document once, however often a command looks at it. */
export function rememberingFetch(): Fetch {
  const answers = new Map<string, Promise<Response>>();
  return async (url, init) => {
    if (init?.method !== undefined && init.method !== 'GET') return fetch(url, init);
    const known = answers.get(url) ?? fetch(url, init);
    answers.set(url, known);
    return (await known).clone();
  };
}
