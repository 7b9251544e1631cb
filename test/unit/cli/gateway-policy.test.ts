import { describe, expect, it } from 'vitest';
import { createPolicy, type PolicySurroundings } from '../../../src/cli/gateway/policy.ts';
import { readPath } from '../../../src/cli/gateway/request-path.ts';
import { createMemoryReplayStore } from '../../../src/index.ts';

const surroundings: PolicySurroundings = {
  issuer: undefined,
  replayStore: createMemoryReplayStore(),
  onEvent: () => {},
};
const base = {
  trustProxy: ['127.0.0.1'],
  verifier: { issuer: 'https://idp.example', audience: 'https://orders.example' },
};

function policyOf(routes: unknown, more: object = {}): ReturnType<typeof createPolicy> {
  return createPolicy(JSON.stringify({ ...base, routes, ...more }), surroundings, undefined);
}

interface ListedRoute {
  readonly host?: string;
  readonly path?: string;
  readonly prefix?: string;
  readonly methods?: readonly string[];
  readonly scope?: string;
  readonly open?: boolean;
}

describe('the route that covers a request', () => {
  const routes: readonly ListedRoute[] = [
    { prefix: '/', scope: 'any' },
    { prefix: '/orders', methods: ['GET', 'HEAD'], scope: 'orders:read' },
    { prefix: '/orders', methods: ['POST'], scope: 'orders:write' },
    { path: '/orders/export', scope: 'orders:export' },
    { prefix: '/orders/archive', methods: ['GET'], scope: 'archive' },
    { prefix: '/orders/archive', scope: 'archive:write' },
    { host: 'admin.example', prefix: '/console', scope: 'admin' },
    { host: 'Open.Example', path: '/', open: true },
  ];
  const { find } = policyOf(routes);

  it.each<[string, string, string, number | string]>([
    ['api.example', '/', 'GET', 0],
    ['api.example', '/else', 'DELETE', 0],
    ['api.example', '/orders', 'GET', 1],
    ['api.example', '/orders/', 'HEAD', 1],
    ['api.example', '/orders/7', 'GET', 1],
    ['api.example', '/orders-old', 'GET', 0],
    ['api.example', '/orders', 'POST', 2],
    ['api.example', '/orders/7', 'DELETE', 'method_not_covered'],
    ['api.example', '/orders/7', 'get', 'method_not_covered'],
    // Some services take it for GET, which has a route of its own.
    ['api.example', '/orders/archive/2020', 'get', 'method_not_covered'],
    ['api.example', '/else', 'delete', 'method_not_covered'],
    ['api.example', '/orders/export', 'DELETE', 3],
    ['api.example', '/orders/export/7', 'GET', 1],
    ['api.example', '/orders/export/', 'GET', 'ambiguous_path'],
    ['api.example', '/orders/Export', 'GET', 'ambiguous_path'],
    ['api.example', '/ORDERS/7', 'GET', 'ambiguous_path'],
    ['api.example', '/orders;x=1/7', 'GET', 'ambiguous_path'],
    ['api.example', '/orders/7;x=1', 'GET', 1],
    ['api.example', '/orders/archive/2020', 'GET', 4],
    ['api.example', '/orders/archive/2020', 'PUT', 5],
    ['admin.example', '/console', 'GET', 6],
    ['admin.example', '/orders', 'GET', 'no_route'],
    ['open.example', '/', 'GET', 7],
    ['open.example', '/x', 'GET', 'no_route'],
  ])('%s %s %s: %s', (host, text, method, expected) => {
    const path = readPath(text);
    if (path === undefined) throw new Error(`${text} is ambiguous`);
    const found = find(host, path, method);
    if (typeof expected === 'string') {
      expect(found).toBe(expected);
      return;
    }
    const { path: exact, prefix, methods, open = false } = routes[expected] ?? {};
    expect(found).toMatchObject({ path: exact ?? prefix, methods });
    expect(typeof found === 'object' && found.guard === undefined).toBe(open);
  });

  it('without a route for every host, a host that none names is not covered', () => {
    const { find: findHere } = policyOf([{ host: 'api.example', prefix: '/' }]);
    expect(findHere('other.example', { decoded: '/', lenient: '/' }, 'GET')).toBe('no_route');
  });
});

