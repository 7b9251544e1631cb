/** How an issuer writes scopes, client, audience and kind into its tokens; the RFCs leave room, and it is used. */
import type { JsonObject } from '../shared/json.ts';
import type { OptionChecker } from '../shared/options.ts';

/** Functions of the verified claims; what is left out is read as most issuers write it. */
export interface ClaimFunctions {
  /** Separated by spaces, or a list. */
  readonly scopes?: (claims: JsonObject) => string | readonly string[] | undefined;
  readonly clientId?: (claims: JsonObject) => string | undefined;
  readonly audience?: (claims: JsonObject) => string | readonly string[] | undefined;
  readonly kind?: (claims: JsonObject) => 'service' | 'user' | undefined;
}

export type ClaimsPreset = 'auth0' | 'entra' | 'okta' | 'cognito' | 'keycloak';
export type ClaimsOption = ClaimsPreset | ClaimFunctions;

export interface ClaimMapping {
  /** `undefined` where the claim is there but not of its type. */
  scopes(claims: JsonObject): string | readonly string[] | undefined;
  /** `null` where a function of the program failed; a client that is merely not known would escape a denial of it. */
  clientId(claims: JsonObject): string | null | undefined;
  /** `undefined` where the claim is there but not of its type. */
  audience(claims: JsonObject): readonly string[] | undefined;
  /** `null` where a function of the program failed. */
  isService(claims: JsonObject, clientId: string | undefined): boolean | null;
}

const clientClaims = ['client_id', 'azp', 'appid', 'cid'] as const;

/** Where `sub` is left out, as introspection may (RFC 7662 section 2.2), these say that there is a user all the same. */
const userClaims = [
  'username',
  'preferred_username',
  'email',
  'sid',
  'session_state',
  'auth_time',
  'act',
] as const;

/** What most issuers do (RFC 9068, RFC 8693 section 4.2 and 4.3). */
export const defaultMapping: ClaimMapping = Object.freeze({
  scopes(claims: JsonObject) {
    return asList(claims.scope ?? claims.scp ?? claims.scopes ?? claims.permissions ?? '');
  },
  clientId(claims: JsonObject) {
    // The first that is there counts, and is no client if it is no text.
    const name = clientClaims.find((claim) => claims[claim] !== undefined);
    return name === undefined ? undefined : asText(claims[name]);
  },
  audience(claims: JsonObject) {
    const { aud } = claims;
    if (aud === undefined) return [];
    if (typeof aud === 'string') return [aud];
    return isStrings(aud) ? aud : undefined;
  },
  /** A service's token names no other subject than its client (RFC 9068 section 2.2), or says what it is. */
  isService(claims: JsonObject, clientId: string | undefined) {
    if (claims.token_type === 'service') return true;
    if (claims.token_type === 'user' || clientId === undefined) return false;
    return claims.sub === undefined
      ? !userClaims.some((name) => claims[name] !== undefined)
      : claims.sub === clientId;
  },
});

const presets: Readonly<Record<ClaimsPreset, Partial<ClaimMapping>>> = {
  // The subject of an application is its client id with a suffix; `permissions` (RBAC) count where no scope is.
  auth0: {
    scopes: ({ scope, permissions }) =>
      asList(scope === undefined || scope === '' ? (permissions ?? '') : scope),
    isService: ({ gty, sub }, clientId) =>
      gty === 'client-credentials' || (clientId !== undefined && sub === `${clientId}@clients`),
  },
  // Delegated permissions are in `scp`, those of applications in `roles`; version 1 says appid, version 2 azp.
  entra: {
    scopes: ({ scp, roles }) => asList(scp ?? roles ?? ''),
    clientId: ({ azp, appid }) => asText(azp) ?? asText(appid),
    isService: ({ idtyp, scp, oid, sub }) =>
      idtyp === undefined ? scp === undefined && oid !== undefined && oid === sub : idtyp === 'app',
  },
  okta: {
    scopes: ({ scp }) => asList(scp ?? ''),
    clientId: ({ cid }) => asText(cid),
    isService: ({ sub, uid }, clientId) => uid === undefined && clientId !== undefined && sub === clientId,
  },
  // Without resource binding there is no aud: the resource servers are named in the scopes, before the last slash.
  cognito: {
    clientId: ({ client_id: clientId }) => asText(clientId),
    audience: (claims) =>
      claims.aud === undefined ? resourceServers(claims.scope) : defaultMapping.audience(claims),
    isService: ({ sub }, clientId) => clientId !== undefined && sub === clientId,
  },
  // The subject of a service account is the id of a user made for it. Users may choose their names, and such a one
  // too; but only tokens of client credentials name the client twice, and have no session.
  keycloak: {
    clientId: ({ azp, client_id: clientId }) => asText(azp) ?? asText(clientId),
    isService: (claims, clientId) =>
      clientId !== undefined &&
      claims.preferred_username === `service-account-${clientId.toLowerCase()}` &&
      (claims.client_id ?? claims.clientId) === clientId &&
      claims.sid === undefined &&
      claims.session_state === undefined,
  },
};

/** Resolves the `claims` option of an issuer. */
export function resolveClaimMapping(check: OptionChecker, option: ClaimsOption | undefined): ClaimMapping {
  if (option === undefined) return defaultMapping;
  if (typeof option === 'string') {
    const name = check.oneOf('claims', option, Object.keys(presets) as ClaimsPreset[]);
    return Object.freeze({ ...defaultMapping, ...presets[name] });
  }
  const given = check.object('claims', option, ['scopes', 'clientId', 'audience', 'kind']);
  for (const [name, value] of Object.entries(given)) check.function(`claims.${name}`, value);
  const read = {
    scopes: given.scopes && safely(given.scopes),
    clientId: given.clientId && safely(given.clientId),
    audience: given.audience && safely(given.audience),
    kind: given.kind && safely(given.kind),
  };
  const { scopes, clientId, audience, kind } = read;
  const mapping: Partial<ClaimMapping> = {
    ...(scopes && { scopes: (claims) => listOrNothing(scopes(claims)) }),
    ...(clientId && { clientId: (claims) => textOrNothing(clientId(claims)) }),
    ...(audience && { audience: (claims) => defaultMapping.audience({ aud: audience(claims) }) }),
    ...(kind && {
      isService(claims, client) {
        const said = kind(claims);
        if (said === undefined) return defaultMapping.isService(claims, client);
        return said === 'service' || (said === 'user' ? false : null);
      },
    }),
  };
  return Object.freeze({ ...defaultMapping, ...mapping });
}

/** A function may find nothing; what it finds must be a text. */
function textOrNothing(value: unknown): string | null | undefined {
  return value === undefined || typeof value === 'string' ? value : null;
}

/** What the program's function throws is a claim that cannot be read: `null` fits no type. */
function safely<T>(read: (claims: JsonObject) => T): (claims: JsonObject) => T | null {
  return (claims) => {
    try {
      return read(claims);
    } catch {
      return null;
    }
  };
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function asList(value: unknown): string | readonly string[] | undefined {
  return typeof value === 'string' || isStrings(value) ? value : undefined;
}

function listOrNothing(value: unknown): string | readonly string[] | undefined {
  return value === undefined ? '' : asList(value);
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function resourceServers(scope: unknown): readonly string[] {
  const names = typeof scope === 'string' ? scope.split(' ') : [];
  const ids = names.map((name) => name.slice(0, Math.max(name.lastIndexOf('/'), 0)));
  return [...new Set(ids.filter((id) => id !== ''))];
}
