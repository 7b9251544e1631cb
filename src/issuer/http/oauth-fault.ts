/** The error codes of RFC 6749 section 5.2, RFC 8707 section 2 and RFC 9449 section 5 that this issuer answers with. */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unsupported_grant_type'
  | 'unauthorized_client'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'temporarily_unavailable';

/**
 * A refusal of an OAuth endpoint, as a value.
 *
 * The description goes to the client and into events: it never repeats what the client sent.
 */
export class OAuthFault {
  readonly error: OAuthErrorCode;
  readonly description: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    error: OAuthErrorCode,
    description: string,
    status = error === 'invalid_client' ? 401 : 400,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.error = error;
    this.description = description;
    this.status = status;
    this.headers = headers;
  }
}
