/** The metadata of a protected resource (RFC 9728) as it is answered, and what is said of mistakes in it. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  createProtectedResource,
  isOptionError,
  type ProtectedResource,
  type ProtectedResourceOptions,
} from '../../../src/index.ts';
import { keyAlgorithms } from '../../../src/shared/crypto.ts';

const resource = 'https://orders.example/api';
const idp = 'https://idp.example';
const path = '/.well-known/oauth-protected-resource/api';
const make = (more: object = {}): ProtectedResource =>
  createProtectedResource({ resource, authorizationServers: idp, ...more } as ProtectedResourceOptions);
const documentOf = (more: object): unknown =>
  JSON.parse(make(more).answer({ method: 'GET', url: path })?.body ?? 'null');

afterEach(() => void vi.unstubAllEnvs());

describe('the answer', () => {
  it.each(['GET', 'HEAD'])('to %s is the document', (method) => {
    const answer = make().answer({ method, url: path });
    expect(answer).toEqual({
      status: 200,
      headers: {
        'Content-Type': 'application/json',
        'Cache-Control': 'max-age=3600',
        'Access-Control-Allow-Origin': '*',
      },
      body: JSON.stringify({ resource, authorization_servers: [idp], bearer_methods_supported: ['header'] }),
    });
    expect(Object.isFrozen(answer?.headers)).toBe(true);
  });

  it('to OPTIONS is what browsers ask before', () => {
    expect(make().answer({ method: 'OPTIONS', url: path })).toEqual({
      status: 200,
      headers: {
        Allow: 'GET, HEAD, OPTIONS',
        'Access-Control-Allow-Origin': '*',
        'Access-Control-Allow-Methods': 'GET, HEAD',
        'Access-Control-Allow-Headers': '*',
        'Access-Control-Max-Age': '3600',
      },
      body: '',
    });
  });

  it.each(['POST', 'PUT', 'DELETE', 'get', ''])('to %j is that it is not allowed', (method) => {
    expect(make().answer({ method, url: path })).toEqual({
      status: 405,
      headers: { Allow: 'GET, HEAD, OPTIONS', 'Access-Control-Allow-Origin': '*' },
      body: '',
    });
  });

  it.each([
    '/',
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/api/',
    `/behind${path}`,
    `/?url=${path}`,
    'http://[::1/.well-known/oauth-protected-resource/api',
  ])('%s is somewhere else', (url) => {
    expect(make().answer({ method: 'GET', url })).toBeUndefined();
  });

  it.each([path, `${path}?a=b`, `https://orders.example${path}`, `http://elsewhere.example${path}#a`])(
    '%s is here',
    (url) => {
      expect(make().answer({ method: 'GET', url })).toMatchObject({ status: 200 });
    },
  );

  it.each([
    ['https://orders.example', '/.well-known/oauth-protected-resource', ''],
    ['https://orders.example/', '/.well-known/oauth-protected-resource', ''],
    ['https://orders.example/a/', '/.well-known/oauth-protected-resource/a/', ''],
    ['https://orders.example/a?b=c', '/.well-known/oauth-protected-resource/a', '?b=c'],
  ])('about %s is at %s%s', (identifier, place, query) => {
    const { path: found, answer } = make({ resource: identifier });
    expect(found).toBe(place + query);
    expect(answer({ method: 'GET', url: found })?.body).toContain(`"resource":"${identifier}"`);
    expect(answer({ method: 'GET', url: `${place}?b=d` }) === undefined).toBe(query !== '');
  });

  it('takes its issuers from the environment where none are given', () => {
    vi.stubEnv('SERVICE_AUTH_ISSUER', `${idp} https://partner.example`);
    expect(documentOf({ authorizationServers: undefined })).toMatchObject({
      authorization_servers: [idp, 'https://partner.example'],
    });
  });

  it('says every member that is given', () => {
    const options = {
      authorizationServers: [idp, 'https://partner.example'],
      scopesSupported: ['orders:read orders:write', 'stock'],
      dpopSigningAlgValuesSupported: ['ES256', 'RS256'],
      dpopBoundAccessTokensRequired: false,
      tlsClientCertificateBoundAccessTokens: true,
      resourceName: 'Orders',
      resourceDocumentation: 'https://orders.example/docs',
    };
    expect(documentOf(options)).toEqual({
      resource,
      authorization_servers: [idp, 'https://partner.example'],
      scopes_supported: ['orders:read', 'orders:write', 'stock'],
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: ['ES256', 'RS256'],
      dpop_bound_access_tokens_required: false,
      tls_client_certificate_bound_access_tokens: true,
      resource_name: 'Orders',
      resource_documentation: 'https://orders.example/docs',
    });
  });
});

describe('mistakes', () => {
  const texts = 'a non-empty string or a non-empty list of them';
  const httpsUrl = 'an https URL (plain http only on loopback addresses)';
  const known =
    'resource, authorizationServers, scopesSupported, dpopSigningAlgValuesSupported, ' +
    'dpopBoundAccessTokensRequired, tlsClientCertificateBoundAccessTokens, resourceName, resourceDocumentation';
  const algorithms = keyAlgorithms.map((name) => `'${name}'`).join(', ');

  function mistakeOf(options: unknown): readonly [code: string, message: string] {
    try {
      createProtectedResource(options as ProtectedResourceOptions);
    } catch (error) {
      if (!isOptionError(error)) throw error;
      return [error.code, error.message.replace(` (npx service-auth explain ${error.code})`, '')];
    }
    throw new Error('it was accepted');
  }

  it.each<[object, string, string?]>([
    [{ resource: undefined }, `resource must be ${httpsUrl}; got undefined`],
    [
      { resource: 'http://orders.example' },
      `resource must be ${httpsUrl}; got "http://orders.example"`,
      'url_not_https',
    ],
    [{ resource: `${resource}#` }, `resource must be a URL without fragment; got "${resource}#"`],
    [{ authorizationServers: [] }, `authorizationServers must be ${texts}; got []`],
    [
      { authorizationServers: [idp, 'idp'] },
      `authorizationServers must be ${httpsUrl}; got "idp"; is https:// missing?`,
      'issuer_not_url',
    ],
    [{ scopesSupported: [] }, `scopesSupported must be ${texts}; got []`],
    [{ scopesSupported: ['"'] }, 'scopesSupported must be of the characters of RFC 6749; got "\\""'],
    [{ dpopSigningAlgValuesSupported: [] }, `dpopSigningAlgValuesSupported must be ${texts}; got []`],
    [
      { dpopSigningAlgValuesSupported: ['none'] },
      `dpopSigningAlgValuesSupported must be one of ${algorithms}; got "none"`,
    ],
    [{ dpopBoundAccessTokensRequired: 1 }, 'dpopBoundAccessTokensRequired must be true or false; got 1'],
    [
      { tlsClientCertificateBoundAccessTokens: 1 },
      'tlsClientCertificateBoundAccessTokens must be true or false; got 1',
    ],
    [{ resourceName: ' ' }, 'resourceName must be a non-empty string; got " "'],
    [
      { resourceDocumentation: 'docs' },
      `resourceDocumentation must be ${httpsUrl}; got "docs"; is https:// missing?`,
    ],
    [{ a: 1 }, `unknown option a in options; known are ${known}`, 'option_unknown'],
  ])('%j', (more, message, code = 'option_invalid') => {
    const given = { resource, authorizationServers: idp, ...more };
    expect(mistakeOf(given)).toEqual([code, `protectedResource: ${message}`]);
  });

  it('no options, and no issuer in the environment', () => {
    expect(mistakeOf(7)).toEqual(['option_invalid', 'protectedResource: options must be an object; got 7']);
    vi.stubEnv('SERVICE_AUTH_ISSUER', ' ');
    expect(mistakeOf({ resource })).toEqual([
      'option_missing',
      'protectedResource: authorizationServers is required; give it or set SERVICE_AUTH_ISSUER',
    ]);
  });
});
