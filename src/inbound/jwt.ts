/** Access-token JWTs (RFC 9068, RFC 7519): header rules, key choice, signature, claims, in this order. */
import { Fault } from '../shared/fault.ts';
import { type JsonObject, parseJsonObject } from '../shared/json.ts';
import { type Jws, type JwsHeader, parseJws } from '../shared/jws.ts';
import type { KeySet, VerificationKey } from '../shared/key-set.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import type { Caller } from './caller.ts';
import { type ClaimRules, checkFixed, checkTimes, checkTyp, readCaller } from './claims.ts';

/** An issuer whose tokens are believed, resolved from its options. */
export interface JwtIssuer {
  readonly issuer: string;
  readonly algorithms: ReadonlySet<string>;
  readonly keys: KeySet;
}

export interface JwtRules extends ClaimRules {
  readonly typ: readonly string[] | 'any';
  readonly issuers: ReadonlyMap<string, JwtIssuer>;
  readonly now: () => number;
}

/** A token that passed, with the key that its signature held under. */
export interface VerifiedToken {
  readonly caller: Caller;
  readonly key: VerificationKey;
}

const MOST_KNOWN_HEADERS = 256;

/**
 * Makes the function that verifies one token: synchronous where its issuer's keys are in memory.
 *
 * @throws ServiceAuthError (or rejects) where the keys cannot be known now.
 */
export function createJwtVerifier(rules: JwtRules): (token: string) => MaybePromise<VerifiedToken | Fault> {
  const knownHeaders = new Map<string, JwsHeader>();
  const issuerNames = [...rules.issuers.keys()].join(' or ');

  function verify(token: string): MaybePromise<VerifiedToken | Fault> {
    const jws = parseJws(token, knownHeaders);
    if (jws instanceof Fault) return jws;
    const claims = parseJsonObject(jws.payload);
    if (claims === undefined) return new Fault('token', 'malformed_token', 'a payload that is a JSON object');
    const { alg, kid, typ } = jws.header;
    // The issuer is compared before anything is fetched: a token cannot make this service call anywhere.
    const named = claims.iss;
    const issuer = typeof named === 'string' ? rules.issuers.get(named) : undefined;
    if (issuer === undefined) {
      return new Fault('claims', 'unknown_issuer', issuerNames, typeof named === 'string' ? named : 'none');
    }
    if (!issuer.algorithms.has(alg)) {
      return new Fault('key', 'algorithm_not_allowed', [...issuer.algorithms].join(' '), alg);
    }
    const wrongTyp = jws.headerKnown ? undefined : checkTyp(typ, rules.typ);
    if (wrongTyp !== undefined) return wrongTyp;
    return andThen(issuer.keys.find(alg, kid), (keys) => {
      if (keys.length === 0)
        return new Fault('key', 'unknown_key', `a key of ${issuer.issuer}`, kid ?? 'none');
      return andThen(findSigner(jws, keys, 0), (key) =>
        key === undefined
          ? new Fault('signature', 'bad_signature', `a signature by a key of ${issuer.issuer}`)
          : accept(jws, claims, issuer, key, token),
      );
    });
  }

  function accept(
    jws: Jws,
    claims: JsonObject,
    issuer: JwtIssuer,
    key: VerificationKey,
    token: string,
  ): VerifiedToken | Fault {
    if (!jws.headerKnown) remember(jws);
    const caller = readCaller(claims, issuer.issuer, token);
    if (caller instanceof Fault) return caller;
    return (
      checkTimes(caller, rules, rules.now(), claims) ?? checkFixed(caller, rules, claims) ?? { caller, key }
    );
  }

  function remember({ headerSegment, header }: Jws): void {
    if (knownHeaders.size >= MOST_KNOWN_HEADERS) knownHeaders.clear();
    knownHeaders.set(headerSegment, header);
  }

  return verify;
}

/** The first of the candidates under which the signature holds. */
function findSigner(
  jws: Jws,
  keys: readonly VerificationKey[],
  at: number,
): MaybePromise<VerificationKey | undefined> {
  const key = keys[at];
  if (key === undefined) return undefined;
  return andThen(key.verify(jws.signingInput, jws.signature), (holds) =>
    holds ? key : findSigner(jws, keys, at + 1),
  );
}
