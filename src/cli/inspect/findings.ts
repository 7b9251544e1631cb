/** One finding for each check of a token, in the order in which a verifier makes them. */
import type { RejectionReason, UndecidedReason } from '../../index.ts';
import type { Finding } from '../finding.ts';
import { relativeTime } from '../relative-time.ts';
import type { DecodedToken } from './decoded-token.ts';
import { hintOf } from './hints.ts';
import type { Complaint, Expectations, Judgement } from './judgement.ts';

const checks = [
  'format',
  'issuer',
  'algorithm',
  'type',
  'key',
  'signature',
  'introspection',
  'claims',
  'expiry',
  'audience',
  'status',
  'binding',
  'policy',
] as const;

type Check = (typeof checks)[number];

/** The check that a reason belongs to; all others are of the policy. */
const checkOf: Partial<Record<RejectionReason | UndecidedReason, Check>> = {
  token_too_large: 'format',
  malformed_token: 'format',
  malformed_credentials: 'format',
  unsupported_crit: 'format',
  unknown_issuer: 'issuer',
  algorithm_not_allowed: 'algorithm',
  wrong_typ: 'type',
  wrong_token_kind: 'type',
  unknown_key: 'key',
  bad_signature: 'signature',
  inactive_token: 'introspection',
  invalid_claim: 'claims',
  expired: 'expiry',
  not_yet_valid: 'expiry',
  issued_in_future: 'expiry',
  too_old: 'expiry',
  wrong_audience: 'audience',
  status_not_valid: 'status',
  status_out_of_range: 'status',
  invalidated: 'status',
  unsupported_binding: 'binding',
  missing_certificate: 'binding',
  certificate_mismatch: 'binding',
  keys_unavailable: 'key',
  introspection_unavailable: 'introspection',
  status_unavailable: 'status',
};

export interface Inspection {
  readonly decoded: DecodedToken;
  readonly expectations: Expectations;
  readonly judgement: Judgement;
  /** What introspection says of it, where that was asked. */
  readonly introspected: Judgement | undefined;
  readonly nowMs: number;
}

export function findingsOf(inspection: Inspection): readonly Finding[] {
  const { judgement, introspected } = inspection;
  const complaints = [...judgement.complaints, ...introspectionComplaints(introspected)];
  const reached = reachedCheck(judgement);
  return checks
    .filter((check) => isAbout(check, inspection))
    .flatMap((check): readonly Finding[] => {
      const own = complaints.filter(({ reason }) => (checkOf[reason] ?? 'policy') === check);
      if (own.length > 0) return own.map((complaint) => failure(check, complaint, inspection));
      const undecided = [judgement.undecided, introspected?.undecided].find(
        (one) => one !== undefined && (checkOf[one.reason] ?? 'policy') === check,
      );
      if (undecided !== undefined) return [{ check, status: 'undecided', found: undecided.message }];
      // Besides a JWT's own verification introspection stands for itself, if it came to be asked.
      const isReached =
        check === 'introspection' && introspected !== undefined
          ? introspected.caller !== undefined
          : checks.indexOf(check) <= reached;
      if (!isReached) return [{ check, status: 'skipped', found: 'not reached' }];
      return [passed(check, inspection)];
    });
}

/** Of introspection that was asked besides, only what it alone can know. */
function introspectionComplaints(introspected: Judgement | undefined): readonly Complaint[] {
  return introspected?.complaints.filter(({ reason }) => reason === 'inactive_token') ?? [];
}

/** The last check that was made: all of them, unless one could not be looked past. */
function reachedCheck({ caller, complaints, undecided }: Judgement): number {
  if (caller !== undefined) return checks.length;
  const last = undecided?.reason ?? complaints.at(-1)?.reason;
  return last === undefined ? checks.length : checks.indexOf(checkOf[last] ?? 'policy');
}

/** Opaque tokens have no header; introspection and status lists are not always asked. */
function isAbout(check: Check, { decoded, introspected, expectations }: Inspection): boolean {
  const isJwt = decoded.kind === 'jwt';
  if (check === 'introspection') return introspected !== undefined || !isJwt;
  if (check === 'status') return decoded.claims.status !== undefined;
  if (check === 'policy') return Object.keys(expectations.policy).length > 0;
  return isJwt || !['issuer', 'algorithm', 'type', 'key', 'signature'].includes(check);
}

