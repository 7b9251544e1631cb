/** A policy, compiled to one function that judges a caller. Policies are judged on every request, cached or not. */
import { Fault } from '../shared/fault.ts';
import { own } from '../shared/json.ts';
import { andThen, attempt, type MaybePromise } from '../shared/maybe-async.ts';
import { OptionChecker } from '../shared/options.ts';
import { readScopeNames } from '../shared/scope.ts';
import { UndecidedError } from '../shared/undecided.ts';
import type { Caller } from './caller.ts';
import { namesAny } from './claims.ts';
import type { AuthRequest } from './credentials.ts';

/** All of the scopes (a text separated by spaces, or a list), or the form said. */
export type ScopePolicy =
  | string
  | readonly string[]
  | { readonly anyOf: readonly string[]; readonly allOf?: never }
  | { readonly allOf: readonly string[]; readonly anyOf?: never };

/**
 * What a route asks of its caller, beyond a valid token. Every member that is given must hold; one that is `undefined`
 * or `null` is a mistake, so that a variable that is not set drops no check.
 */
export interface Policy {
  readonly scope?: ScopePolicy;
  /** The client ids that may call, for every issuer or by issuer. */
  readonly clients?: readonly string[] | Readonly<Record<string, readonly string[]>>;
  /** Narrower than the verifier's: the token must name one of these too. */
  readonly audience?: string | readonly string[];
  /**
   * Asks for a token that is bound to its sender: by DPoP (RFC 9449), by a TLS client certificate (RFC 8705), or by
   * either. Bound tokens are always held to their binding, also without this. @default false
   */
  readonly senderConstrained?: boolean | 'dpop' | 'mtls';
  /** The `sub` that the current actor of an exchanged token may have (RFC 8693 section 4.1); others are refused. */
  readonly actors?: readonly string[];
  /** Refuses tokens that act for a user. @default false */
  readonly serviceOnly?: boolean;
  /** Lets requests without credentials pass, with no caller; bad credentials are still refused. @default false */
  readonly optional?: boolean;
  /**
   * Judged last: `false` or a text refuses with 403 (the text goes to events alone). An exception leaves the
   * request undecided: 503. `request` is undefined for tokens that came without one (`verifyToken`).
   */
  readonly check?: (caller: Caller, request: AuthRequest | undefined) => MaybePromise<boolean | string>;
}

export interface CompiledPolicy {
  readonly optional: boolean;
  /** For the challenge (RFC 6750 section 3): the scopes, separated by spaces. */
  readonly scope: string | undefined;
  readonly judge: Judge;
}

type Judge = (caller: Caller, request: AuthRequest | undefined) => MaybePromise<Fault | undefined>;
type QuickJudge = (caller: Caller) => Fault | undefined;

export const policyOptions = [
  'scope',
  'clients',
  'audience',
  'senderConstrained',
  'actors',
  'serviceOnly',
  'optional',
  'check',
] as const satisfies readonly (keyof Policy)[];

/**
 * Compiles a policy for tokens of these issuers; later changes to the object have no effect.
 *
 * @throws TypeError that names the option, the rule and the value.
 */
export function compilePolicy(given: Policy, issuers: ReadonlySet<string>, takesDpop = true): CompiledPolicy {
  const check = new OptionChecker('policy');
  const policy = check.object('options', given, policyOptions);
  check.noneUnset(policy);
  const scope = policy.scope === undefined ? undefined : readScopePolicy(check, policy.scope);
  const judges: QuickJudge[] = [];
  if (policy.audience !== undefined) judges.push(judgeAudience(check.strings('audience', policy.audience)));
  if (policy.clients !== undefined) judges.push(judgeClients(check, policy.clients, issuers));
  const { senderConstrained = false } = policy;
  if (senderConstrained !== false) judges.push(judgeBinding(check, senderConstrained, takesDpop));
  if (policy.actors !== undefined) judges.push(judgeActor(check.strings('actors', policy.actors)));
  if (check.boolean('serviceOnly', policy.serviceOnly ?? false)) judges.push(judgeServiceOnly);
  if (scope !== undefined) judges.push(judgeScope(scope));
  return Object.freeze({
    optional: check.boolean('optional', policy.optional ?? false),
    scope: scope?.names.join(' '),
    judge: withCheck(inOrder(judges), check.function('check', policy.check)),
  });
}

