import { type $Fetch, createFetch } from 'ofetch';
import type { AuthedFetch } from 'service-auth';

/** Bodies arrive as text, so nothing has to be read before. What authedFetch rejects with is the error's `cause`. */
export function createOfetch(authedFetch: AuthedFetch, baseURL: string): $Fetch {
  return createFetch({ fetch: authedFetch, defaults: { baseURL } });
}
