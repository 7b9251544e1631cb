/** Threat 21: whatever is called, and wherever that redirects, no credential goes where no target is. */
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { isServiceAuthError } from '../../../src/errors.ts';
import { createAuthedFetch } from '../../../src/outbound/authed-fetch.ts';
import type { RedirectPolicy } from '../../../src/outbound/authed-fetch-options.ts';
import type { Target } from '../../../src/outbound/targets.ts';
import { parseUrl } from '../../../src/shared/url.ts';
import { createNetwork, type Network, type Sent, tokenAnswer } from './in-process.ts';
import { secretCanary } from './support.ts';

const targets: Target[] = [
  { origin: 'https://orders.internal', scope: 'orders' },
  { origin: 'https://api.internal', pathPrefix: '/stock', scope: 'stock', dpop: false },
  { origin: 'https://api.internal', pathPrefix: '/stock/archive', scope: 'archive' },
  { origin: 'http://[::1]:8080', scope: 'local' },
  { origin: 'https://xn--bcher-kva.example', scope: 'books' },
  { origin: 'https://192.168.7.9:8443', scope: 'machine', dpop: false },
];

/** Which scope a URL is covered by, judged without the code under test; the piece list has no hidden dot segments. */
function scopeOf(text: string): unknown {
  const { username, password, origin, pathname } = new URL(text);
  if (`${username}${password}` !== '') return undefined;
  if (origin === 'https://api.internal') {
    if (/^\/stock\/archive(?:\/|$)/.test(pathname)) return 'archive';
    return /^\/stock(?:\/|$)/.test(pathname) ? 'stock' : undefined;
  }
  return targets.find((target) => target.origin === origin)?.scope;
}

const scheme = fc.constantFrom(
  'https://',
  'https://',
  'https://',
  'http://',
  'HTTPS://',
  'https:/',
  'https:\\\\',
  '//',
);
const userinfo = fc.constantFrom(
  '',
  '',
  '',
  '',
  'user@',
  'user:password@',
  ':@',
  '@',
  'orders.internal@',
  'a%40b@',
);
const host = fc.constantFrom(
  ...[
    'orders.internal',
    'ORDERS.Internal',
    'orders.internal.',
    'sub.orders.internal',
    'orders.internal.evil.example',
  ],
  ...[
    'orders\u3002internal',
    'orders%2einternal',
    'orders\u00ad.internal',
    'orders-internal',
    'evil.example',
  ],
  ...[
    'api.internal',
    'api.internal',
    'api.internal',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::2]',
  ],
  ...[
    'b\u00fccher.example',
    'xn--bcher-kva.example',
    'bu\u0308cher.example',
    'b\u0443cher.example',
    'bucher.example',
  ],
  ...['192.168.7.9', '3232237321', '0xc0a80709', '192.168.1801', '192.168.7.9.', '192.168.7.10'],
);
const port = fc.constantFrom('', '', '', ':443', ':80', ':8080', ':8443', ':08443', ':0', ':', ':99999');
const path = fc.constantFrom(
  ...[
    '',
    '/',
    '/stock',
    '/stock/7',
    '/Stock',
    '/stockx',
    '/stock/archive',
    '/stock/archive/7',
    '/stock/archivex',
  ],
  ...[
    '/%73tock',
    '/stock%2f7',
    '//stock',
    '/x/../stock',
    '/stock/../x',
    '/stock/%2e%2e/x',
    '/stock/..;/x',
    '/\\stock',
  ],
  ...[
    '/stock?x=https://evil.example',
    '?x',
    '#https://evil.example',
    '/stock#@evil.example',
    '/stock/..%2fx',
  ],
);
const url = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(scheme, userinfo, host, port, path).map((parts) => parts.join('')) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(...targets).map(({ origin, pathPrefix = '' }) => `${origin}${pathPrefix}/x`),
  },
  { weight: 1, arbitrary: fc.webUrl({ withQueryParameters: true, withFragments: true }) },
);
const hop = fc.record({
  status: fc.constantFrom(301, 302, 303, 307, 308),
  location: fc.oneof(
    { weight: 4, arbitrary: url },
    fc.constantFrom('/stock/2', '../x', '?y', '#z', '', '/\\evil.example'),
  ),
  nonce: fc.option(fc.constantFrom('n-1', 'n-2'), { nil: undefined }),
});
const init = fc.constantFrom<RequestInit>(
  {},
  { method: 'POST', body: 'x' },
  { method: 'PUT', headers: { cookie: 'session=1', 'x-a': '1' } },
  { headers: new Headers({ 'proxy-authorization': 'Basic eDp5' }) },
);

