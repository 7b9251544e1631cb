/** Versions of services and resources as entity tags (RFC 9110 section 8.8.3). */
import { refuse } from './problems.ts';

/** The version of what a patch changes, and nothing else: secrets of a service, for example, are not in it. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/** The refusal of a change that is meant for another version (RFC 9110 section 13.1.1). */
export function refuseVersion(ifMatch: string | null, version: number): Response | undefined {
  const matches = ifMatch === null || isMatch(ifMatch, version);
  if (matches === undefined) return refuse('invalid_if_match');
  return matches ? undefined : refuse('version_mismatch', { headers: { etag: etagOf(version) } });
}

/** Whether `If-Match` lets a version be changed; `undefined` for what is no such header. */
function isMatch(header: string, version: number): boolean | undefined {
  if (header.trim() === '*') return true;
  const tags = header.split(',').map((tag) => tag.trim());
  if (!tags.every((tag) => /^(?:W\/)?"[\x21\x23-\x7e]*"$/.test(tag))) return undefined;
  return tags.includes(etagOf(version));
}
