/** What a token endpoint gave, and how it is used. */
export interface AccessTokenFields {
  readonly accessToken: string;
  readonly tokenType: TokenType;
  /** In epoch milliseconds. */
  readonly expiresAt: number;
  readonly scope: string | undefined;
}

/** How a token is presented: alone (RFC 6750), or with a proof of the key it is bound to (RFC 9449). */
export type TokenType = 'Bearer' | 'DPoP';

/**
 * An access token as the authorization server gave it.
 *
 * `accessToken` and `authorization` are no own properties: they reach no log, no JSON and no spread copy by accident.
 */
export interface AccessToken {
  readonly accessToken: string;
  readonly tokenType: TokenType;
  /** In epoch milliseconds; counted from when the token was asked for, so it errs on the early side. */
  readonly expiresAt: number;
  /** What was granted: as the server says, or as it was asked for where the server is silent. */
  readonly scope: string | undefined;
  /** The value of the `Authorization` header (RFC 6750 section 2.1, RFC 9449 section 7.1). */
  readonly authorization: string;
}

/** The one that a token client makes. */
export class ReceivedToken implements AccessToken {
  readonly tokenType: TokenType;
  readonly expiresAt: number;
  readonly scope: string | undefined;
  readonly #accessToken: string;
  readonly #authorization: string;

  constructor({ accessToken, tokenType, expiresAt, scope }: AccessTokenFields) {
    this.tokenType = tokenType;
    this.expiresAt = expiresAt;
    this.scope = scope;
    this.#accessToken = accessToken;
    this.#authorization = `${tokenType} ${accessToken}`;
    Object.freeze(this);
  }

  get accessToken(): string {
    return this.#accessToken;
  }

  get authorization(): string {
    return this.#authorization;
  }

  /** Node's inspection can be told to call getters; it must not find the token either. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return { tokenType: this.tokenType, expiresAt: this.expiresAt, scope: this.scope };
  }
}
