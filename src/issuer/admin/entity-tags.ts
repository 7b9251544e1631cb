/** Versions of services as entity tags (RFC 9110 section 8.8.3). */

/** The version of the registration: what a patch changes, and nothing else of a service. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/** Whether `If-Match` (RFC 9110 section 13.1.1) lets a version be changed; `undefined` for what is no such header. */
export function isMatch(header: string, version: number): boolean | undefined {
  if (header.trim() === '*') return true;
  const tags = header.split(',').map((tag) => tag.trim());
  if (!tags.every((tag) => /^(?:W\/)?"[\x21\x23-\x7e]*"$/.test(tag))) return undefined;
  return tags.includes(etagOf(version));
}
