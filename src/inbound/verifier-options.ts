/** The options of a verifier, checked and resolved once. */
import { listFromEnvironment, missing } from '../environment.ts';
import { createEmitter, type Emit, type EventListener } from '../events.ts';
import { OptionChecker } from '../shared/options.ts';
import type { Fetch } from '../shared/transport.ts';
import type { Caller } from './caller.ts';
import { checkHeaderText } from './challenge.ts';
import type { JwtRules, VerifiedToken } from './jwt.ts';
import { createTokenCache, type TokenCache } from './token-cache.ts';
import { resolveIssuers, type TrustedIssuer } from './trusted-issuers.ts';

export interface VerifierOptions {
  /** Whose tokens are accepted; a string is discovered. @default SERVICE_AUTH_ISSUER */
  readonly issuer?: string | TrustedIssuer | readonly (string | TrustedIssuer)[];
  /** The token must name at least one; `null` switches the check off. @default SERVICE_AUTH_AUDIENCE */
  readonly audience?: string | readonly string[] | null;
  /**
   * Accepted `typ` headers. `'at+jwt'` also takes `application/at+jwt`, in any case (RFC 9068 section 4);
   * `'any'` still refuses the known types of other JWTs. @default 'any'
   */
  readonly typ?: string | readonly string[];
  /** Tolerance for `exp`, `nbf` and `iat`, in seconds. @default 5 */
  readonly clockToleranceSeconds?: number;
  /** Refuses tokens whose `iat` is longer ago, in seconds. @default off */
  readonly maxTokenAgeSeconds?: number;
  /** Keeps verified tokens, at least `maxTokens` and at most twice as many. @default { maxTokens: 10_000 } */
  readonly cache?: { readonly maxTokens?: number } | false;
  /** `realm` of challenges. @default none */
  readonly realm?: string;
  /** @default the global fetch */
  readonly fetch?: Fetch;
  /** The clock, in epoch milliseconds. @default Date.now */
  readonly now?: () => number;
  /** Receives every event; what it throws is ignored. @default none */
  readonly onEvent?: EventListener;
}

const names = [
  'issuer',
  'audience',
  'typ',
  'clockToleranceSeconds',
  'maxTokenAgeSeconds',
  'cache',
  'realm',
  'fetch',
  'now',
  'onEvent',
] as const satisfies readonly (keyof VerifierOptions)[];
/** The names of all verifier options. */
export const verifierOptions: readonly string[] = names;

/** What an accepted request is answered with; one object serves every request of its token. */
export interface AcceptedOutcome {
  readonly ok: true;
  readonly caller: Caller;
}

/** A verified token as the cache keeps it, with the outcome that every request of it shares. */
export interface AcceptedToken {
  readonly outcome: AcceptedOutcome;
  readonly key: VerifiedToken['key'];
  readonly usableUntilMs: number;
}

const WHERE = 'createVerifier';

export interface ResolvedRules extends JwtRules {
  readonly emit: Emit | undefined;
  readonly realm: string | undefined;
  readonly cache: TokenCache<AcceptedToken> | undefined;
}

/**
 * Checks the options and fills what is missing from the environment.
 *
 * @throws TypeError that names the option, the rule and the value.
 */
export function resolveRules(given: VerifierOptions): ResolvedRules {
  const check = new OptionChecker(WHERE);
  check.object('options', given, verifierOptions);
  const now = check.function('now', given.now) ?? (() => Date.now());
  // Looked up at each call: a global fetch that is replaced later (by instrumentation, by a test) is the one to use.
  const fetch: Fetch = check.function('fetch', given.fetch) ?? ((url, init) => globalThis.fetch(url, init));
  const emit = createEmitter(check.function('onEvent', given.onEvent), now);
  const issuer = given.issuer ?? listFromEnvironment('SERVICE_AUTH_ISSUER');
  if (issuer === undefined) throw missing(WHERE, 'issuer', 'SERVICE_AUTH_ISSUER');
  const { maxTokenAgeSeconds: maxAge, realm } = given;
  return Object.freeze({
    issuers: resolveIssuers(check, issuer, { fetch, now, emit }),
    audience: readAudienceOption(check, given.audience),
    typ: readTypOption(check, given.typ ?? 'any'),
    clockToleranceSeconds: check.number(
      'clockToleranceSeconds',
      given.clockToleranceSeconds ?? 5,
      0,
      600,
      'seconds',
    ),
    maxTokenAgeSeconds:
      maxAge === undefined ? undefined : check.number('maxTokenAgeSeconds', maxAge, 1, 31_536_000, 'seconds'),
    cache: readCacheOption(check, given.cache),
    realm: realm === undefined ? undefined : checkHeaderText(check, 'realm', realm),
    emit,
    now,
  });
}

function readAudienceOption(
  check: OptionChecker,
  option: VerifierOptions['audience'],
): readonly string[] | null {
  if (option === null) return null;
  const audience = option ?? listFromEnvironment('SERVICE_AUTH_AUDIENCE');
  if (audience === undefined) throw missing(WHERE, 'audience', 'SERVICE_AUTH_AUDIENCE');
  return check.strings('audience', audience);
}

function readTypOption(check: OptionChecker, option: string | readonly string[]): readonly string[] | 'any' {
  if (option === 'any') return 'any';
  return check.strings('typ', option).map((typ) => typ.toLowerCase().replace(/^application\//, ''));
}

function readCacheOption(
  check: OptionChecker,
  option: VerifierOptions['cache'],
): TokenCache<AcceptedToken> | undefined {
  if (option === false) return undefined;
  check.object('cache', option ?? {}, ['maxTokens']);
  const maxTokens = check.number('cache.maxTokens', option?.maxTokens ?? 10_000, 1, 10_000_000, 'tokens');
  return createTokenCache(maxTokens);
}