/** Redirects along the hops; each of them may first ask for a nonce. */
function createWorld(hops: readonly { status: number; location: string; nonce?: string | undefined }[]) {
  const left = [...hops];
  const asked = new Set<string>();
  let at = 0;
  const network = createNetwork({
    '*'(sent) {
      if (sent.url === 'https://idp.internal/oauth') return giveToken(sent);
      const [next] = left;
      const nonce = next?.nonce && `${next.nonce}-${at}`;
      if (nonce !== undefined && sent.headers.has('dpop') && !asked.has(nonce)) {
        asked.add(nonce);
        const headers = { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': nonce };
        return new Response(null, { status: 401, headers });
      }
      left.shift();
      at++;
      if (next === undefined) return new Response('end');
      const location = [...next.location]
        .map((letter) => (letter > '~' ? encodeURI(letter) : letter))
        .join('');
      return new Response(null, { status: next.status, headers: { location } });
    },
  });
  return network;
}

function giveToken({ form, headers }: Sent): Response {
  const token_type = headers.has('dpop') ? 'DPoP' : 'Bearer';
  return tokenAnswer(`token-of-${form.get('scope')}`, { token_type });
}

async function run(network: Network, first: string, options: RequestInit, redirectPolicy: RedirectPolicy) {
  const call = createAuthedFetch({
    tokenEndpoint: 'https://idp.internal/oauth',
    clientId: 'billing',
    clientSecret: secretCanary,
    targets,
    dpop: { keyPair },
    redirectPolicy,
    fetch: network.fetch,
  });
  try {
    await call(first, options);
    return 'done';
  } catch (error) {
    if (isServiceAuthError(error)) return error.code;
    if (error instanceof TypeError) return 'TypeError';
    throw error;
  } finally {
    call.close();
  }
}

const keyPair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, [
  'sign',
  'verify',
]);

const credentials = ['authorization', 'dpop'] as const;
const callers = ['cookie', 'proxy-authorization'] as const;

function checkAll(network: Network): void {
  const calls = network.sent.filter(({ url }) => url !== 'https://idp.internal/oauth');
  const scope = calls[0] && scopeOf(calls[0].url);
  let trusted = true;
  for (const sent of calls) {
    trusted &&= scope !== undefined && scopeOf(sent.url) === scope;
    for (const name of credentials)
      if (!trusted) expect(sent.headers.get(name), `${name} at ${sent.url}`).toBeNull();
    for (const name of callers)
      if (!trusted) expect(sent.headers.get(name), `${name} at ${sent.url}`).toBeNull();
    if (!trusted) continue;
    // A call of a target is never sent without its token either.
    const isBound = scope !== 'stock' && scope !== 'machine';
    expect(sent.headers.get('authorization')).toBe(`${isBound ? 'DPoP' : 'Bearer'} token-of-${scope}`);
    expect(sent.headers.has('dpop')).toBe(isBound);
    if (isBound) checkProof(sent);
  }
  for (const { url, headers } of network.sent) {
    const shown = `${url} ${JSON.stringify([...headers])}`;
    if (new URL(url).origin !== 'https://idp.internal') expect(shown).not.toContain(secretCanary);
  }
}

function checkProof({ headers, method, url }: Sent): void {
  const { htu, htm } = decodeJwt<{ htu: string; htm: string }>(headers.get('dpop') ?? '');
  const { origin, pathname } = new URL(url);
  expect([htm, htu]).toEqual([method, `${origin}${pathname}`]);
}

