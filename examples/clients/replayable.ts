import type { AuthedFetch, FetchFunction } from 'service-auth';

/**
 * Clients that hand over a `Request` have used its body up once it is sent. Read before, it can be sent again where the
 * service asks for a new token; not for bodies larger than memory has room for.
 */
export function replayable(authedFetch: AuthedFetch): FetchFunction {
  return async (input, init) => {
    if (!(input instanceof Request)) return authedFetch(input, init);
    const { url, method, headers, signal, redirect } = input;
    const body = input.body === null ? null : await input.arrayBuffer();
    return authedFetch(url, { method, headers, signal, redirect, body, ...init });
  };
}