function failure(check: Check, complaint: Complaint, { decoded, nowMs }: Inspection): Finding {
  const { reason, expected, actual } = complaint;
  const facts = check === 'expiry' ? times(decoded, nowMs) : undefined;
  const wanted = expected === undefined ? undefined : `expected ${expected}`;
  const had = actual === undefined ? undefined : `got ${actual}`;
  const detail = [facts ?? [wanted, had].filter(Boolean).join(', ')].filter((text) => text !== '');
  return {
    check,
    status: 'failure',
    found: [reason, ...detail].join(': '),
    hint: hintOf(complaint),
    code: reason,
  };
}

function passed(check: Check, inspection: Inspection): Finding {
  const { expectations, decoded } = inspection;
  const { confirmation, audience } = inspection.judgement.caller ?? {};
  if (check === 'audience' && expectations.audience === null) {
    const found = `not checked; the token is for ${listed(audience ?? decoded.claims.aud)}`;
    return { check, status: 'warning', found, hint: 'give --audience, or set SERVICE_AUTH_AUDIENCE' };
  }
  if (check === 'binding' && confirmation?.jkt !== undefined) {
    const found = `bound to the DPoP key ${text(confirmation.jkt)}; whoever presents it must prove that key`;
    return { check, status: 'ok', found };
  }
  return { check, status: 'ok', found: factsOf(check, inspection) };
}

function factsOf(check: Check, { decoded, judgement, nowMs, expectations }: Inspection): string {
  const { header, claims, kind } = decoded;
  const { caller } = judgement;
  switch (check) {
    case 'format':
      return kind === 'jwt' ? 'a signed JWT' : 'an opaque token, which the issuer alone can read';
    case 'issuer':
      return text(claims.iss);
    case 'algorithm':
      return text(header?.alg);
    case 'type':
      return header?.typ ?? 'none said';
    case 'key':
      return `${header?.kid ?? 'no kid'}, known to the issuer`;
    case 'signature':
      return "by the issuer's key";
    case 'introspection':
      return 'active, says the issuer';
    case 'claims':
      return caller === undefined ? 'of their types' : who(caller);
    case 'expiry':
      return caller === undefined || decoded.kind === 'jwt'
        ? times(decoded, nowMs)
        : `expires ${relativeTime(caller.expiresAt, nowMs)}`;
    case 'audience':
      return listed(caller?.audience ?? claims.aud);
    case 'status':
      return expectations.issuer.statusList === true
        ? 'valid in the status list of the issuer'
        : 'not checked';
    case 'binding':
      return caller?.confirmation === undefined
        ? 'to nobody: whoever has it may use it'
        : 'bound to the TLS certificate that was given';
    case 'policy':
      return `${Object.keys(expectations.policy).join(', ')} as asked; scopes: ${scopes(caller?.scopes)}`;
  }
}

function who({ kind, clientId, subject, scopes: granted, actor }: NonNullable<Judgement['caller']>): string {
  const parts = [`${kind} ${clientId ?? subject ?? 'unknown'}`];
  if (subject !== undefined && subject !== clientId) parts.push(`subject ${subject}`);
  if (actor !== undefined) parts.push(`actor ${text(actor.sub)}`);
  return [...parts, `scopes: ${scopes(granted)}`].join(', ');
}

function scopes(granted: ReadonlySet<string> | undefined): string {
  return granted === undefined || granted.size === 0 ? 'none' : [...granted].join(' ');
}

function times({ claims: { exp, nbf, iat } }: DecodedToken, nowMs: number): string {
  const named = [
    ['expires', exp],
    ['not before', nbf],
    ['issued', iat],
  ] as const;
  return named
    .flatMap(([name, time]) => (typeof time === 'number' ? [`${name} ${relativeTime(time, nowMs)}`] : []))
    .join(', ');
}

function listed(audience: unknown): string {
  return Array.isArray(audience) ? audience.map(text).join(', ') || 'nobody' : text(audience);
}

function text(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
