/** The options of a verifier, checked and resolved once. */
import { listFromEnvironment, missing } from '../environment.ts';
import { optionError } from '../errors.ts';
import { createEmitter, type Emit, type EventListener } from '../events.ts';
import type { DpopNonces } from '../shared/dpop-nonces.ts';
import { OptionChecker } from '../shared/options.ts';
import type { Fetch } from '../shared/transport.ts';
import { checkSecureUrl } from '../shared/url-options.ts';
import { type CertificateSource, createCertificateCheck } from './certificate.ts';
import type { ChallengeOptions } from './challenge.ts';
import type { Scheme } from './credentials.ts';
import { createDenyList, type DenyList } from './deny-list.ts';
import { type DpopOptions, type DpopRules, resolveDpop } from './dpop-options.ts';
import { createPublicUrl, type PublicUrl } from './public-url.ts';
import { createSenderConstraint, type SenderConstraint } from './sender-constraint.ts';
import { createTokenCache, type TokenCache } from './token-cache.ts';
import type { AcceptedToken, TokenRules } from './token-verifier.ts';
import { resolveIssuers, type TrustedIssuer } from './trusted-issuers.ts';

type TokenType = 'at+jwt' | (string & {});

/** Whose tokens are accepted, for whom they must be issued, and how strictly they are judged. */
export interface VerifierOptions {
  /** Whose tokens are accepted; a string is discovered. @default SERVICE_AUTH_ISSUER */
  readonly issuer?: string | TrustedIssuer | readonly (string | TrustedIssuer)[] | undefined;
  /** The token must name at least one; `null` switches the check off. @default SERVICE_AUTH_AUDIENCE */
  readonly audience?: string | readonly string[] | null | undefined;
  /**
   * Accepted `typ` headers. `'at+jwt'` also takes `application/at+jwt`, in any case (RFC 9068 section 4);
   * `'any'` still refuses the known types of other JWTs. @default 'any'
   */
  readonly typ?: 'any' | TokenType | readonly TokenType[] | undefined;
  /** Tolerance for `exp`, `nbf` and `iat`, in seconds. @default 5 */
  readonly clockToleranceSeconds?: number | undefined;
  /** Refuses tokens whose `iat` is longer ago, in seconds. @default off */
  readonly maxTokenAgeSeconds?: number | undefined;
  /**
   * Tokens that are bound to a DPoP key (RFC 9449): always held to their proof (`'optional'`), asked of every
   * caller (`'required'`), or refused (`false`). @default 'optional'
   */
  readonly dpop?: 'optional' | 'required' | false | DpopOptions | undefined;
  /**
   * The TLS client certificate of a request in PEM or DER, for tokens bound to one (RFC 8705); see
   * `forwardedClientCertificate` for proxies that end TLS. @default that of the TLS socket, where there is one
   */
  readonly clientCertificate?: CertificateSource | undefined;
  /**
   * The base URL that clients see, for the `htu` of DPoP proofs behind proxies; or the addresses (also CIDR ranges)
   * of proxies whose `Forwarded` or `X-Forwarded-*` headers are believed. @default the request's own URL
   */
  readonly publicUrl?: PublicUrl | undefined;
  /** Keeps verified tokens, at least `maxTokens` and at most twice as many. @default { maxTokens: 10_000 } */
  readonly cache?: { readonly maxTokens?: number } | false | undefined;
  /** `realm` of challenges. @default none */
  readonly realm?: string | undefined;
  /** URL of the protected resource metadata, put into challenges (RFC 9728 section 5.1). @default none */
  readonly resourceMetadata?: string | undefined;
  /** @default the global fetch */
  readonly fetch?: Fetch | undefined;
  /** The clock, in epoch milliseconds. @default Date.now */
  readonly now?: (() => number) | undefined;
  /** Receives every event; what it throws is ignored. @default none */
  readonly onEvent?: EventListener | undefined;
}

const names = [
  'issuer',
  'audience',
  'typ',
  'clockToleranceSeconds',
  'maxTokenAgeSeconds',
  'dpop',
  'clientCertificate',
  'publicUrl',
  'cache',
  'realm',
  'resourceMetadata',
  'fetch',
  'now',
  'onEvent',
] as const satisfies readonly (keyof VerifierOptions)[];
/** The names of all verifier options. */
export const verifierOptions: readonly string[] = names;

const WHERE = 'createVerifier';

export interface ResolvedRules extends TokenRules {
  readonly emit: Emit | undefined;
  readonly cache: TokenCache<AcceptedToken> | undefined;
  readonly denyList: DenyList;
  readonly challenges: ChallengeOptions;
  readonly constraint: SenderConstraint;
  /** Present where proofs need a nonce. */
  readonly nonces: DpopNonces | undefined;
}

