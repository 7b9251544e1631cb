/** From a token to what it says: verified by its issuer's keys or introspected, and kept until it must be asked anew. */
import { Fault } from '../shared/fault.ts';
import { type JsonObject, own } from '../shared/json.ts';
import type { KeySet } from '../shared/key-set.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import { OptionChecker } from '../shared/options.ts';
import { UndecidedError } from '../shared/undecided.ts';
import { type Binding, readBinding } from './binding.ts';
import type { Caller } from './caller.ts';
import { type ClaimRules, checkFixed, checkTimes, readCaller, usableUntilMs } from './claims.ts';
import { checkLength, checkSpelling } from './credentials.ts';
import { DAY_MS, type DenyList } from './deny-list.ts';
import { createJwtVerifier } from './jwt.ts';
import type { AcceptedOutcome } from './outcomes.ts';
import type { StatusCheck } from './status-list.ts';
import type { TokenCache } from './token-cache.ts';
import { signedPart } from './token-key.ts';
import type { ResolvedIssuer } from './trusted-issuers.ts';

/** A token that verified. Whatever may change about it is asked again on every request. */
export interface AcceptedToken {
  readonly outcome: AcceptedOutcome;
  readonly caller: Caller;
  /** Of the key that verified it; introspected tokens have none. */
  readonly key: { readonly retired: boolean };
  /** The key set that it belongs to, which must be kept fresh. */
  readonly keys: Pick<KeySet, 'areUsable'>;
  /** A clock that shows less than this, in epoch milliseconds, was set back: then the times are checked again. */
  readonly verifiedAtMs: number;
  /** From then on its times must be checked again, in epoch milliseconds. */
  readonly usableUntilMs: number;
  /** From then on it must be verified anew, in epoch milliseconds. */
  readonly believedUntilMs: number;
  readonly binding: Binding | undefined;
  readonly status: StatusCheck | undefined;
  accessTokenHash: string | undefined;
  /** How many keys were denied when it was last seen not to be among them. */
  keysDenied: number;
}

export interface TokenRules extends ClaimRules {
  readonly typ: readonly string[] | 'any';
  readonly issuers: ReadonlyMap<string, ResolvedIssuer>;
  readonly now: () => number;
  readonly cache: TokenCache<AcceptedToken> | undefined;
  readonly denyList: DenyList;
}

export interface TokenVerifier {
  /** A token that verified before, judged by the clock again; `undefined` where it must be verified. */
  find(token: string): AcceptedToken | Fault | undefined;
  /**
   * Verifies a token: synchronous where everything needed is in memory.
   *
   * @throws UndecidedError (or rejects) where keys or introspection are out of reach.
   */
  verify(token: string): MaybePromise<AcceptedToken | Fault>;
  /** How often something was invalidated so far. */
  invalidations(): number;
  /** Whether a token that verified was invalidated since. */
  recheck(accepted: AcceptedToken, token: string): Fault | undefined;
  /** Forgets tokens and refuses them from now on. @throws ServiceAuthError `deny_list_full` */
  invalidate(what: Invalidation): void;
}

/**
 * What is no longer to be accepted: one token, by itself, its `tokenKey` or its `jti`, or all that a client was issued
 * up to now, or up to a time of the past in epoch milliseconds.
 */
export type Invalidation =
  | string
  | {
      readonly tokenKey: string;
      readonly jti?: never;
      readonly clientId?: never;
      readonly issuedUntil?: never;
    }
  | {
      readonly jti: string;
      readonly tokenKey?: never;
      readonly clientId?: never;
      readonly issuedUntil?: never;
    }
  | {
      readonly clientId: string;
      readonly issuedUntil?: number | undefined;
      readonly tokenKey?: never;
      readonly jti?: never;
    };

const members = ['jti', 'clientId', 'tokenKey', 'issuedUntil'];

/** What introspected tokens have instead of a key. */
const introspected = Object.freeze({ retired: false, areUsable: () => true });

