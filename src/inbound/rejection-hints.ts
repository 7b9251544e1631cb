/**
 * What probably lies behind a refusal, for the event that tells operators of it. Callers never see it.
 *
 * Nothing here is asked for a request that is let in, and a flood of refusals gets no hints.
 */
import type { RejectionReason } from '../events.ts';
import type { Fault } from '../shared/fault.ts';
import { parseUrl } from '../shared/url.ts';
import { urlDifference } from '../shared/url-difference.ts';
import { audienceHint } from './audience-hint.ts';
import { createClockHint } from './clock-hint.ts';
import { scopeHint } from './scope-hint.ts';

/** Gives the hint for a refusal; `undefined` where there is none, or no time for one. */
export type RejectionHints = (fault: Fault) => string | undefined;

type Hint = (fault: Fault, nowMs: number) => string | undefined;

const MOST_PER_SECOND = 100;

export function createRejectionHints(now: () => number): RejectionHints {
  const clock = createClockHint();
  const hints: Partial<Record<RejectionReason, Hint>> = {
    ...fixed,
    expired: clock,
    not_yet_valid: clock,
    issued_in_future: clock,
  };
  let second = 0;
  let given = 0;
  return (fault) => {
    const hint = hints[fault.reason];
    if (hint === undefined) return undefined;
    const nowMs = now();
    const current = Math.floor(nowMs / 1000);
    if (current !== second) {
      second = current;
      given = 0;
    }
    return ++given > MOST_PER_SECOND ? undefined : hint(fault, nowMs);
  };
}

const fixed: Partial<Record<RejectionReason, Hint>> = {
  malformed_token: ({ expected, actual }) => {
    if (expected !== 'three parts') return undefined;
    return actual === undefined
      ? 'it is opaque, or was cut: set introspection, or have the issuer give JWTs (Auth0 does where the client names an audience)'
      : 'it has more parts than a signed JWT: have the issuer not encrypt access tokens';
  },
  unknown_issuer: issuerHint,
  wrong_audience: audienceHint,
  insufficient_scope: scopeHint,
  wrong_typ: otherKindHint,
  wrong_token_kind: otherKindHint,
  algorithm_not_allowed: ({ actual = '' }) =>
    actual.startsWith('HS')
      ? 'it names a shared secret: where the issuer gives such tokens, have it sign by a key (Auth0: RS256 for the API)'
      : undefined,
  proof_url_mismatch: ({ expected, actual }) => {
    const difference = urlDifference(expected ?? '', actual ?? '');
    return `${difference === undefined ? '' : `${difference}; `}behind a proxy say by publicUrl what clients see`;
  },
};

function otherKindHint(): string {
  return 'an ID token, or a token of another kind, was sent: send access_token of the token response';
}

/** Entra signs tokens of its versions 1 and 2 with the same keys, by two names. */
const ENTRA_V1 = 'https://sts.windows.net/';
const ENTRA_V2 = 'https://login.microsoftonline.com/';

function issuerHint({ expected = '', actual = '' }: Fault): string | undefined {
  const tenant = tenantOf(actual);
  const names = expected.split(' or ');
  for (const name of names) {
    // Whoever makes a tenant has tokens of it: nobody is to trust one because it knocks.
    if (tenant !== undefined && tenant === tenantOf(name)) {
      if (name.startsWith(ENTRA_V2) && actual.startsWith(ENTRA_V1)) {
        return 'a token of version 1 of Entra: ask for version 2 in the manifest of the API, or trust this issuer, too';
      }
      if (name.startsWith(ENTRA_V1) && actual.startsWith(ENTRA_V2)) {
        return 'a token of version 2 of Entra: trust this issuer in place of that of version 1, or beside it';
      }
    }
    const difference = urlDifference(name, actual) ?? hostDifference(name, actual);
    if (difference !== undefined) return difference;
  }
  const isOfAnother = tenant !== undefined && names.some((name) => tenantOf(name) !== undefined);
  return isOfAnother ? 'a token of another tenant of Entra: is it meant for this service?' : undefined;
}

function tenantOf(issuer: string): string | undefined {
  const prefix = [ENTRA_V1, ENTRA_V2].find((one) => issuer.startsWith(one));
  return prefix && issuer.slice(prefix.length).split('/', 1)[0];
}

function hostDifference(expected: string, actual: string): string | undefined {
  const [path, other] = [parseUrl(expected)?.pathname, parseUrl(actual)?.pathname];
  if (path === undefined || path === '/' || path !== other) return undefined;
  return 'they differ by their hosts alone: an issuer may call itself as its client did (Keycloak: set its hostname)';
}
