import { problem } from './http-answers.ts';
import type { Incoming, IssuerConnection, IssuerRequest, PathParameters } from './incoming.ts';

export type Handler = (incoming: Incoming) => Response | Promise<Response>;

export interface Route {
  /** Segments that start with a colon match any one segment. */
  readonly path: string;
  readonly methods: { readonly [method in 'GET' | 'POST' | 'PATCH' | 'DELETE']?: Handler };
}

/** Makes one handler of a route table: 404 for unknown paths, 405 with `Allow` for unknown methods, HEAD as GET. */
export function createRouter(
  routes: readonly Route[],
): (request: IssuerRequest, connection: IssuerConnection) => Promise<Response> {
  const table = routes.map((route) => ({ ...route, segments: route.path.split('/') }));

  return async (request, connection) => {
    // Only the path decides; what the Host header says has no say in anything.
    const segments = new URL(request.url).pathname.split('/');
    for (const route of table) {
      const parameters = match(route.segments, segments);
      if (parameters !== undefined) return dispatch(route, { request, parameters, connection });
    }
    return problem(404, 'there is nothing at this path');
  };
}

async function dispatch(route: Route, incoming: Incoming): Promise<Response> {
  const { request } = incoming;
  const methods = new Map<string, Handler>(Object.entries(route.methods));
  const isHead = request.method === 'HEAD';
  const handler = methods.get(isHead ? 'GET' : request.method);
  if (handler === undefined) {
    const allow = [...methods.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    return problem(405, 'the method is not allowed here', { headers: { allow: allow.join(', ') } });
  }
  const response = await handler(incoming);
  return isHead ? new Response(null, { status: response.status, headers: response.headers }) : response;
}

const none: PathParameters = new Map();

function match(pattern: readonly string[], segments: readonly string[]): PathParameters | undefined {
  if (pattern.length !== segments.length) return undefined;
  let parameters: Map<string, string> | undefined;
  for (const [at, expected] of pattern.entries()) {
    const actual = segments[at] ?? '';
    if (!expected.startsWith(':')) {
      if (expected !== actual) return undefined;
      continue;
    }
    const value = decodeSegment(actual);
    if (value === undefined || value === '') return undefined;
    parameters ??= new Map();
    parameters.set(expected.slice(1), value);
  }
  return parameters ?? none;
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
