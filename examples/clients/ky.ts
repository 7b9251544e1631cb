import ky, { type KyInstance } from 'ky';
import type { AuthedFetch } from 'service-auth';
import { replayable } from './replayable.ts';

/** Refused calls reject as those of ky do; what authedFetch rejects with comes through as it is. */
export function createKy(authedFetch: AuthedFetch, prefixUrl: string): KyInstance {
  return ky.create({ prefixUrl, fetch: replayable(authedFetch) });
}
