import { listFromEnvironment, missing } from '../environment.ts';
import { type KeyAlgorithm, keyAlgorithms } from '../shared/crypto.ts';
import { OptionChecker } from '../shared/options.ts';
import { readScopeNames } from '../shared/scope.ts';
import { parseUrl } from '../shared/url.ts';
import { checkIssuerUrl, checkSecureUrl } from '../shared/url-options.ts';
import type { HttpAnswer } from './challenge.ts';

/** What a service says about itself to clients that look for it (RFC 9728 section 2). */
export interface ProtectedResourceOptions {
  /** The resource identifier: an https URL without fragment, as clients name it. */
  readonly resource: string;
  /** The issuers whose tokens are accepted. @default SERVICE_AUTH_ISSUER */
  readonly authorizationServers?: string | readonly string[] | undefined;
  /** Scopes that clients may ask for. @default not said */
  readonly scopesSupported?: readonly string[] | undefined;
  /** Algorithms of DPoP proofs. @default not said */
  readonly dpopSigningAlgValuesSupported?: readonly KeyAlgorithm[] | undefined;
  /** Whether every token must be bound to a DPoP key. @default not said */
  readonly dpopBoundAccessTokensRequired?: boolean | undefined;
  /** Whether tokens bound to a TLS client certificate are taken. @default not said */
  readonly tlsClientCertificateBoundAccessTokens?: boolean | undefined;
  readonly resourceName?: string | undefined;
  /** URL of what developers should read. */
  readonly resourceDocumentation?: string | undefined;
}

export interface ProtectedResource {
  /** Where clients look: the well-known path with path and query of the resource behind it (RFC 9728 section 3.1). */
  readonly path: string;
  /** The answer to a request, `undefined` for other paths. A query counts where the resource has one. */
  answer(request: { readonly method: string; readonly url: string }): HttpAnswer | undefined;
}

const known = [
  'resource',
  'authorizationServers',
  'scopesSupported',
  'dpopSigningAlgValuesSupported',
  'dpopBoundAccessTokensRequired',
  'tlsClientCertificateBoundAccessTokens',
  'resourceName',
  'resourceDocumentation',
] as const satisfies readonly (keyof ProtectedResourceOptions)[];

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/**
 * Makes the metadata document of a protected resource; what every adapter's `protectedResource` is built on.
 *
 * Not checked: that the verifier of the routes accepts what is said here. RFC 9728.
 *
 * @throws TypeError that names the option, the rule and the value.
 *
 * @example
 * ```ts
 * import { createProtectedResource } from 'service-auth';
 *
 * const metadata = createProtectedResource({
 *   resource: 'https://orders.example',
 *   authorizationServers: 'https://idp.example',
 *   scopesSupported: ['orders:read'],
 * });
 *
 * export const whereClientsLook = metadata.path;
 * ```
 */
export function createProtectedResource(given: ProtectedResourceOptions): ProtectedResource {
  const check = new OptionChecker('protectedResource');
  const options = check.object('options', given, known);
  const resource = readResource(check, options.resource);
  const { pathname, search } = new URL(resource);
  const path = `${WELL_KNOWN}${pathname === '/' ? '' : pathname}`;
  const body = JSON.stringify({ resource, ...readMembers(check, options) });
  const found: HttpAnswer = Object.freeze({
    status: 200,
    headers: Object.freeze({
      'Content-Type': 'application/json',
      'Cache-Control': 'max-age=3600',
      ...anyOrigin,
    }),
    body,
  });
  return Object.freeze({
    path: `${path}${search}`,
    answer({ method, url }) {
      // Nearly every request is for something else, and parsing costs more than looking.
      const asked = url.includes(WELL_KNOWN) ? parseUrl(url, 'http://localhost') : undefined;
      if (asked?.pathname !== path || (search !== '' && asked.search !== search)) return undefined;
      if (method === 'GET' || method === 'HEAD') return found;
      return method === 'OPTIONS' ? preflight : notAllowed;
    },
  } satisfies ProtectedResource);
}

/** The document is public by design; clients in browsers look for it too. */
const anyOrigin = { 'Access-Control-Allow-Origin': '*' };

/** To what browsers ask before a request with a header of its own. */
const preflight: HttpAnswer = Object.freeze({
  status: 200,
  headers: Object.freeze({
    Allow: 'GET, HEAD, OPTIONS',
    ...anyOrigin,
    'Access-Control-Allow-Methods': 'GET, HEAD',
    'Access-Control-Allow-Headers': '*',
    'Access-Control-Max-Age': '3600',
  }),
  body: '',
});

const notAllowed: HttpAnswer = Object.freeze({
  status: 405,
  headers: Object.freeze({ Allow: 'GET, HEAD, OPTIONS', ...anyOrigin }),
  body: '',
});

function readResource(check: OptionChecker, value: unknown): string {
  const resource = checkSecureUrl(check, 'resource', value);
  return resource.includes('#') ? check.fail('resource', 'a URL without fragment', resource) : resource;
}

function readMembers(check: OptionChecker, options: ProtectedResourceOptions): Record<string, unknown> {
  const servers = options.authorizationServers ?? listFromEnvironment('SERVICE_AUTH_ISSUER');
  if (servers === undefined)
    throw missing('protectedResource', 'authorizationServers', 'SERVICE_AUTH_ISSUER');
  const strings = (name: keyof ProtectedResourceOptions): unknown =>
    options[name] === undefined ? undefined : check.strings(name, options[name]);
  const string = (name: keyof ProtectedResourceOptions): unknown =>
    options[name] === undefined ? undefined : check.string(name, options[name]);
  const boolean = (name: keyof ProtectedResourceOptions): unknown =>
    options[name] === undefined ? undefined : check.boolean(name, options[name]);
  const algorithms = 'dpopSigningAlgValuesSupported';
  for (const algorithm of check.strings(algorithms, options[algorithms] ?? keyAlgorithms)) {
    check.oneOf(algorithms, algorithm, keyAlgorithms);
  }
  const { scopesSupported: scopes, resourceDocumentation: documentation } = options;
  return {
    authorization_servers: check
      .strings('authorizationServers', servers)
      .map((issuer) => checkIssuerUrl(check, issuer, 'authorizationServers')),
    scopes_supported: scopes && readScopeNames(check, 'scopesSupported', scopes),
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: strings('dpopSigningAlgValuesSupported'),
    dpop_bound_access_tokens_required: boolean('dpopBoundAccessTokensRequired'),
    tls_client_certificate_bound_access_tokens: boolean('tlsClientCertificateBoundAccessTokens'),
    resource_name: string('resourceName'),
    resource_documentation: documentation && checkSecureUrl(check, 'resourceDocumentation', documentation),
  };
}