describe('threat 21: no URL outside the targets ever receives a credential', () => {
  it('any URL, any redirect chain, with proofs and nonces', async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        url,
        fc.array(hop, { maxLength: 5 }),
        init,
        fc.constantFrom<RedirectPolicy>('refuse', 'strip'),
        async (first, hops, options, policy) => {
          const network = createWorld(hops);
          const outcome = await run(network, first, options, policy);
          const parsed = parseUrl(first) && scopeOf(first);
          const key = `${outcome}, ${network.sent.length > 2 ? 'redirected' : 'direct'}`;
          seen.set(key, (seen.get(key) ?? 0) + 1);
          if (parsed === undefined) expect(network.sent).toEqual([]);
          checkAll(network);
        },
      ),
      { numRuns: 1500 },
    );
    // It all was met: refusals at the start, calls that ended well, chains that were refused on the way.
    expect([...seen.keys()].sort()).toEqual(
      expect.arrayContaining([
        'TypeError, direct',
        'done, direct',
        'done, redirected',
        'redirect_refused, direct',
        'redirect_refused, redirected',
        'untrusted_target, direct',
      ]),
    );
  });

  it.each([
    ['userinfo', 'https://billing:x@orders.internal/2'],
    ['another port', 'https://orders.internal:8443/2'],
    ['a trailing dot', 'https://orders.internal./2'],
    ['a subdomain', 'https://a.orders.internal/2'],
    ['plain http', 'http://orders.internal/2'],
    ['another target', 'https://api.internal/stock/2'],
    ['a host behind a user that looks like the target', 'https://orders.internal@evil.example/'],
    ['a path that is an authority', '//evil.example/'],
    ['a backslash', '/\\evil.example/'],
    ['a look-alike of the IDN', 'https://b\u0443cher.example/'],
  ])('a redirect to %s: refused, or without any credential', async (_, location) => {
    for (const policy of ['refuse', 'strip'] as const) {
      for (const status of [301, 302, 303, 307, 308]) {
        const network = createWorld([{ status, location }]);
        const outcome = await run(
          network,
          'https://orders.internal/1',
          { headers: { cookie: 'a=b' } },
          policy,
        );
        if (policy === 'refuse') expect(outcome).toBe('redirect_refused');
        checkAll(network);
        const [, ...beyond] = network.sent.filter(({ origin }) => origin !== 'https://idp.internal');
        expect(beyond.flatMap(({ headers }) => [headers.get('authorization'), headers.get('dpop')])).toEqual(
          beyond.flatMap(() => [null, null]),
        );
      }
    }
  });

  it('a chain that comes back brings no credential back', async () => {
    const network = createWorld([
      { status: 307, location: 'https://evil.example/' },
      { status: 307, location: 'https://orders.internal/again' },
    ]);
    expect(await run(network, 'https://orders.internal/1', {}, 'strip')).toBe('done');
    const last = network.sent.at(-1);
    expect(last?.url).toBe('https://orders.internal/again');
    expect([last?.headers.get('authorization'), last?.headers.get('dpop')]).toEqual([null, null]);
  });

  it('each hop within the target has a proof of its own, also after a nonce', async () => {
    const network = createWorld([
      { status: 307, location: '/2', nonce: 'n-1' },
      { status: 303, location: '/3' },
    ]);
    await run(network, 'https://orders.internal/1', { method: 'POST', body: 'x' }, 'refuse');
    const proofs = network.sent.slice(1).map(({ headers }) => decodeJwt(headers.get('dpop') ?? ''));
    expect(proofs.map(({ htm, htu, nonce }) => [htm, htu, nonce])).toEqual([
      ['POST', 'https://orders.internal/1', undefined],
      ['POST', 'https://orders.internal/1', 'n-1-0'],
      ['POST', 'https://orders.internal/2', 'n-1-0'],
      ['GET', 'https://orders.internal/3', 'n-1-0'],
    ]);
    expect(new Set(proofs.map(({ jti }) => jti)).size).toBe(4);
  });

  it.each(['https://idp.internal/oauth', 'https://idp.internal/'])(
    'the authorization server itself is no target (%s)',
    async (first) => {
      const network = createWorld([]);
      expect(await run(network, first, {}, 'refuse')).toBe('untrusted_target');
      expect(network.sent).toEqual([]);
    },
  );

  it('a token endpoint that redirects gets no second request, and neither does the place it names', async () => {
    const network = createNetwork({
      '/token': () =>
        new Response(null, { status: 307, headers: { location: 'https://evil.example/token' } }),
    });
    const call = createAuthedFetch({
      tokenEndpoint: 'https://idp.internal/token',
      clientId: 'billing',
      clientSecret: secretCanary,
      targets,
      fetch: network.fetch,
    });
    await expect(call('https://orders.internal/')).rejects.toMatchObject({ code: 'redirect_refused' });
    expect(network.sent.map(({ url }) => url)).toEqual(['https://idp.internal/token']);
  });
});
