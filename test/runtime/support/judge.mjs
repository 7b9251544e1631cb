/** What a verifier says of a request, in a few words. */
import { audience } from './tokens.mjs';

export const url = `${audience}/orders`;

/** A request with a token, as callers send it. */
export function requestWith(token, { scheme = 'Bearer', proof, headers = {}, ...more } = {}) {
  const all = new Headers(headers);
  if (token !== undefined) all.set('authorization', `${scheme} ${token}`);
  if (proof !== undefined) all.set('dpop', proof);
  return new Request(more.url ?? url, { method: more.method ?? 'GET', headers: all });
}

/** `200`, or the status and the reason. */
export async function judge(verifier, token, { policy, ...request } = {}) {
  const outcome = await verifier.authenticate(requestWith(token, request), policy);
  return outcome.ok ? '200' : `${outcome.rejection.status} ${outcome.rejection.reason}`;
}
