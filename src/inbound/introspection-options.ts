/** The `introspection` option of an issuer, checked and resolved once. */
import { type EnvironmentVariable, fromEnvironment, missing } from '../environment.ts';
import { optionError } from '../errors.ts';
import { type ClientAuth, clientSecretBasic } from '../shared/client-auth.ts';
import type { OptionChecker } from '../shared/options.ts';
import type { Secret } from '../shared/secret.ts';
import type { TextStore } from '../shared/stores.ts';
import { checkSecureUrl } from '../shared/url-options.ts';

/** How an issuer is asked about tokens (RFC 7662). */
export interface IntrospectionOptions {
  /** @default `introspection_endpoint` of the issuer's metadata */
  readonly endpoint?: string | undefined;
  /** This service as a client of the issuer. @default SERVICE_AUTH_INTROSPECTION_CLIENT_ID */
  readonly clientId?: string | undefined;
  /**
   * For HTTP Basic; `clientAuth` does it otherwise. @default SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET, for the client of
   * the environment alone
   */
  readonly clientSecret?: Secret | undefined;
  /** How this service authenticates, instead of `clientSecret`. */
  readonly clientAuth?: ClientAuth | undefined;
  /** How long an active token is believed, in seconds, never beyond its `exp`, if the answer has one. @default 30 */
  readonly cacheSeconds?: number | undefined;
  /** How long a token that is inactive or not accepted here is refused without asking again, in seconds. @default 10 */
  readonly negativeCacheSeconds?: number | undefined;
  /** For one call, and for its turn; half of what all attempts may take, in milliseconds. @default 3000 */
  readonly timeoutMs?: number | undefined;
  /** How often a call that failed is tried again, within twice `timeoutMs`. @default 1 */
  readonly retries?: number | undefined;
  /** `'opaque'` verifies JWTs by the issuer's keys; `'all'` asks about those too. @default 'opaque' */
  readonly tokens?: 'opaque' | 'all' | undefined;
  /** `'jwt'` asks for signed answers and takes no others (RFC 9701). @default 'json' */
  readonly response?: 'json' | 'jwt' | undefined;
  /** A cache that instances share; holds answers under hashes of tokens. @default none */
  readonly store?: TextStore;
}

export interface IntrospectionSettings {
  readonly endpoint: string | undefined;
  readonly clientId: string;
  readonly clientAuth: ClientAuth;
  readonly cacheSeconds: number;
  readonly negativeCacheSeconds: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly tokens: 'opaque' | 'all';
  readonly response: 'json' | 'jwt';
  readonly store: TextStore | undefined;
}

const known = [
  'endpoint',
  'clientId',
  'clientSecret',
  'clientAuth',
  'cacheSeconds',
  'negativeCacheSeconds',
  'timeoutMs',
  'retries',
  'tokens',
  'response',
  'store',
] as const satisfies readonly (keyof IntrospectionOptions)[];
const WHERE = 'createVerifier';

/** Resolves the option, of which `true` takes the credentials from the environment; `undefined` where it is `false`. */
export function resolveIntrospection(
  check: OptionChecker,
  option: unknown,
): IntrospectionSettings | undefined {
  if (option === false) return undefined;
  const given: IntrospectionOptions =
    option === true ? {} : check.object('introspection', option as IntrospectionOptions, known);
  const { endpoint, retries = 1, tokens = 'opaque', response = 'json' } = given;
  if (endpoint !== undefined) checkSecureUrl(check, 'introspection.endpoint', endpoint);
  const number =
    (name: 'cacheSeconds' | 'negativeCacheSeconds' | 'timeoutMs', fallback: number) =>
    (least: number, most: number, unit: string): number =>
      check.number(`introspection.${name}`, given[name] ?? fallback, least, most, unit);
  return Object.freeze({
    endpoint,
    ...readClient(check, given),
    cacheSeconds: number('cacheSeconds', 30)(0, 86_400, 'seconds'),
    negativeCacheSeconds: number('negativeCacheSeconds', 10)(0, 3600, 'seconds'),
    timeoutMs: number('timeoutMs', 3000)(1, 60_000, 'milliseconds'),
    retries: check.wholeNumber('introspection.retries', retries, 0, 5, 'retries'),
    tokens: check.oneOf('introspection.tokens', tokens, ['opaque', 'all']),
    response: check.oneOf('introspection.response', response, ['json', 'jwt']),
    store: readStore(check, given.store),
  });
}

function readClient(
  check: OptionChecker,
  given: IntrospectionOptions,
): Pick<IntrospectionSettings, 'clientId' | 'clientAuth'> {
  const { clientAuth, clientSecret } = given;
  const clientId = check.string(
    'introspection.clientId',
    given.clientId ?? need('clientId', 'SERVICE_AUTH_INTROSPECTION_CLIENT_ID'),
  );
  if (clientAuth === undefined) {
    const secret = clientSecret ?? secretOfEnvironment(given);
    return { clientId, clientAuth: clientSecretBasic(secret) };
  }
  if (clientSecret !== undefined)
    check.failSecret('introspection', 'given clientSecret or clientAuth, not both', {
      code: 'options_conflict',
    });
  check.function('introspection.clientAuth', clientAuth);
  return { clientId, clientAuth };
}

/** The environment's secret is that of the environment's client: no other may send it. */
function secretOfEnvironment(given: IntrospectionOptions): string {
  const isOwn =
    given.clientId === undefined ||
    given.clientId === fromEnvironment('SERVICE_AUTH_INTROSPECTION_CLIENT_ID');
  const isUnset = Object.hasOwn(given, 'clientSecret');
  if (isOwn && !isUnset) return need('clientSecret', 'SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET');
  throw optionError(
    isUnset ? 'option_unset' : 'option_missing',
    isUnset
      ? `${WHERE}: introspection.clientSecret is undefined; SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET does not stand in for one that was to be given`
      : `${WHERE}: introspection.clientSecret is required; SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET serves SERVICE_AUTH_INTROSPECTION_CLIENT_ID alone`,
  );
}

function need(option: 'clientId' | 'clientSecret', variable: EnvironmentVariable): string {
  const value = fromEnvironment(variable);
  if (value === undefined) throw missing(WHERE, `introspection.${option}`, variable);
  return value;
}

function readStore(check: OptionChecker, option: unknown): TextStore | undefined {
  if (option === undefined) return undefined;
  const store: Partial<TextStore> = typeof option === 'object' && option !== null ? option : {};
  const methods = [store.get, store.set, store.delete];
  if (!methods.every((method) => typeof method === 'function')) {
    check.fail('introspection.store', 'a store with get, set and delete', option);
  }
  return option as TextStore;
}