/**
 * Checks the options and fills what is missing from the environment.
 *
 * @throws TypeError that names the option, the rule and the value.
 */
export function resolveRules(options: VerifierOptions): ResolvedRules {
  const check = new OptionChecker(WHERE);
  const given = check.object('options', options, verifierOptions);
  const now = check.function('now', given.now) ?? (() => Date.now());
  const fetch = check.function('fetch', given.fetch);
  const emit = createEmitter(check.function('onEvent', given.onEvent), now);
  const issuer = given.issuer ?? listFromEnvironment('SERVICE_AUTH_ISSUER');
  if (issuer === undefined) throw missing(WHERE, 'issuer', 'SERVICE_AUTH_ISSUER');
  const times = readTimeOptions(check, given);
  const dpop = resolveDpop(check, given.dpop ?? 'optional', now);
  return Object.freeze({
    issuers: resolveIssuers(check, issuer, { fetch, now, emit }),
    audience: readAudienceOption(check, given.audience),
    typ: readTypOption(check, given.typ ?? 'any'),
    ...times,
    cache: readCacheOption(check, given.cache),
    denyList: createDenyList({ now, toleranceMs: times.clockToleranceSeconds * 1000 }),
    challenges: readChallengeOptions(check, given, dpop),
    constraint: createSenderConstraint({
      dpop,
      checkCertificate: createCertificateCheck(check.function('clientCertificate', given.clientCertificate)),
      publicUrl: createPublicUrl(given.publicUrl, check),
      emit,
    }),
    nonces: dpop?.nonces,
    emit,
    now,
  });
}

function readTimeOptions(
  check: OptionChecker,
  { clockToleranceSeconds = 5, maxTokenAgeSeconds: maxAge }: VerifierOptions,
): Pick<TokenRules, 'clockToleranceSeconds' | 'maxTokenAgeSeconds'> {
  const seconds = (name: string, value: number, least: number, most: number): number =>
    check.number(name, value, least, most, 'seconds');
  return {
    clockToleranceSeconds: seconds('clockToleranceSeconds', clockToleranceSeconds, 0, 600),
    maxTokenAgeSeconds:
      maxAge === undefined ? undefined : seconds('maxTokenAgeSeconds', maxAge, 1, 31_536_000),
  };
}

function readChallengeOptions(
  check: OptionChecker,
  { realm, resourceMetadata }: VerifierOptions,
  dpop: DpopRules | undefined,
): ChallengeOptions {
  const schemes: readonly Scheme[] = dpop?.required
    ? ['DPoP']
    : dpop === undefined
      ? ['Bearer']
      : ['Bearer', 'DPoP'];
  return Object.freeze({
    realm: realm === undefined ? undefined : check.headerText('realm', realm),
    resourceMetadata: resourceMetadata === undefined ? undefined : checkUrl(check, resourceMetadata),
    schemes,
    proofAlgorithms: dpop?.algorithms ?? [],
  });
}

function checkUrl(check: OptionChecker, value: unknown): string {
  return checkSecureUrl(check, 'resourceMetadata', check.headerText('resourceMetadata', value));
}

function readAudienceOption(
  check: OptionChecker,
  option: VerifierOptions['audience'],
): readonly string[] | null {
  if (option === null) return null;
  const audience = option ?? listFromEnvironment('SERVICE_AUTH_AUDIENCE');
  if (audience === undefined) {
    throw optionError(
      'audience_missing',
      `${WHERE}: audience is required; give it or set SERVICE_AUTH_AUDIENCE; null would take tokens for any service`,
    );
  }
  return check.strings('audience', audience, 'a non-empty string, a non-empty list of them, or null for any');
}

/** A misspelt type would refuse every token. */
function readTypOption(check: OptionChecker, option: string | readonly string[]): readonly string[] | 'any' {
  if (option === 'any') return 'any';
  return check.strings('typ', option).map((typ) => {
    const short = typ.toLowerCase().replace(/^application\//, '');
    const letters = short.replaceAll(/[^a-z]/g, '');
    if (short === 'any' || (letters === 'atjwt' && short !== 'at+jwt')) {
      check.fail('typ', "'at+jwt', 'any' or types of other tokens", typ);
    }
    return short;
  });
}

function readCacheOption(
  check: OptionChecker,
  option: VerifierOptions['cache'],
): TokenCache<AcceptedToken> | undefined {
  if (option === false) return undefined;
  const given = check.object('cache', option ?? {}, ['maxTokens']);
  const maxTokens = check.number('cache.maxTokens', given.maxTokens ?? 10_000, 1, 10_000_000, 'tokens');
  return createTokenCache(maxTokens);
}