describe('mistakes of the policy file', () => {
  it.each<[unknown, string]>([
    [undefined, 'routes must be a list'],
    [[], 'routes must be a list of at least one route'],
    [['/'], 'routes[0] must be an object'],
    [[{ scope: 'a' }], 'routes[0] must be given a path or a prefix, and not both'],
    [[{ path: '/a', prefix: '/a' }], 'routes[0] must be given a path or a prefix, and not both'],
    [[{ prefix: '/a', scpoe: 'a' }], 'unknown option scpoe in routes[0]; did you mean scope?'],
    [[{ prefix: '/a', check: true }], 'unknown option check in routes[0]'],
    [[{ prefix: '/a', scope: null }], 'routes[0].scope is null; leave it out'],
    [[{ prefix: '/a', scope: '' }], 'routes[0]: policy: scope must be'],
    [[{ prefix: '/a', clients: [] }], 'routes[0]: policy: clients must be'],
    [
      [{ prefix: '/a', clients: { 'https://idp.example/': ['a'] } }],
      'routes[0]: policy: clients must be by issuers',
    ],
    [[{ prefix: '/a', open: 'yes' }], 'routes[0].open must be true or false'],
    [[{ prefix: '/a', open: true, scope: 'a' }], 'routes[0].open must be given without scope'],
    [[{ prefix: 'a' }], 'routes[0].prefix must be a path such as /orders'],
    [[{ prefix: '/a/' }], 'routes[0].prefix must be a path'],
    [[{ path: '/a//b' }], 'routes[0].path must be a path'],
    [[{ path: '/a/../b' }], 'routes[0].path must be a path'],
    [[{ path: '/a%20b' }], 'routes[0].path must be a path'],
    [[{ path: '/a?b' }], 'routes[0].path must be a path'],
    [[{ path: '/*', host: '*.example' }], 'routes[0].host must be a host name without port or wildcard'],
    [[{ path: '/', host: 'a.example:8443' }], 'routes[0].host must be a host name'],
    [[{ path: '/', host: 'https://a.example' }], 'routes[0].host must be a host name'],
    [[{ path: '/', host: '2130706433' }], 'routes[0].host must be a host name'],
    [[{ path: '/', methods: 'GET' }], 'routes[0].methods must be a list'],
    [[{ path: '/', methods: [] }], 'routes[0].methods must be'],
    [[{ path: '/', methods: ['get'] }], 'routes[0].methods must be of methods in capitals; got "get"'],
    [[{ path: '/a' }, { path: '/a' }], 'routes[1] must be the only one of its host, path and methods'],
    [
      [
        { path: '/a', methods: ['GET'] },
        { path: '/a', methods: ['POST', 'GET'] },
      ],
      'routes[1] must be the only one of its host, path and GET',
    ],
    [[{ path: '/a' }, { path: '/A' }], 'routes[1] must be at a path that differs from /a in more than case'],
  ])('%j: %s', (routes, message) => {
    expect(() => policyOf(routes)).toThrow(TypeError);
    expect(() => policyOf(routes)).toThrow(message);
  });

  const routes = [{ prefix: '/' }];
  it.each<[object, string]>([
    [{ trustProxy: undefined }, 'trustProxy must be'],
    [{ trustProxy: [] }, 'trustProxy must be'],
    [{ trustProxy: ['everybody'] }, 'trustProxy must be IP addresses'],
    [{ trustproxy: ['127.0.0.1'] }, 'did you mean trustProxy?'],
    [{ verifier: null }, 'verifier must be an object; got null'],
    [{ clientCertificateHeader: 'a b' }, 'clientCertificateHeader must be the name of a header'],
    [{ verifier: { ...base.verifier, scope: 'a' } }, 'unknown option scope in verifier'],
    [
      { verifier: { ...base.verifier, publicUrl: { trustProxy: ['::1'] } } },
      'verifier.publicUrl must be a URL',
    ],
    [{ verifier: { ...base.verifier, typ: null } }, 'verifier.typ is null'],
    [{ verifier: { ...base.verifier, dpop: true } }, 'verifier.dpop must be an object'],
    [
      { verifier: { ...base.verifier, dpop: { replayStore: {} } } },
      'unknown option replayStore in verifier.dpop',
    ],
    [{ verifier: { ...base.verifier, dpop: 'always' } }, 'dpop.mode must be'],
    [{ verifier: { audience: 'a' } }, 'SERVICE_AUTH_ISSUER'],
    [{ verifier: { issuer: 'https://idp.example' } }, 'SERVICE_AUTH_AUDIENCE'],
  ])('%j: %s', (more, message) => {
    expect(() => policyOf(routes, more)).toThrow(message);
  });

  it.each(['', '{', '[]', 'null', '{"verifier": {"issuer": {"secret": "hush"}}'])('the text %j', (text) => {
    expect(() => createPolicy(text, surroundings, undefined)).toThrow(/^policy file: the whole must be/);
  });

  it.each([
    ['"verifier": {}, "verifier": { "issuer": "https://idp.example" }', 'the whole'],
    ['"routes": [{ "path": "/a", "scope": "admin", "scope": "a" }]', 'routes[0]'],
    [
      '"routes": [{ "path": "/a" }, { "path": "/a", "clients": { "b": ["}{"], "\\u0062": [] } }]',
      'routes[1].clients',
    ],
    ['"routes": [{ "path": "\\"", "p\\u0061th": "/a" }]', 'routes[0]'],
  ])('a member that is there twice, of which a reader may take either: %s', (text, where) => {
    const make = () => createPolicy(`{ "trustProxy": ["::1"], ${text} }`, surroundings, undefined);
    expect(make).toThrow(new RegExp(`^policy file: ${where.replace(/[[\].]/g, '\\$&')} has `));
    expect(make).toThrow(/ twice \(npx service-auth explain options_conflict\)$/);
  });

  it('an issuer of the flag takes no place in the file', () => {
    const text = JSON.stringify({ ...base, routes });
    const given = { ...surroundings, issuer: 'https://other.example' };
    expect(() => createPolicy(text, given, undefined)).toThrow('must be left out where --issuer is given');
  });
});

describe('a policy that follows another', () => {
  it('keeps the verifier, and what it knows, as long as its options stay the same', () => {
    const first = policyOf([{ prefix: '/' }]);
    const read = (more: object) =>
      createPolicy(JSON.stringify({ ...base, routes: [{ prefix: '/a' }], ...more }), surroundings, first);
    expect(read({}).verifier).toBe(first.verifier);
    expect(read({ trustProxy: ['10.0.0.0/8'] }).verifier).toBe(first.verifier);
    expect(read({ verifier: { ...base.verifier, realm: 'new' } }).verifier).not.toBe(first.verifier);
    expect(read({ clientCertificateHeader: 'X-Client-Cert' }).verifier).not.toBe(first.verifier);
  });
});
