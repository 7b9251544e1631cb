/** Token exchange (RFC 8693): what a token is exchanged for another one with. */
import { accessTokenHash } from '../shared/dpop.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import { OptionChecker } from '../shared/options.ts';
import type { ExchangeWish } from './token-subject.ts';

/** On whose behalf: a token, or the `Caller` of a request, of which more is known. */
export type SubjectToken =
  | string
  | {
      readonly token: string;
      /** `cnf` of the token; one that is bound to a key is exchanged for another such token alone. */
      readonly confirmation?: Readonly<Record<string, unknown>> | undefined;
    };

export interface TokensToExchange {
  readonly subjectToken: SubjectToken;
  /** @default 'urn:ietf:params:oauth:token-type:access_token' */
  readonly subjectTokenType?: string | undefined;
  /** Who acts, where that is not the client itself. @default none */
  readonly actorToken?: string | undefined;
  /** @default 'urn:ietf:params:oauth:token-type:access_token' */
  readonly actorTokenType?: string | undefined;
}

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** Reads what is to be exchanged. @throws TypeError that shows no token */
export function readExchange(check: OptionChecker, given: TokensToExchange): MaybePromise<ExchangeWish> {
  const { token, confirmation } = readSubjectToken(check, given.subjectToken);
  const { actorToken } = given;
  const type = check.string('subjectTokenType', given.subjectTokenType ?? ACCESS_TOKEN);
  const parameters: (readonly [string, string])[] = [
    ['subject_token', token],
    ['subject_token_type', type],
  ];
  const actorType = check.string('actorTokenType', given.actorTokenType ?? ACCESS_TOKEN);
  if (actorToken !== undefined) {
    parameters.push(
      ['actor_token', readToken(check, 'actorToken', actorToken)],
      ['actor_token_type', actorType],
    );
  }
  const keepsBinding = confirmation !== undefined && Object.hasOwn(confirmation, 'jkt');
  return andThen(accessTokenHash(token), (subject) =>
    andThen(actorToken === undefined ? undefined : accessTokenHash(actorToken), (actor) => ({
      // What is bound and what is not must not share an entry: one of them may be refused.
      fingerprint: JSON.stringify([subject, type, actor ?? null, actorType, keepsBinding]),
      parameters,
      keepsBinding,
    })),
  );
}

/** Checks on whose behalf calls are made before any is: nobody must not mean everybody. @throws TypeError */
export function checkSubjectToken(value: SubjectToken): SubjectToken {
  readSubjectToken(new OptionChecker('onBehalfOf'), value);
  return value;
}

function readSubjectToken(
  check: OptionChecker,
  given: SubjectToken,
): { token: string; confirmation: Readonly<Record<string, unknown>> | undefined } {
  if (typeof given === 'string')
    return { token: readToken(check, 'subjectToken', given), confirmation: undefined };
  if (typeof given !== 'object' || given === null) {
    return check.failSecret('subjectToken', 'a token or a caller');
  }
  return { token: readToken(check, 'subjectToken', given.token), confirmation: given.confirmation };
}

function readToken(check: OptionChecker, option: string, value: unknown): string {
  if (typeof value === 'string' && value.trim() !== '') return value;
  return check.failSecret(option, 'a non-empty string');
}
