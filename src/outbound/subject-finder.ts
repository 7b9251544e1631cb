/** Which token a call of a target needs: the client's own, or one for somebody on whose behalf it is made. */
import { ServiceAuthError } from '../errors.ts';
import { andThen, attempt, type MaybePromise } from '../shared/maybe-async.ts';
import type { OptionChecker } from '../shared/options.ts';
import { readExchange, type SubjectToken } from './exchange.ts';
import type { ResolvedTarget } from './targets.ts';
import type { TokenSource } from './token-source.ts';
import type { TokenSubject } from './token-subject.ts';

/** @throws (or rejects with) ServiceAuthError `subject_missing`; TypeError for what is no token */
export interface SubjectFinder {
  (target: ResolvedTarget): MaybePromise<TokenSubject>;
  /** What is known without asking anybody. */
  known(target: ResolvedTarget): TokenSubject | undefined;
}

export function createSubjectFinder(
  source: TokenSource,
  check: OptionChecker,
  subjectToken: SubjectToken | undefined,
): SubjectFinder {
  const found = new Map<ResolvedTarget, TokenSubject>();

  function remember(target: ResolvedTarget, subject: TokenSubject): TokenSubject {
    found.set(target, subject);
    return subject;
  }

  function exchanging(target: ResolvedTarget, token: SubjectToken): MaybePromise<TokenSubject> {
    return andThen(readExchange(check, { subjectToken: token }), (exchange) => {
      const { scopes: scope, resources: resource, dpop } = target;
      return source.subject({ scope, resource, dpop, exchange });
    });
  }

  function find(target: ResolvedTarget): MaybePromise<TokenSubject> {
    const known = found.get(target);
    if (known !== undefined) return known;
    if (subjectToken !== undefined) {
      return andThen(exchanging(target, subjectToken), (subject) => remember(target, subject));
    }
    const { scopes: scope, resources: resource, dpop, onBehalfOf } = target;
    if (onBehalfOf === undefined) return remember(target, source.subject({ scope, resource, dpop }));
    const named = attempt(onBehalfOf, (error): never => {
      throw missingSubject(error instanceof Error ? error.name : 'its function failed');
    });
    return andThen(named, (token) => {
      if (token === undefined) throw missingSubject('nobody was named');
      return exchanging(target, token);
    });
  }

  return Object.assign(find, {
    known(target: ResolvedTarget) {
      const isAsked = subjectToken === undefined && target.onBehalfOf !== undefined;
      const subject = isAsked ? undefined : find(target);
      return subject instanceof Promise ? undefined : subject;
    },
  });
}

function missingSubject(reason: string): ServiceAuthError {
  return new ServiceAuthError(
    'subject_missing',
    `the target is called on somebody's behalf, and it is not known whose (${reason}); nothing was sent`,
  );
}
