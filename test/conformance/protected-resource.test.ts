/** RFC 9728: the metadata of a protected resource, read by oauth4webapi as any client would. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as oauth from 'oauth4webapi';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { protectedResource, requireServiceAuth } from '../../adapters/express.ts';
import {
  createProtectedResource,
  createVerifier,
  type ProtectedResource,
  type ProtectedResourceOptions,
} from '../../src/index.ts';
import { metadataTransports } from '../contract/metadata-transports.ts';
import { publishes, startIssuerStub } from '../helpers/issuer-stub.ts';
import { audience, createKey, issuer, mint } from '../helpers/tokens.ts';

const idp = 'https://idp.example';
const key = await createKey('ES256');
const make = (resource: string): ProtectedResource =>
  createProtectedResource({ resource, authorizationServers: idp });

const identifiers = [
  'https://orders.example',
  'https://orders.example/',
  'https://orders.example:8443',
  'https://ORDERS.example/Orders',
  'https://orders.example/api/v1',
  'https://orders.example/api/v1/',
  'https://orders.example/tenants?id=1',
  'https://orders.example?id=1',
  'https://orders.example/a%20b/%C3%BC%2Fc',
  'https://orders.example/a b/ü',
  'https://orders.example/v1:beta/*',
  'https://bücher.example/orders',
  'https://[2001:db8::1]/orders',
];

describe('section 3.1: where clients look', () => {
  it.each([
    ['https://resource.example.com', '/.well-known/oauth-protected-resource'],
    ['https://resource.example.com/', '/.well-known/oauth-protected-resource'],
    ['https://resource.example.com/resource1', '/.well-known/oauth-protected-resource/resource1'],
    ['https://resource.example.com/a/b/', '/.well-known/oauth-protected-resource/a/b/'],
    ['https://resource.example.com?tenant=1', '/.well-known/oauth-protected-resource?tenant=1'],
    ['https://resource.example.com/a?tenant=1', '/.well-known/oauth-protected-resource/a?tenant=1'],
  ])('%s: %s', (resource, path) => {
    expect(make(resource).path).toBe(path);
  });

  it.each(identifiers)('oauth4webapi asks for %s there, and takes the answer', async (resource) => {
    const metadata = make(resource);
    const asked: string[] = [];
    const response = await oauth.resourceDiscoveryRequest(new URL(resource), {
      async [oauth.customFetch](url, { method }) {
        asked.push(url);
        const found = metadata.answer({ method, url });
        return found === undefined ? new Response(null, { status: 404 }) : new Response(found.body, found);
      },
    });
    expect(asked).toHaveLength(1);
    const server = await oauth.processResourceDiscoveryResponse(new URL(resource), response);
    // Section 3.3: clients compare it with what they asked for, so it is the text that was given.
    expect(server).toMatchObject({ resource, authorization_servers: [idp] });
  });

  it.each(identifiers)('%s answers for no other identifier', async (resource) => {
    // Where the resource has no query, that of the request does not count.
    const placeOf = (identifier: string): string | undefined =>
      new URL(resource).search === '' ? make(identifier).path.split('?', 1)[0] : make(identifier).path;
    const others = identifiers.filter((other) => placeOf(other) !== placeOf(resource));
    const answered = others.filter((other) =>
      make(resource).answer({ method: 'GET', url: make(other).path }),
    );
    expect(answered).toEqual([]);
  });
});

it('section 3.1: two resources that differ in their query alone have a document each', () => {
  const [first, second] = [
    make('https://orders.example/r?tenant=1'),
    make('https://orders.example/r?tenant=2'),
  ];
  const resourceAt = (metadata: ProtectedResource, url: string): unknown => {
    const found = metadata.answer({ method: 'GET', url });
    return found && JSON.parse(found.body).resource;
  };
  expect(resourceAt(first, first.path)).toBe('https://orders.example/r?tenant=1');
  expect(resourceAt(second, second.path)).toBe('https://orders.example/r?tenant=2');
  for (const url of [second.path, first.path.replace('?tenant=1', ''), `${first.path}&a=b`]) {
    expect(resourceAt(first, url)).toBeUndefined();
  }
});

describe.each(Object.entries(metadataTransports))('section 3: through %s', (_name, makeTransport) => {
  it('oauth4webapi finds the document', async () => {
    const resource = 'https://orders.example/api/v1';
    const verifier = createVerifier({ issuer: { issuer, jwks: { keys: [key.publicJwk] } }, audience });
    const transport = await makeTransport({
      documents: [{ resource, authorizationServers: [idp], scopesSupported: ['orders:read'] }],
      verifier,
    });
    const response = await oauth.resourceDiscoveryRequest(new URL(resource), {
      async [oauth.customFetch](url, { method }) {
        const path = new URL(url).pathname;
        const { status, headers, body } = await transport.send({ method, path, authorization: undefined });
        return new Response(body, { status, headers: { 'content-type': headers['content-type'] ?? '' } });
      },
    });
    const found = await oauth.processResourceDiscoveryResponse(new URL(resource), response);
    await transport.close();
    expect(found.scopes_supported).toEqual(['orders:read']);
  });
});

describe('section 5: from a refusal to an access token', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections();
  });

  /** Listens first, since the identifier of the resource names the port. */
  async function serve(listenerFor: (origin: string) => RequestListener): Promise<string> {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', listenerFor(origin));
    return origin;
  }

  it('everything a client needs is found by asking, starting with the resource alone', async () => {
    const stub = await startIssuerStub(
      publishes(
        () => stub.url,
        () => ({ keys: [key.publicJwk] }),
      ),
    );
    const origin = await serve((url) => {
      const metadata = protectedResource({ resource: url, authorizationServers: stub.url });
      const protect = requireServiceAuth({
        issuer: stub.url,
        audience: url,
        resourceMetadata: `${url}/.well-known/oauth-protected-resource`,
      });
      return (request, response) =>
        metadata(request, response, () => protect(request, response, () => response.end('let in')));
    });
    const insecure = { [oauth.allowInsecureRequests]: true };
    const ask = (token: string): Promise<Response> =>
      oauth.protectedResourceRequest(
        token,
        'GET',
        new URL(`${origin}/orders`),
        undefined,
        undefined,
        insecure,
      );

    const refusal: unknown = await ask('no-token-of-anybody').catch((error: unknown) => error);
    if (!(refusal instanceof oauth.WWWAuthenticateChallengeError)) throw new Error('not refused');
    const [challenge] = refusal.cause;
    const place = challenge?.parameters.resource_metadata ?? '';
    const resource = await oauth.processResourceDiscoveryResponse(new URL(origin), await fetch(place));
    const [named = ''] = resource.authorization_servers ?? [];
    const found = await oauth.discoveryRequest(new URL(named), { algorithm: 'oauth2', ...insecure });
    const server = await oauth.processDiscoveryResponse(new URL(named), found);
    const token = await mint(key, { iss: server.issuer, aud: resource.resource, ...lasting() });
    const response = await ask(token);
    expect(await response.text()).toBe('let in');
    await stub.close();
  });
});