function inOrder(judges: readonly QuickJudge[]): QuickJudge {
  const [only] = judges;
  if (only !== undefined && judges.length === 1) return only;
  return (caller) => {
    for (const judge of judges) {
      const fault = judge(caller);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
}

function withCheck(judge: QuickJudge, check: Policy['check']): Judge {
  if (check === undefined) return judge;
  return (caller, request) => judge(caller) ?? runCheck(check, caller, request);
}

function runCheck(
  check: NonNullable<Policy['check']>,
  caller: Caller,
  request: AuthRequest | undefined,
): MaybePromise<Fault | undefined> {
  const verdict = attempt(
    () => check(caller, request),
    (error): never => {
      // The program's own check broke: nobody knows whether the caller may, and its message may hold anything.
      const thrown = error instanceof Error ? error.name : typeof error;
      throw new UndecidedError('check_failed', `check threw ${thrown}`, { issuer: caller.issuer });
    },
  );
  return andThen(verdict, (said) => {
    if (said === true) return undefined;
    const actual = typeof said === 'string' ? said : String(said === false ? 'false' : typeof said);
    return new Fault('policy', 'check_refused', 'true', actual, caller);
  });
}

interface ReadScope {
  readonly names: readonly string[];
  readonly any: boolean;
}

function readScopePolicy(check: OptionChecker, option: ScopePolicy): ReadScope {
  const rule = 'scopes as a text, a list, { anyOf } or { allOf }';
  const form = typeof option === 'object' && !Array.isArray(option) ? option : { allOf: option as string[] };
  const keys = Object.keys(form ?? {});
  if (keys.length !== 1 || !('anyOf' in form || 'allOf' in form)) check.fail('scope', rule, option);
  const isAny = 'anyOf' in form;
  const list = isAny ? form.anyOf : form.allOf;
  if (isAny && check.strings('scope', list).some((text) => text.includes(' '))) {
    check.fail('scope', 'of single scopes within anyOf', list);
  }
  return { names: readScopeNames(check, 'scope', list), any: isAny };
}

function judgeScope({ names, any }: ReadScope): QuickJudge {
  const expected = names.join(any ? ' or ' : ' ');
  // V8 goes through a frozen list far more slowly, and this is done for every request.
  const wanted = [...names];
  return (caller) => {
    const { scopes } = caller;
    const holds = any ? wanted.some((name) => scopes.has(name)) : wanted.every((name) => scopes.has(name));
    if (holds) return undefined;
    return new Fault('policy', 'insufficient_scope', expected, [...scopes].join(' ') || 'none', caller);
  };
}

function judgeAudience(accepted: readonly string[]): QuickJudge {
  return (caller) =>
    namesAny(caller.audience, accepted)
      ? undefined
      : new Fault(
          'policy',
          'wrong_audience',
          accepted.join(' or '),
          caller.audience.join(' ') || 'none',
          caller,
        );
}

/** By the time a policy is judged, every binding that a token has was proven. */
function judgeBinding(check: OptionChecker, option: true | 'dpop' | 'mtls', takesDpop: boolean): QuickJudge {
  if (option !== true && option !== 'dpop' && option !== 'mtls') {
    check.fail('senderConstrained', "true, false, 'dpop' or 'mtls'", option);
  }
  if (option === 'dpop' && !takesDpop) {
    check.fail('senderConstrained', "another than 'dpop', since the verifier's dpop is false", option, {
      code: 'options_conflict',
    });
  }
  const members = option === true ? ['jkt', 'x5t#S256'] : [option === 'dpop' ? 'jkt' : 'x5t#S256'];
  const expected = `a token bound by ${option === true ? 'dpop or mtls' : option}`;
  return (caller) => {
    const { confirmation } = caller;
    if (confirmation !== undefined && members.some((member) => Object.hasOwn(confirmation, member))) {
      return undefined;
    }
    return new Fault('policy', 'token_not_bound', expected, 'a token without that binding', caller);
  };
}

/** The outermost `act` is the current actor; those within it are history (RFC 8693 section 4.1). */
function judgeActor(list: readonly string[]): QuickJudge {
  const actors: ReadonlySet<unknown> = new Set(list);
  return (caller) => {
    const actor = caller.actor && own(caller.actor, 'sub');
    if (actors.has(actor)) return undefined;
    const actual = typeof actor === 'string' ? actor : 'none';
    return new Fault('policy', 'actor_not_allowed', 'an actor of the list', actual, caller);
  };
}

function judgeServiceOnly(caller: Caller): Fault | undefined {
  if (caller.kind === 'service') return undefined;
  return new Fault('policy', 'service_only', 'a token of a service', 'a token of a user', caller);
}

function judgeClients(
  check: OptionChecker,
  option: NonNullable<Policy['clients']>,
  issuers: ReadonlySet<string>,
): QuickJudge {
  const allows = Array.isArray(option)
    ? allowsClient(check.strings('clients', option))
    : allowsByIssuer(check, option as ByIssuer, issuers);
  return (caller) => {
    if (caller.clientId !== undefined && allows(caller.clientId, caller.issuer)) return undefined;
    return new Fault(
      'policy',
      'client_not_allowed',
      'a client of the list',
      caller.clientId ?? 'none',
      caller,
    );
  };
}

type ByIssuer = Readonly<Record<string, readonly string[]>>;
type AllowsClient = (clientId: string, issuer: string) => boolean;

function allowsClient(list: readonly string[]): AllowsClient {
  const clients = new Set(list);
  return (clientId) => clients.has(clientId);
}

function allowsByIssuer(check: OptionChecker, option: ByIssuer, issuers: ReadonlySet<string>): AllowsClient {
  if (typeof option !== 'object' || option === null || Object.keys(option).length === 0) {
    check.fail('clients', 'a list of client ids, or an object of such lists by issuer', option);
  }
  const byIssuer = new Map<string, ReadonlySet<string>>();
  for (const [issuer, list] of Object.entries(option)) {
    // Equal to the byte: a name with one slash more would refuse every client without a word.
    if (!issuers.has(issuer)) check.fail('clients', `by issuers of ${[...issuers].join(', ')}`, issuer);
    byIssuer.set(issuer, new Set(check.strings(`clients[${JSON.stringify(issuer)}]`, list)));
  }
  return (clientId, issuer) => byIssuer.get(issuer)?.has(clientId) ?? false;
}
