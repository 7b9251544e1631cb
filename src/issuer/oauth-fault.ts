/** The error codes of RFC 6749 section 5.2 and RFC 8707 section 2 that this issuer answers with. */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unsupported_grant_type';

/**
 * A refusal of an OAuth endpoint, as a value.
 *
 * The description goes to the client and into events: it never repeats what the client sent.
 */
export class OAuthFault {
  readonly error: OAuthErrorCode;
  readonly description: string;
  readonly status: number;

  constructor(error: OAuthErrorCode, description: string, status = error === 'invalid_client' ? 401 : 400) {
    this.error = error;
    this.description = description;
    this.status = status;
  }
}
