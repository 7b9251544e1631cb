import type { RejectionReason } from '../../index.ts';
import type { Complaint } from './judgement.ts';

const registration =
  'register the service for it, and ask for it: service-auth services update, service-auth token';

/** What to do about a complaint, for those of which that is not plain. */
const hints: Partial<Record<RejectionReason, string>> = {
  malformed_token: 'it was cut or changed on its way, or it is opaque: then give --introspect',
  malformed_credentials: 'it has characters that no token has; was it cut, or quoted?',
  algorithm_not_allowed: 'the issuer signs with an algorithm that verifiers do not take by default',
  unknown_key: 'the key was retired, or the token is of another issuer of the same name',
  bad_signature: 'the token was changed, or signed by a key that only has the same name',
  expired: 'obtain another one: service-auth token',
  wrong_audience: 'ask for a token for this audience: service-auth token --resource, or --audience',
  insufficient_scope: registration,
  client_not_allowed: 'name its client in the policy of the route, if it may call',
  service_only: 'the route takes services alone, and this token acts for a user',
  actor_not_allowed: 'name the actor in the policy of the route, if it may call',
  token_not_bound: 'the route wants a token that is bound to a key: service-auth call --dpop',
  missing_certificate: 'it is bound to a TLS certificate: give that by --certificate',
  certificate_mismatch: 'it is bound to another TLS certificate than this one',
  inactive_token: 'it was revoked, has expired, or is not for this client to introspect',
  status_not_valid: 'it was revoked: obtain another one',
  status_out_of_range: 'the status list of the issuer is shorter than the token says',
};

/** The verifier's own hint, which is about this token, goes first, save where it is about options and not flags. */
export function hintOf({ reason, hint }: Complaint): string | undefined {
  return reason === 'malformed_token' ? hints[reason] : (hint ?? hints[reason]);
}
