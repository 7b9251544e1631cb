import { problem } from '../http/http-answers.ts';
import type { Handler, Route } from '../http/router.ts';
import { limitHeaders } from './limit-headers.ts';
import type { Limits } from './limits.ts';

/** The same routes, save that addresses which ask too often are turned away before anything of a request is read. */
export function limitedRoutes(limits: Limits, endpoint: string, routes: readonly Route[]): readonly Route[] {
  const limited =
    (handler: Handler): Handler =>
    async (incoming) => {
      const state = await limits.countAddress(endpoint, incoming);
      if (state === undefined || state.allowed) return handler(incoming);
      const headers = { ...limitHeaders([state]), 'retry-after': `${state.resetSeconds}` };
      return problem(429, 'this address asks too often', { headers });
    };
  return routes.map(({ path, methods }) => ({
    path,
    methods: Object.fromEntries(Object.entries(methods).map(([name, handler]) => [name, limited(handler)])),
  }));
}