export function createTokenVerifier(rules: TokenRules): TokenVerifier {
  const { now, cache, denyList, issuers } = rules;
  const jwts = createJwtVerifier(issuers, rules.typ);
  let keysDenied = 0;
  const opaqueIssuer = [...issuers.values()].find(({ introspector }) => introspector !== undefined);

  function find(token: string): AcceptedToken | Fault | undefined {
    const known = cache?.get(token);
    if (known === undefined || known.key.retired || !known.keys.areUsable()) return undefined;
    if (known.keysDenied !== keysDenied) {
      if (denyList.denies(known.caller, token)) {
        cache?.delete(token);
        return invalidated(known.caller);
      }
      known.keysDenied = keysDenied;
    }
    const time = now();
    if (time < known.usableUntilMs && time >= known.verifiedAtMs) return known;
    if (time >= known.believedUntilMs) return undefined;
    // By a clock set back the answer of introspection would be believed for as long as that is.
    const earliestMs = known.verifiedAtMs - rules.clockToleranceSeconds * 1000;
    if (known.key === introspected && time < earliestMs) return undefined;
    return checkTimes(known.caller, rules, time) ?? known;
  }

  function verify(token: string): MaybePromise<AcceptedToken | Fault> {
    const tooLarge = checkLength(token);
    if (tooLarge !== undefined) return tooLarge;
    const jwt = jwts.parse(token);
    if (jwt instanceof Fault) return jwt.reason === 'malformed_token' ? verifyOpaque(token, jwt) : jwt;
    const { issuer, claims } = jwt;
    if (issuer.introspectsJwts) return introspect(token, issuer);
    return andThen(jwts.verify(jwt), (key) =>
      key instanceof Fault ? key : accept(token, issuer, claims, key, Number.POSITIVE_INFINITY),
    );
  }

  /** A token that is no JWT may be no token at all: then the request is malformed, not the token invalid. */
  function verifyOpaque(token: string, malformed: Fault): MaybePromise<AcceptedToken | Fault> {
    const misspelt = checkSpelling(token);
    if (misspelt !== undefined) return misspelt;
    return opaqueIssuer === undefined ? malformed : introspect(token, opaqueIssuer);
  }

  function introspect(token: string, issuer: ResolvedIssuer): MaybePromise<AcceptedToken | Fault> {
    const { introspector } = issuer;
    if (introspector === undefined) return new Fault('introspection', 'inactive_token');
    return andThen(introspector.introspect(token), (answer) => {
      if (answer instanceof Fault) return answer;
      const verdict = accept(token, issuer, answer.claims, introspected, answer.believedUntilMs);
      if (verdict instanceof Fault) introspector.refuse(token, verdict);
      return verdict;
    });
  }

  function accept(
    token: string,
    issuer: ResolvedIssuer,
    claims: JsonObject,
    key: AcceptedToken['key'],
    believedUntilMs: number,
  ): AcceptedToken | Fault {
    // Introspection may leave `exp` out: then the token is good for as long as the answer is believed.
    const fallback = key === introspected ? believedUntilMs / 1000 : undefined;
    const caller = readCaller(claims, issuer.issuer, issuer.mapping, token, fallback);
    if (caller instanceof Fault)
      return key === introspected ? malformedAnswer(token, caller, issuer) : caller;
    const time = now();
    const fault = checkTimes(caller, rules, time, claims) ?? checkFixed(caller, rules, claims);
    if (fault !== undefined) return fault;
    const binding = readBinding(claims, caller);
    if (binding instanceof Fault) return binding;
    const status = issuer.statusLists?.check(claims);
    if (status instanceof Fault) return status;
    if (denyList.denies(caller, token)) return invalidated(caller);
    const accepted: AcceptedToken = {
      outcome: Object.freeze({ ok: true, caller }),
      caller,
      key,
      keys: key === introspected ? introspected : issuer.keys,
      verifiedAtMs: time,
      usableUntilMs: Math.min(usableUntilMs(caller, rules), believedUntilMs),
      believedUntilMs,
      binding,
      status,
      accessTokenHash: undefined,
      keysDenied,
    };
    cache?.set(token, accepted);
    return accepted;
  }

  /** Claims of the wrong type are the endpoint's fault, not the token's. */
  function malformedAnswer(
    token: string,
    { expected }: Fault,
    { issuer, introspector }: ResolvedIssuer,
  ): never {
    const message = `the answer does not have ${expected}`;
    const undecided = new UndecidedError('introspection_unavailable', message, { issuer });
    introspector?.refuse(token, undecided);
    throw undecided;
  }

  function invalidate(what: Invalidation): void {
    const check = new OptionChecker('invalidate');
    if (typeof what !== 'string') {
      const { issuedUntil, ...named } = check.object('argument', what, members);
      const [member = 'jti', ...more] = Object.keys(named);
      const isMixed = more.length > 0 || (issuedUntil !== undefined && member !== 'clientId');
      if (isMixed) check.fail('argument', 'a token, { jti } or { clientId }', what);
      const value = check.string(member, own(named, member));
      if (member === 'tokenKey') {
        // To compare it would take a digest of every cached token: each is asked when it comes again.
        keysDenied++;
        denyList.add({ tokenKey: value });
        return;
      }
      if (issuedUntil !== undefined) {
        check.number('issuedUntil', issuedUntil, 0, Number.MAX_SAFE_INTEGER, 'epoch milliseconds');
      }
      let expiresAt: number | undefined;
      const matches = (known: AcceptedToken): boolean => {
        const { tokenId, clientId } = known.caller;
        if (value !== (member === 'jti' ? tokenId : clientId)) return false;
        expiresAt = Math.max(expiresAt ?? now() + DAY_MS, expiryOf(known) ?? 0);
        return true;
      };
      cache?.deleteIf(matches);
      denyList.add(member === 'jti' ? { jti: value } : { clientId: value, issuedUntil }, expiresAt);
      return;
    }
    if (what === '') check.failSecret('token', 'a non-empty string');
    const signed = signedPart(what);
    let expiresAt: number | undefined;
    cache?.deleteIf((known) => {
      const { token } = known.caller;
      if (!token.startsWith(signed) || signedPart(token) !== signed) return false;
      expiresAt = expiryOf(known);
      return true;
    });
    for (const { introspector } of issuers.values()) introspector?.forget(what);
    denyList.add({ token: what }, expiresAt);
  }

  return {
    find,
    verify,
    invalidate,
    invalidations: () => denyList.additions,
    recheck: ({ caller }, token) => (denyList.denies(caller, token) ? invalidated(caller) : undefined),
  };
}

function invalidated(caller: Caller): Fault {
  return new Fault('status', 'invalidated', 'a token that was not invalidated', undefined, caller);
}

/** In epoch milliseconds; `undefined` for an introspected token whose answer does not say. */
function expiryOf({ caller, key }: AcceptedToken): number | undefined {
  const isSaid = key !== introspected || own(caller.claims, 'exp') !== undefined;
  return isSaid ? caller.expiresAt * 1000 : undefined;
}