/** Times of the real clock, which the adapter above goes by. */
function lasting(): object {
  const now = Math.floor(Date.now() / 1000);
  return { iat: now, exp: now + 60 };
}

describe('options', () => {
  const good: ProtectedResourceOptions = { resource: 'https://orders.example', authorizationServers: idp };

  it.each<[string, object, string]>([
    ['no resource', { resource: undefined }, 'resource'],
    ['an empty resource', { resource: '' }, 'resource'],
    ['a resource that is no URL', { resource: 'orders' }, 'resource'],
    ['a resource without TLS', { resource: 'http://orders.example' }, 'resource'],
    ['a resource with a fragment', { resource: 'https://orders.example#a' }, 'resource'],
    ['a resource with an empty fragment', { resource: 'https://orders.example#' }, 'resource'],
    ['a resource with a user', { resource: 'https://me:pass-word@orders.example' }, 'resource'],
    ['a resource with a blank', { resource: ' https://orders.example' }, 'resource'],
    ['a list of resources', { resource: ['https://orders.example'] }, 'resource'],
    ['no authorization server in a list', { authorizationServers: [] }, 'authorizationServers'],
    ['an empty authorization server', { authorizationServers: [''] }, 'authorizationServers'],
    ['a number for it', { authorizationServers: 1 }, 'authorizationServers'],
    ['null for it', { authorizationServers: [null] }, 'authorizationServers'],
    ['scopes in no list', { scopesSupported: [] }, 'scopesSupported'],
    ['an empty scope', { scopesSupported: [''] }, 'scopesSupported'],
    ['an unknown algorithm', { dpopSigningAlgValuesSupported: ['ES257'] }, 'dpopSigningAlgValuesSupported'],
    ['none', { dpopSigningAlgValuesSupported: ['none'] }, 'dpopSigningAlgValuesSupported'],
    ['HS256', { dpopSigningAlgValuesSupported: ['HS256'] }, 'dpopSigningAlgValuesSupported'],
    ['no algorithm', { dpopSigningAlgValuesSupported: [] }, 'dpopSigningAlgValuesSupported'],
    ['yes', { dpopBoundAccessTokensRequired: 'yes' }, 'dpopBoundAccessTokensRequired'],
    ['1', { tlsClientCertificateBoundAccessTokens: 1 }, 'tlsClientCertificateBoundAccessTokens'],
    ['an empty name', { resourceName: ' ' }, 'resourceName'],
    ['documentation that is no text', { resourceDocumentation: {} }, 'resourceDocumentation'],
    ['an option that is not known', { scopes: ['orders:read'] }, 'scopes'],
    ['a misspelt option', { resouceName: 'Orders' }, 'did you mean resourceName?'],
  ])('%s: a TypeError that names it', (_name, changes, named) => {
    const options = { ...good, ...changes } as ProtectedResourceOptions;
    const failure = (): unknown => {
      try {
        return createProtectedResource(options);
      } catch (error) {
        return error;
      }
    };
    expect(failure()).toBeInstanceOf(TypeError);
    expect(String(failure())).toContain(named);
    expect(String(failure())).toContain('protectedResource: ');
    expect(String(failure())).not.toContain('pass-word');
    expect(() => protectedResource(options)).toThrow(TypeError);
  });

  it.each([undefined, null, 'https://orders.example', []])('%j is no options object', (options) => {
    expect(() => createProtectedResource(options as unknown as ProtectedResourceOptions)).toThrow(TypeError);
  });

  it('take the issuers from the environment, and say which variable was missing', () => {
    const { resource } = good;
    vi.stubEnv('SERVICE_AUTH_ISSUER', ` ${idp}  https://partner.example `);
    const found = createProtectedResource({ resource }).answer({
      method: 'GET',
      url: '/.well-known/oauth-protected-resource',
    });
    expect(JSON.parse(found?.body ?? '')).toMatchObject({
      authorization_servers: [idp, 'https://partner.example'],
    });
    vi.stubEnv('SERVICE_AUTH_ISSUER', '');
    expect(() => createProtectedResource({ resource })).toThrow('SERVICE_AUTH_ISSUER');
    vi.unstubAllEnvs();
  });

  it('are read once: later changes to them change nothing', () => {
    const authorizationServers = [idp];
    const options = { resource: 'https://orders.example', authorizationServers };
    const metadata = createProtectedResource(options);
    const read = (): unknown => metadata.answer({ method: 'GET', url: metadata.path })?.body;
    const before = read();
    authorizationServers.push('https://evil.example');
    options.resource = 'https://evil.example';
    expect(read()).toBe(before);
    expect(options).toEqual({ resource: 'https://evil.example', authorizationServers });
    expect(Object.isFrozen(metadata.answer({ method: 'GET', url: metadata.path }))).toBe(true);
  });
});
