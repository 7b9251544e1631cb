/** What a developer reads of a mistake about targets and in the arguments of calls, to the letter. */
import { describe, expect, it, vi } from 'vitest';
import { createAuthedFetch } from '../../../src/outbound/authed-fetch.ts';
import { createCallAuthorizer } from '../../../src/outbound/call-authorizer.ts';
import { createTokenClient } from '../../../src/outbound/token-client.ts';
import { createNetwork, tokenAnswer } from './in-process.ts';
import { clientOptions, mistake, rejection, secretCanary, withoutEnvironment } from './support.ts';

const issuer = 'https://idp.example';
const tokenEndpoint = 'https://idp.example/token';
const good = { issuer, clientId: 'a', clientSecret: 's' };
const places = "targets must be a non-empty list of origins or targets, or '*'";
const originRule =
  'targets.origin must be an origin such as https://orders.internal, without path, query and user';
const prefixRule =
  'targets.pathPrefix must be a path that begins with a slash, without query, fragment and dot segments';

withoutEnvironment();

describe.each([
  ['createAuthedFetch', createAuthedFetch],
  ['createCallAuthorizer', createCallAuthorizer],
] as const)('%s', (where, create) => {
  const origin = 'https://a.example';

  it.each<[object, string, string?]>([
    [{ targetz: 1 }, 'unknown option targetz in options; did you mean targets?', 'option_unknown'],
    [{ fetch: 1 }, 'fetch must be a function; got 1'],
    [{}, 'targets is required; give it or set SERVICE_AUTH_TARGETS', 'option_missing'],
    [
      { issuer: undefined },
      'issuer (or tokenEndpoint) is required; give it or set SERVICE_AUTH_ISSUER',
      'option_missing',
    ],
    [
      { resource: 'urn:orders' },
      'targets must be given where resource is not exactly one http(s) URL; got ["urn:orders"]',
    ],
    [
      { resource: [origin, 'https://b.example'] },
      `targets must be given where resource is not exactly one http(s) URL; got ["${origin}", "https://b.example"]`,
    ],
    [{ targets: [] }, `${places}; got a list`],
    [{ targets: origin }, `${places}; got a text`],
    [{ targets: [null] }, 'targets must be an object; got null'],
    [
      { targets: [{ zzzz: 1 }] },
      'unknown option zzzz in targets; known are origin, pathPrefix, scope, resource, dpop, onBehalfOf, allowInsecure',
      'option_unknown',
    ],
    [{ targets: [{}] }, `${originRule}; got undefined`],
    [{ targets: [''] }, `${originRule}; got ""`],
    [{ targets: ['a.example'] }, `${originRule}; got "a.example"`],
    [{ targets: ['https://a.example/x'] }, `${originRule}; got "https://a.example/x"`],
    [{ targets: ['https://a.example/?x'] }, `${originRule}; got "https://a.example/" and a query`],
    [{ targets: ['https://a.example#x'] }, `${originRule}; got "https://a.example#x"`],
    [{ targets: ['ftp://a.example/'] }, `${originRule}; got "ftp://a.example/"`],
    [{ targets: ['https://user@a.example'] }, originRule],
    [{ targets: ['https://:password@a.example'] }, originRule],
    [
      { targets: ['https://*.example'] },
      'targets.origin must be one origin; patterns are not known; got "https://*.example"',
    ],
    [
      { targets: ['http://orders:8080/'] },
      'targets.origin must be https; for plain http to another machine set allowInsecure; got "http://orders:8080"',
      'url_not_https',
    ],
    [{ targets: [{ origin, allowInsecure: 1 }] }, 'targets.allowInsecure must be true or false; got 1'],
    [{ targets: [{ origin, dpop: 1 }] }, 'targets.dpop must be true or false; got 1'],
    [{ targets: [{ origin, onBehalfOf: 1 }] }, 'targets.onBehalfOf must be a function; got 1'],
    [
      { targets: [{ origin, scope: 7 }] },
      'targets.scope must be a non-empty string or a non-empty list of them; got 7',
    ],
    [
      { targets: [{ origin, resource: 'x' }] },
      'targets.resource must be an absolute URI without fragment; other names belong into audience; got "x"',
    ],
    [{ targets: [{ origin, pathPrefix: 7 }] }, `${prefixRule}; got 7`],
    [{ targets: [{ origin, pathPrefix: '' }] }, `${prefixRule}; got ""`],
    [{ targets: [{ origin, pathPrefix: 'x' }] }, `${prefixRule}; got "x"`],
    [{ targets: [{ origin, pathPrefix: ':443/x' }] }, `${prefixRule}; got ":443/x"`],
    [{ targets: [{ origin, pathPrefix: '/x#y' }] }, `${prefixRule}; got "/x#y"`],
    [{ targets: [{ origin, pathPrefix: '/x\\y' }] }, `${prefixRule}; got "/x\\\\y"`],
    [{ targets: [{ origin, pathPrefix: '/x/..' }] }, `${prefixRule}; got "/x/.."`],
    [{ targets: [{ origin, pathPrefix: '/./x' }] }, `${prefixRule}; got "/./x"`],
    [{ targets: [origin, 'HTTPS://A.example:443'] }, 'targets must be named once; got "https://a.example/"'],
    [
      {
        targets: [
          { origin, pathPrefix: '/x' },
          { origin, pathPrefix: '/x' },
        ],
      },
      'targets must be named once; got "https://a.example/x"',
    ],
  ])('%j', (options, message, code) => {
    expect(() => create({ ...good, ...options })).toThrow(mistake(`${where}: ${message}`, code));
  });

  it('without any options', () => {
    const missing = 'issuer (or tokenEndpoint) is required; give it or set SERVICE_AUTH_ISSUER';
    expect(() => create()).toThrow(mistake(`${where}: ${missing}`, 'option_missing'));
    expect(() => create(secretCanary as unknown as object)).toThrow(
      mistake(`${where}: options must be an object; got a text`),
    );
  });

  it.each([undefined, null, 7, {}, { token: '' }, ' '])('onBehalfOf(%j)', (who) => {
    const rule =
      who === undefined || who === null || who === 7 ? 'a token or a caller' : 'a non-empty string';
    const { onBehalfOf } = create({ ...good, targets: [origin] });
    expect(() => onBehalfOf(who as unknown as string)).toThrow(
      mistake(`onBehalfOf: subjectToken must be ${rule}`),
    );
  });

  it('takes the targets of the environment, or its resource, or the resource that is given', () => {
    vi.stubEnv('SERVICE_AUTH_RESOURCE', 'https://b.example/api');
    const originOf = (options: object, url: string) =>
      create({ ...good, ...options }).explain(url).target?.origin;
    expect(originOf({}, 'https://b.example/api')).toBe('https://b.example');
    expect(originOf({}, 'https://b.example/')).toBeUndefined();
    vi.stubEnv('SERVICE_AUTH_TARGETS', 'https://c.example  https://d.example');
    expect(originOf({}, 'https://d.example')).toBe('https://d.example');
    expect(originOf({}, 'https://b.example/api')).toBeUndefined();
    expect(originOf({ resource: origin }, origin)).toBe(origin);
    expect(originOf({ resource: origin }, 'https://d.example')).toBeUndefined();
    expect(originOf({ targets: [origin] }, origin)).toBe(origin);
    expect(originOf({ targets: [origin] }, 'https://d.example')).toBeUndefined();
  });
});

