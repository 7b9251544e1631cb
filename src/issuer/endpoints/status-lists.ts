/** Where verifiers learn which tokens were revoked (OAuth Token Status List, section 8). */
import type { IssuerContext } from '../context.ts';
import { notModified, problem, signed } from '../http/http-answers.ts';
import type { Handler } from '../http/router.ts';
import { createStatusListTokens } from '../tokens/status-list-tokens.ts';

/** Makes the handler of the status lists. They are public: a place says nothing of whose it is. */
export function createStatusListEndpoint({ settings, keys }: IssuerContext): Handler {
  const tokens = createStatusListTokens(settings, keys);
  const cacheControl = `public, max-age=${settings.statusListTtlSeconds}`;

  return async ({ request, parameters }) => {
    const token = await tokens.find(parameters.get('id') ?? '');
    if (token === undefined) return problem(404, 'there is no such status list');
    // The end of the signature tells tokens apart as well as any hash.
    const headers = { 'cache-control': cacheControl, etag: `"${token.slice(-32)}"` };
    const isKnown = namesTag(request.headers.get('if-none-match'), headers.etag);
    return isKnown ? notModified(headers) : signed('statuslist+jwt', token, headers);
  };
}

/** RFC 9110 section 13.1.2: by weak comparison. */
function namesTag(header: string | null, etag: string): boolean {
  const tags = header?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return tags.includes(etag) || tags.includes('*');
}
