import createClient, { type Client } from 'openapi-fetch';
import type { AuthedFetch } from 'service-auth';
import { replayable } from './replayable.ts';

/** `Paths` comes from openapi-typescript. */
export function createOpenapiClient<Paths extends object>(
  authedFetch: AuthedFetch,
  baseUrl: string,
): Client<Paths> {
  return createClient<Paths>({ baseUrl, fetch: replayable(authedFetch) });
}