it('redirectPolicy is for createAuthedFetch alone', () => {
  const options = { ...good, targets: '*', redirectPolicy: 'follow' as 'strip' } as const;
  expect(() => createAuthedFetch(options)).toThrow(
    mistake("createAuthedFetch: redirectPolicy must be one of 'refuse', 'strip'; got \"follow\""),
  );
  expect(() => createCallAuthorizer(options)).toThrow(
    mistake(
      `createCallAuthorizer: unknown option redirectPolicy in options; known are ${clientOptions}, targets`,
      'option_unknown',
    ),
  );
  expect(() => createCallAuthorizer({ ...good, targets: [] }, 'myAdapter')).toThrow(
    mistake(`myAdapter: ${places}; got a list`),
  );
});

describe('arguments', () => {
  const exchangeOptions =
    'subjectToken, subjectTokenType, actorToken, actorTokenType, scope, resource, audience, signal';

  it.each<['getToken' | 'exchange' | 'dpopProof' | 'invalidate', unknown, string, string?]>([
    ['getToken', 7, 'getToken: options must be an object; got 7'],
    [
      'getToken',
      { zzzz: 1 },
      'getToken: unknown option zzzz in options; known are scope, resource, forceRefresh, signal',
      'option_unknown',
    ],
    [
      'getToken',
      { scope: 7 },
      'createTokenClient: scope must be a non-empty string or a non-empty list of them; got 7',
    ],
    ['exchange', undefined, 'exchange: options must be an object; got undefined'],
    [
      'exchange',
      { zzzz: 1 },
      `exchange: unknown option zzzz in options; known are ${exchangeOptions}`,
      'option_unknown',
    ],
    ['exchange', {}, 'exchange: subjectToken must be a token or a caller'],
    ['exchange', { subjectToken: null }, 'exchange: subjectToken must be a token or a caller'],
    ['exchange', { subjectToken: ' ' }, 'exchange: subjectToken must be a non-empty string'],
    ['exchange', { subjectToken: { token: 7 } }, 'exchange: subjectToken must be a non-empty string'],
    ['exchange', { subjectToken: 'a', actorToken: ' ' }, 'exchange: actorToken must be a non-empty string'],
    [
      'exchange',
      { subjectToken: 'a', subjectTokenType: 7 },
      'exchange: subjectTokenType must be a non-empty string; got 7',
    ],
    [
      'exchange',
      { subjectToken: 'a', actorTokenType: 7 },
      'exchange: actorTokenType must be a non-empty string; got 7',
    ],
    ['exchange', { subjectToken: 'a', audience: 7 }, 'exchange: audience must be a non-empty string; got 7'],
    ['dpopProof', undefined, 'dpopProof: options must be an object; got undefined'],
    [
      'dpopProof',
      { zzzz: 1 },
      'dpopProof: unknown option zzzz in options; known are method, url, accessToken, nonce',
      'option_unknown',
    ],
    [
      'dpopProof',
      { url: 'https://a.example' },
      'dpopProof: method must be a non-empty string; got undefined',
    ],
    ['dpopProof', { method: 'GET', url: `/x?${secretCanary}` }, 'dpopProof: url must be an absolute URL'],
    ['invalidate', 7, 'invalidate: options must be an object; got 7'],
    [
      'invalidate',
      { zzzz: 1 },
      'invalidate: unknown option zzzz in options; known are scope, resource, accessToken',
      'option_unknown',
    ],
  ])('%s(%j)', async (method, options, message, code) => {
    const { fetch, sent } = createNetwork({ '/token': () => tokenAnswer('t') });
    const tokens = createTokenClient({ ...good, tokenEndpoint, fetch });
    const call = async (): Promise<unknown> => tokens[method](options as never);
    expect(await rejection(call())).toEqual(mistake(message, code));
    expect(sent).toEqual([]);
  });
});
