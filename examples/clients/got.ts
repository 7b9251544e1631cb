import { type Got, got } from 'got';
import type { AuthorizedCall, CallAuthorizer } from 'service-auth';

/**
 * got sends over node:http and takes no fetch, but asks its hooks before every attempt and every hop. Where the client
 * is free to choose, undici with `authInterceptor` is faster and can hold back an answer that is not the last.
 */
export function createGot(authorizer: CallAuthorizer, prefixUrl: string): Got {
  const calls = new WeakMap<object, AuthorizedCall>();
  return got.extend({
    prefixUrl,
    hooks: {
      beforeRequest: [
        async (options) => {
          const { method, body, url } = options;
          const replayable = body === undefined || typeof body === 'string' || ArrayBuffer.isView(body);
          // Rejects for what is no target, so that no redirect takes a token anywhere else.
          const call = await authorizer.authorize({ method, url: String(url), replayable });
          calls.set(options, call);
          options.headers.authorization = call.authorization;
          if (call.dpop !== undefined) options.headers.dpop = call.dpop;
        },
      ],
      afterResponse: [
        async (response, retryWithMergedOptions) => {
          const { statusCode: status, headers, request } = response;
          const get = (name: string): string | null => headers[name]?.toString() ?? null;
          const next = await calls.get(request.options)?.again({ status, headers: { get } });
          // The hook above asks anew then, for what is known now.
          return next === undefined ? response : retryWithMergedOptions({});
        },
      ],
    },
  });
}
