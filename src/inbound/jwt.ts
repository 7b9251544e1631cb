/** Access-token JWTs (RFC 9068, RFC 7519): header rules, key choice and signature, in this order. */
import { Fault } from '../shared/fault.ts';
import { type JsonObject, parseJsonObject } from '../shared/json.ts';
import { type Jws, type JwsHeader, type KnownHeaders, parseJws } from '../shared/jws.ts';
import type { KeySet, VerificationKey } from '../shared/key-set.ts';
import { andThen, attempt, type MaybePromise } from '../shared/maybe-async.ts';
import { asUndecided } from '../shared/undecided.ts';
import { checkTyp } from './claims.ts';

/** An issuer whose signatures are believed. */
export interface JwtIssuer {
  readonly issuer: string;
  readonly algorithms: ReadonlySet<string>;
  readonly keys: KeySet;
}

/** A JWT of a known issuer; nothing in it is true before its signature held. */
export interface UnverifiedJwt<I extends JwtIssuer> {
  readonly jws: Jws;
  readonly claims: JsonObject;
  readonly issuer: I;
}

export interface JwtVerifier<I extends JwtIssuer> {
  /** Parses a token and finds its issuer; a fault `malformed_token` where it is no JWT at all. */
  parse(token: string): UnverifiedJwt<I> | Fault;
  /**
   * The key that the signature holds under: synchronous where the issuer's keys are in memory.
   *
   * @throws UndecidedError (or rejects) `keys_unavailable`
   */
  verify(jwt: UnverifiedJwt<I>): MaybePromise<VerificationKey | Fault>;
}

const MOST_KNOWN_HEADERS = 256;

export function createJwtVerifier<I extends JwtIssuer>(
  issuers: ReadonlyMap<string, I>,
  typ: readonly string[] | 'any',
): JwtVerifier<I> {
  const knownHeaders = new Map<string, JwsHeader>();
  let latest: Pick<Jws, 'header' | 'headerSegment'> | undefined;
  const headers: KnownHeaders = {
    // Most tokens have the header that came last, and to compare it costs less than to hash it.
    get: (segment) => (segment === latest?.headerSegment ? latest.header : knownHeaders.get(segment)),
  };
  const issuerNames = [...issuers.keys()].join(' or ');

  function parse(token: string): UnverifiedJwt<I> | Fault {
    const jws = parseJws(token, headers);
    if (jws instanceof Fault) return jws;
    const claims = parseJsonObject(jws.payload);
    if (claims === undefined) return new Fault('token', 'malformed_token', 'a payload that is a JSON object');
    // The issuer is compared before anything is fetched: a token cannot make this service call anywhere.
    const named = claims.iss;
    const issuer = typeof named === 'string' ? issuers.get(named) : undefined;
    if (issuer !== undefined) return { jws, claims, issuer };
    return new Fault('claims', 'unknown_issuer', issuerNames, typeof named === 'string' ? named : 'none');
  }

  function verify({ jws, issuer }: UnverifiedJwt<I>): MaybePromise<VerificationKey | Fault> {
    const { alg, kid } = jws.header;
    if (!issuer.algorithms.has(alg)) {
      return new Fault('key', 'algorithm_not_allowed', [...issuer.algorithms].join(' '), alg);
    }
    const wrongTyp = jws.headerKnown ? undefined : checkTyp(jws.header.typ, typ);
    if (wrongTyp !== undefined) return wrongTyp;
    const found = attempt(
      () => issuer.keys.find(alg, kid),
      (error): never => {
        throw asUndecided(error, 'keys_unavailable', issuer.issuer);
      },
    );
    return andThen(found, (keys) => {
      if (keys.length === 0) {
        return new Fault('key', 'unknown_key', `a key of ${issuer.issuer}`, kid ?? 'none');
      }
      return andThen(findSigner(jws, keys, 0), (key) => {
        if (key === undefined) {
          return new Fault('signature', 'bad_signature', `a signature by a key of ${issuer.issuer}`);
        }
        if (!jws.headerKnown) remember(jws);
        return key;
      });
    });
  }

  function remember({ headerSegment, header }: Jws): void {
    if (knownHeaders.size >= MOST_KNOWN_HEADERS) knownHeaders.clear();
    knownHeaders.set(headerSegment, header);
    latest = { headerSegment, header };
  }

  return { parse, verify };
}

/** The first of the candidates under which the signature holds. */
function findSigner(
  jws: Jws,
  keys: readonly VerificationKey[],
  at: number,
): MaybePromise<VerificationKey | undefined> {
  const key = keys[at];
  if (key === undefined) return undefined;
  const verdict = key.verify(jws.signingInput, jws.signature);
  // Nearly always the answer, which then needs no closure.
  if (verdict === true) return key;
  return andThen(verdict, (holds) => (holds ? key : findSigner(jws, keys, at + 1)));
}
