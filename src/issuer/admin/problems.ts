import type { InputFault } from '../http/http-answers.ts';
import { problem } from '../http/http-answers.ts';

/** Why the admin API refuses, as stable words in the member `code`, with status and explanation. */
export const problems = {
  malformed_body: [400, 'the body must be a JSON object'],
  invalid_input: [400, 'the input is not valid'],
  invalid_idempotency_key: [400, 'Idempotency-Key must be 1 to 255 visible ASCII characters'],
  invalid_if_match: [400, 'If-Match must be a list of entity tags'],
  invalid_token: [401, 'the token is missing or wrong'],
  insufficient_scope: [403, 'the access token lacks the scope services:admin'],
  unknown_service: [404, 'there is no such service'],
  unknown_secret: [404, 'there is no such secret'],
  unknown_resource: [404, 'there is no such resource'],
  client_id_taken: [409, 'the clientId is taken; revoked services keep theirs'],
  service_revoked: [409, 'the service is revoked'],
  update_conflict: [409, 'others change the same at the same time'],
  no_secret_method: [409, 'the service has no method of authentication with a secret'],
  too_many_secrets: [409, 'the service has as many live secrets as it may have; remove one first'],
  resource_taken: [409, 'the resource is registered, or named in the options of the issuer'],
  rotation_pending: [409, 'an earlier rotation has not taken effect yet'],
  version_mismatch: [412, 'it has another version by now'],
  body_too_large: [413, 'the body is too large'],
  unsupported_media_type: [415, 'the content type is another one'],
  idempotency_key_reused: [422, 'the Idempotency-Key came with another content before'],
} as const satisfies Readonly<Record<string, readonly [status: number, detail: string]>>;

export type ProblemCode = keyof typeof problems;

export interface ProblemOptions {
  /** In place of the usual explanation. */
  readonly detail?: string;
  readonly errors?: readonly InputFault[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** Problem details (RFC 9457); nothing that was sent is repeated, save for names of members. */
export function refuse(code: ProblemCode, { detail, ...more }: ProblemOptions = {}): Response {
  const [status, usual] = problems[code];
  return problem(status, detail ?? usual, { code, ...more });
}
