/** Which route of the policy covers a request: the host decides first, then the path, then the method. */
import type { OptionChecker } from '../../shared/options.ts';
import { type RequestPath, toLenient } from './request-path.ts';

/** Where a route lies. */
export interface RoutePlace {
  /** In lower case, without port; `undefined` for all hosts that no route names. */
  readonly host: string | undefined;
  readonly path: string;
  /** Whether what lies below the path is covered too. */
  readonly isPrefix: boolean;
  /** `undefined` for all that no other route of the place names. */
  readonly methods: readonly string[] | undefined;
}

export type Miss = 'ambiguous_path' | 'no_route' | 'method_not_covered';

export type FindRoute<R extends RoutePlace> = (host: string, path: RequestPath, method: string) => R | Miss;

/** The routes of one path. */
interface Place<R> {
  readonly path: string;
  readonly byMethod: Map<string, R>;
  others: R | undefined;
}

interface Host<R> {
  readonly exact: Map<string, Place<R>>;
  readonly prefixes: Map<string, Place<R>>;
}

/**
 * Makes the function that finds the route of a request. A host that is named is covered by its own routes alone; of its
 * paths an exact one goes first, then the longest prefix; the methods of that path decide, and no shorter prefix does.
 *
 * @throws TypeError for two routes that cover the same requests.
 */
export function createRoutes<R extends RoutePlace>(check: OptionChecker, routes: readonly R[]): FindRoute<R> {
  const hosts = new Map<string | undefined, Host<R>>();
  for (const [at, route] of routes.entries()) {
    const host = hosts.get(route.host) ?? { exact: new Map(), prefixes: new Map() };
    hosts.set(route.host, host);
    place(check, `routes[${at}]`, route.isPrefix ? host.prefixes : host.exact, route);
  }
  return (hostName, path, method) => {
    const host = hosts.get(hostName) ?? hosts.get(undefined);
    const found = host && findPlace(host, path.lenient);
    if (found === undefined) return 'no_route';
    // Spelt otherwise it may be another path to the gateway and the same to the service, or the other way round.
    if (!isSpeltAs(path.decoded, found)) return 'ambiguous_path';
    return (
      found.byMethod.get(method) ?? (isCapital(method) ? found.others : undefined) ?? 'method_not_covered'
    );
  };
}

function place<R extends RoutePlace>(
  check: OptionChecker,
  name: string,
  places: Map<string, Place<R>>,
  route: R,
): void {
  const key = toLenient(route.path);
  const known = places.get(key);
  if (known !== undefined && known.path !== route.path) {
    check.fail(name, `at a path that differs from ${known.path} in more than case`, route.path);
  }
  const at: Place<R> = known ?? { path: route.path, byMethod: new Map(), others: undefined };
  places.set(key, at);
  if (route.methods === undefined) {
    if (at.others !== undefined) check.fail(name, 'the only one of its host, path and methods', route.path);
    at.others = route;
  }
  for (const method of route.methods ?? []) {
    if (at.byMethod.has(method)) check.fail(name, `the only one of its host, path and ${method}`, route.path);
    at.byMethod.set(method, route);
  }
}

interface FoundPlace<R> extends Place<R> {
  readonly isExact: boolean;
}

function findPlace<R>({ exact, prefixes }: Host<R>, lenient: string): FoundPlace<R> | undefined {
  const whole = exact.get(lenient);
  if (whole !== undefined) return { ...whole, isExact: true };
  for (let end = lenient.length; end > 0; end = lenient.lastIndexOf('/', end - 1)) {
    const found = prefixes.get(lenient.slice(0, end));
    if (found !== undefined) return { ...found, isExact: false };
  }
  const root = prefixes.get('/');
  return root && { ...root, isExact: false };
}

/** Prefixes end where a segment does. */
function isSpeltAs<R>(decoded: string, { path, isExact }: FoundPlace<R>): boolean {
  if (decoded === path) return true;
  return !isExact && decoded.startsWith(path === '/' ? path : `${path}/`);
}

/** Methods are case-sensitive (RFC 9110 section 9.1), but some services take `delete` for `DELETE`. */
function isCapital(method: string): boolean {
  return method === method.toUpperCase();
}
