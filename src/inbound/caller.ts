import { deepFreeze, type JsonObject } from '../shared/json.ts';

export interface CallerFields {
  readonly issuer: string;
  readonly subject: string | undefined;
  readonly clientId: string | undefined;
  readonly kind: 'service' | 'user';
  readonly audience: readonly string[];
  /** Separated by spaces, or a list. */
  readonly scopes: string | readonly string[];
  readonly expiresAt: number;
  readonly issuedAt: number | undefined;
  readonly tokenId: string | undefined;
  readonly scheme: 'Bearer' | 'DPoP';
  readonly claims: JsonObject;
}

/**
 * Who calls: what a verified access token says, frozen to its leaves, since requests share it.
 *
 * `token` and `claims` are no own properties: they reach no log, no JSON and no spread copy by accident.
 *
 * @example
 * ```ts
 * import type { Caller } from 'service-auth';
 *
 * export const mayDelete = (caller: Caller): boolean =>
 *   caller.kind === 'service' && caller.hasScope('orders:write');
 * ```
 */
export interface Caller {
  readonly issuer: string;
  /** `sub` (RFC 7519 section 4.1.2). */
  readonly subject: string | undefined;
  readonly clientId: string | undefined;
  /** `service` where the client acts for itself, `user` where it acts for somebody. */
  readonly kind: 'service' | 'user';
  readonly audience: readonly string[];
  readonly scopes: ReadonlySet<string>;
  /** `exp`, in epoch seconds. */
  readonly expiresAt: number;
  /** `iat`, in epoch seconds. */
  readonly issuedAt: number | undefined;
  /** `jti` (RFC 7519 section 4.1.7). */
  readonly tokenId: string | undefined;
  readonly scheme: 'Bearer' | 'DPoP';
  /** `cnf` (RFC 7800): the key or certificate that the token is bound to. */
  readonly confirmation: JsonObject | undefined;
  /** `act` (RFC 8693 section 4.1): who acts for the subject. */
  readonly actor: JsonObject | undefined;
  /** Every claim as the token has it; no own property, since claims may be personal. */
  readonly claims: JsonObject;
  /** The access token itself, for token exchange; no own property either. */
  readonly token: string;
  hasScope(scope: string): boolean;
}

/** The one that a verifier makes. */
export class VerifiedCaller implements Caller {
  readonly issuer: string;
  readonly subject: string | undefined;
  readonly clientId: string | undefined;
  readonly kind: 'service' | 'user';
  readonly audience: readonly string[];
  readonly scopes: ReadonlySet<string>;
  readonly expiresAt: number;
  readonly issuedAt: number | undefined;
  readonly tokenId: string | undefined;
  readonly scheme: 'Bearer' | 'DPoP';
  readonly confirmation: JsonObject | undefined;
  readonly actor: JsonObject | undefined;
  readonly #claims: JsonObject;
  readonly #token: string;

  constructor(fields: CallerFields, token: string) {
    this.issuer = fields.issuer;
    this.subject = fields.subject;
    this.clientId = fields.clientId;
    this.kind = fields.kind;
    this.audience = Object.freeze(fields.audience);
    this.scopes = toScopeSet(fields.scopes);
    this.expiresAt = fields.expiresAt;
    this.issuedAt = fields.issuedAt;
    this.tokenId = fields.tokenId;
    this.scheme = fields.scheme;
    this.confirmation = asObject(fields.claims.cnf);
    this.actor = asObject(fields.claims.act);
    this.#claims = fields.claims;
    this.#token = token;
    Object.freeze(this);
  }

  get claims(): JsonObject {
    // Frozen when somebody looks, which few requests do.
    return Object.isFrozen(this.#claims) ? this.#claims : deepFreeze(this.#claims);
  }

  get token(): string {
    return this.#token;
  }

  /** Node's inspection can be told to call getters; it must find neither the token nor the claims. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return { ...this };
  }

  hasScope(scope: string): boolean {
    return this.scopes.has(scope);
  }
}

function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? deepFreeze(value as JsonObject)
    : undefined;
}

const scopeSets = new Map<string, ReadonlySet<string>>();
const MOST_SCOPE_SETS = 256;

/** Services see few distinct scope texts, and their sets cannot be changed, so that callers may share them. */
function toScopeSet(scopes: string | readonly string[]): ReadonlySet<string> {
  if (typeof scopes !== 'string') return new ScopeSet(scopes);
  let set = scopeSets.get(scopes);
  if (set !== undefined) return set;
  set = new ScopeSet(scopes.split(' ').filter((scope) => scope !== ''));
  if (scopeSets.size >= MOST_SCOPE_SETS) scopeSets.clear();
  scopeSets.set(scopes, set);
  return set;
}

/** A set that no one can change, not even with the methods of `Set.prototype`: the names are private. */
class ScopeSet implements ReadonlySet<string> {
  readonly #names: ReadonlySet<string>;

  constructor(scopes: Iterable<string>) {
    this.#names = new Set(scopes);
    Object.freeze(this);
  }

  get size(): number {
    return this.#names.size;
  }

  has(scope: string): boolean {
    return this.#names.has(scope);
  }

  forEach(visit: (scope: string, key: string, set: ReadonlySet<string>) => void, self?: unknown): void {
    for (const scope of this.#names) visit.call(self, scope, scope, this);
  }

  keys(): SetIterator<string> {
    return this.#names.keys();
  }

  values(): SetIterator<string> {
    return this.#names.values();
  }

  entries(): SetIterator<[string, string]> {
    return this.#names.entries();
  }

  [Symbol.iterator](): SetIterator<string> {
    return this.#names.values();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): ReadonlySet<string> {
    return new Set(this.#names);
  }

  /** As a list, which a `Set` in JSON is not. */
  toJSON(): readonly string[] {
    return [...this.#names];
  }
}
