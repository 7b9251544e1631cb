import axios, { type AxiosInstance } from 'axios';
import type { AuthedFetch } from 'service-auth';
import { replayable } from './replayable.ts';

/**
 * Over the fetch adapter; the one for node:http knows no targets and sends its headers wherever it is redirected.
 * What authedFetch rejects with is the error's `cause`, and its `code` that of the error.
 */
export function createAxios(authedFetch: AuthedFetch, baseURL: string): AxiosInstance {
  return axios.create({ baseURL, adapter: 'fetch', env: { fetch: replayable(authedFetch) } });
}
