import { isServiceAuthError, type ServiceAuthError } from '../../index.ts';
import { requestJson } from '../../shared/http.ts';
import type { JsonObject } from '../../shared/json.ts';

/** A document as it was answered, good or not. */
export interface Answered {
  readonly status: number;
  readonly json: JsonObject | undefined;
  /** How far the server's clock is ahead of this one, in milliseconds; `undefined` without a `Date` header. */
  readonly aheadMs: number | undefined;
}

/** Fetches a document with GET; what came in the way is a value. */
export async function getDocument(url: string, timeoutMs: number): Promise<Answered | ServiceAuthError> {
  const startedMs = Date.now();
  try {
    const { status, json, headers } = await requestJson((input, init) => fetch(input, init), {
      url,
      timeoutMs,
    });
    return { status, json, aheadMs: aheadOf(headers.get('date'), startedMs, Date.now()) };
  } catch (error) {
    if (isServiceAuthError(error)) return error;
    throw error;
  }
}

/** `Date` has whole seconds and is made while the request is under way: within that time there is no difference. */
export function aheadOf(date: string | null, startedMs: number, endedMs: number): number | undefined {
  const earliest = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(earliest)) return undefined;
  const latest = earliest + 999;
  if (latest < startedMs) return latest - startedMs;
  return earliest > endedMs ? earliest - endedMs : 0;
}
