/** Where a status list is: what its tokens name, and what its own `sub` must be. */
export function statusListUri(baseUrl: string, listId: string): string {
  return `${baseUrl}/status-lists/${encodeURIComponent(listId)}`;
}

/** The list at a URI that `statusListUri` made. */
export function statusListId(baseUrl: string, uri: string): string | undefined {
  const start = `${baseUrl}/status-lists/`;
  return uri.startsWith(start) ? decodeURIComponent(uri.slice(start.length)) : undefined;
}
