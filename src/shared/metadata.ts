/** Authorization server metadata: RFC 8414 and OpenID Connect Discovery 1.0. */
import { isServiceAuthError, ServiceAuthError } from '../errors.ts';
import type { EndSignal } from './abort.ts';
import { assertSecureUrl, getJson, withoutQuery } from './http.ts';
import { endpointHint } from './issuer-hints.ts';
import { isObject, type JsonObject, own } from './json.ts';
import { createRemoteDocument, type RemoteDocument } from './remote-document.ts';
import type { Fetch } from './transport.ts';
import { parseUrl } from './url.ts';
import { urlDifference } from './url-difference.ts';

export interface ServerMetadata {
  readonly issuer: string;
  /**
   * A URL of the metadata, with `mutualTls` that for clients with a certificate, if there is one (RFC 8705
   * section 5). Judged when it is asked for: a fault in another one does no harm.
   *
   * @throws ServiceAuthError `response_malformed`, also where it is absent, and `insecure_url`
   */
  url(member: 'jwks_uri' | 'token_endpoint' | 'introspection_endpoint', mutualTls?: boolean): string;
}

/**
 * Where to look: one of the two well-known names, or the whole URL of the document.
 * Without it both names are tried, RFC 8414 first.
 */
export type Discovery = 'oauth-authorization-server' | 'openid-configuration' | (string & {});

export interface MetadataOptions {
  readonly issuer: string;
  readonly discovery?: Discovery | undefined;
  readonly fetch: Fetch;
  readonly now: () => number;
  readonly timeoutMs: number;
  /** Ends the fetch under way. */
  readonly signal?: EndSignal | undefined;
}

/** Makes the metadata document of one issuer; nothing is fetched before it is read. */
export function createMetadataDocument(options: MetadataOptions): RemoteDocument<ServerMetadata> {
  return createRemoteDocument({ load: () => discover(options), now: options.now });
}

async function discover(options: MetadataOptions): Promise<{ value: ServerMetadata }> {
  const { issuer, fetch, timeoutMs, signal, now } = options;
  let first: unknown;
  for (const url of metadataUrls(issuer, options.discovery)) {
    try {
      const { json } = await getJson(fetch, { url, timeoutMs, signal, now });
      return { value: readMetadata(issuer, url, json) };
    } catch (error) {
      signal?.throwIfAborted();
      // Of two places one is usually not there; what is wrong with the other one tells more.
      if (first === undefined || isNotFound(first)) first = error;
    }
  }
  throw withHint(first, issuer);
}

/** Where something else answers, the issuer may be named wrongly; where nothing does, its name is none to blame. */
function withHint(error: unknown, issuer: string): unknown {
  if (!isServiceAuthError(error)) return error;
  const { code, status = 500 } = error;
  const hint = code === 'response_malformed' || status < 500 ? endpointHint(issuer) : undefined;
  if (hint === undefined) return error;
  return new ServiceAuthError(error.code, `${error.message}; ${hint}`, error);
}

function isNotFound(error: unknown): boolean {
  return isServiceAuthError(error) && error.status === 404;
}

/** RFC 8414 section 3.1 puts the well-known part before the issuer's path, OpenID Connect behind it. */
export function metadataUrls(issuer: string, discovery?: Discovery): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.endsWith('/') ? pathname.slice(0, -1) : pathname;
  const oauth = `${origin}/.well-known/oauth-authorization-server${path}`;
  const openid = `${origin}${path}/.well-known/openid-configuration`;
  if (discovery === undefined) return [oauth, openid];
  if (discovery === 'oauth-authorization-server') return [oauth];
  return discovery === 'openid-configuration' ? [openid] : [discovery];
}

function readMetadata(issuer: string, url: string, json: JsonObject): ServerMetadata {
  const named = own(json, 'issuer');
  if (named !== issuer) {
    const said = typeof named === 'string' ? JSON.stringify(named.slice(0, 200)) : 'no issuer';
    throw new ServiceAuthError(
      'issuer_mismatch',
      `${withoutQuery(url)} names ${said}, but the configured issuer is ${JSON.stringify(issuer)}; ${mismatchHint(issuer, named)}`,
    );
  }
  const aliases = own(json, 'mtls_endpoint_aliases');
  const withAliases = isObject(aliases) ? aliases : {};
  return {
    issuer,
    url(member, mutualTls = false) {
      const source = mutualTls && own(withAliases, member) !== undefined ? withAliases : json;
      return readUrl(issuer, url, source, member);
    },
  };
}

const EQUAL = 'they must be equal to the byte';

function mismatchHint(issuer: string, named: unknown): string {
  const name = typeof named === 'string' ? named : '';
  // Entra answers so for common, organizations and consumers, which stand for tenants and are none.
  if (name.includes('{tenantid}')) {
    return `${EQUAL}; name the tenants: tenants, and {tenant} in the issuer in the place of {tenantid}`;
  }
  return urlDifference(issuer, name) ?? EQUAL;
}

/** An issuer on https cannot send credentials or trust to plain http, loopback or not. */
function readUrl(issuer: string, url: string, json: JsonObject, member: string): string {
  const value = own(json, member);
  if (value === undefined || value === null) {
    throw new ServiceAuthError('response_malformed', `the metadata of ${issuer} has no ${member}`);
  }
  if (typeof value !== 'string' || parseUrl(value) === undefined) {
    throw new ServiceAuthError('response_malformed', `${withoutQuery(url)}: ${member} is not a URL`);
  }
  assertSecureUrl(value);
  if (issuer.startsWith('https:') && !value.startsWith('https:')) {
    throw new ServiceAuthError(
      'insecure_url',
      `${withoutQuery(url)}: ${member} must be https like its issuer`,
    );
  }
  return value;
}
