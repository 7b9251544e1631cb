/** All that a verifier has to say against a token, where it would stop at the first fault. */
import {
  type Caller,
  createVerifier,
  type Policy,
  type RejectionReason,
  type ServiceAuthEvent,
  type TrustedIssuer,
  type UndecidedReason,
  type VerifierOptions,
} from '../../index.ts';
import type { Fetch } from '../../shared/transport.ts';
import type { DecodedToken } from './decoded-token.ts';

/** What a token is held to. */
export interface Expectations {
  readonly issuer: TrustedIssuer;
  readonly audience: readonly string[] | null;
  readonly typ: NonNullable<VerifierOptions['typ']>;
  readonly clockToleranceSeconds: number | undefined;
  readonly policy: Policy;
  /** The TLS client certificate of whoever presents it, in PEM. */
  readonly certificate: string | undefined;
}

export interface Complaint {
  readonly reason: RejectionReason;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
  /** What the verifier believes to lie behind it. */
  readonly hint: string | undefined;
}

export interface Undecided {
  readonly reason: UndecidedReason;
  readonly message: string;
}

export interface Judgement {
  readonly complaints: readonly Complaint[];
  /** Why it could not be decided. */
  readonly undecided: Undecided | undefined;
  /** Known once everything that cannot be looked past has held. */
  readonly caller: Caller | undefined;
}

interface Attempt extends Expectations {
  readonly scheme: 'Bearer' | 'DPoP';
  /** The time by which it is judged, if not the true one. */
  readonly atMs: number | undefined;
}

/** One for each thing that may be looked past. */
const MOST_ATTEMPTS = 16;

/** Asks the verifier again and again, each time looking past what it complained of before. */
export async function judge(
  token: string,
  decoded: DecodedToken,
  expectations: Expectations,
  fetch: Fetch,
): Promise<Judgement> {
  const complaints: Complaint[] = [];
  let attempt: Attempt | undefined = { ...expectations, scheme: 'Bearer', atMs: undefined };
  for (let count = 0; attempt !== undefined && count < MOST_ATTEMPTS; count++) {
    const verdict = await ask(token, attempt, fetch);
    if (!('reason' in verdict)) return { complaints, ...verdict };
    // Who inspects a token holds no proof of its key, and does not need one.
    if (verdict.reason !== 'bound_token_as_bearer') complaints.push(verdict);
    attempt = lookPast(verdict.reason, attempt, decoded);
  }
  return { complaints, undecided: undefined, caller: undefined };
}

async function ask(
  token: string,
  attempt: Attempt,
  fetch: Fetch,
): Promise<Complaint | Pick<Judgement, 'undecided' | 'caller'>> {
  const { issuer, audience, typ, clockToleranceSeconds, policy, certificate, scheme, atMs } = attempt;
  const events: ServiceAuthEvent[] = [];
  const verifier = createVerifier({
    issuer,
    audience,
    typ,
    ...(clockToleranceSeconds !== undefined && { clockToleranceSeconds }),
    ...(atMs !== undefined && { now: () => atMs }),
    ...(certificate !== undefined && { clientCertificate: () => certificate }),
    fetch,
    onEvent: (event) => events.push(event),
  });
  // The certificate counts for requests alone.
  const outcome =
    certificate === undefined || scheme === 'DPoP'
      ? await verifier.verifyToken(token, { scheme, policy })
      : await verifier.authenticate(requestWith(token), policy);
  verifier.close();
  if (outcome.ok) return { undecided: undefined, caller: outcome.caller };
  for (const event of events) {
    const { type } = event;
    if (type === 'request.rejected') {
      const { reason, expected, actual, hint } = event;
      return { reason, expected, actual, hint };
    }
    if (type === 'request.undecided') {
      const { reason, message } = event;
      return { undecided: { reason, message }, caller: undefined };
    }
  }
  throw new Error('the verifier gave no reason');
}

function requestWith(token: string) {
  const headers = new Headers({ authorization: `Bearer ${token}` });
  return { method: 'GET', url: 'https://inspect.invalid/', headers };
}

/** The same question without the check that failed; `undefined` where nothing is left to say without it. */
function lookPast(reason: RejectionReason, attempt: Attempt, { claims }: DecodedToken): Attempt | undefined {
  const { policy } = attempt;
  switch (reason) {
    case 'bound_token_as_bearer':
      return { ...attempt, scheme: 'DPoP' };
    case 'wrong_typ':
      return attempt.typ === 'any' ? undefined : { ...attempt, typ: 'any' };
    case 'wrong_audience': {
      const { audience: _, ...rest } = policy;
      return { ...attempt, audience: null, policy: rest };
    }
    case 'expired':
    case 'not_yet_valid':
    case 'issued_in_future':
      return atValidTime(attempt, claims);
    case 'status_not_valid':
    case 'status_out_of_range':
      return withoutStatus(attempt);
    case 'insufficient_scope': {
      const { scope: _, ...rest } = policy;
      return { ...attempt, policy: rest };
    }
    case 'client_not_allowed': {
      const { clients: _, ...rest } = policy;
      return { ...attempt, policy: rest };
    }
    case 'actor_not_allowed': {
      const { actors: _, ...rest } = policy;
      return { ...attempt, policy: rest };
    }
    case 'service_only': {
      const { serviceOnly: _, ...rest } = policy;
      return { ...attempt, policy: rest };
    }
    case 'token_not_bound': {
      const { senderConstrained: _, ...rest } = policy;
      return { ...attempt, policy: rest };
    }
    default:
      return undefined;
  }
}

/** A moment at which the token was, or will be, valid. Its status of today says nothing of that moment. */
function atValidTime(attempt: Attempt, claims: DecodedToken['claims']): Attempt | undefined {
  const { exp, nbf, iat } = claims;
  if (attempt.atMs !== undefined || typeof exp !== 'number') return undefined;
  const begins = [nbf, iat].filter((time) => typeof time === 'number');
  const start = Math.max(...begins, exp - 1);
  const atMs = start * 1000;
  return Number.isFinite(atMs) ? { ...withoutStatus(attempt), atMs } : undefined;
}

function withoutStatus<T extends Attempt>(attempt: T): T {
  return { ...attempt, issuer: { ...attempt.issuer, statusList: false } };
}
