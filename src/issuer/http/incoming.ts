import type { Connection } from '../../index.ts';
import type { BodyReader } from '../../shared/transport.ts';

/** What is needed of a request; a web `Request` fits. */
export interface IssuerRequest {
  readonly method: string;
  /** Absolute; only its path decides. */
  readonly url: string;
  readonly headers: {
    /** Fields that came several times are joined with a comma, as `Headers` does. */
    get(name: string): string | null;
  };
  /** Is not read before it is needed. */
  readonly body: { getReader(): BodyReader } | null;
}

/** What is known of the connection that a request came over. */
export interface IssuerConnection extends Partial<Connection> {
  /** Whether the certificate was verified against the authorities of the server (RFC 8705 section 2.1). */
  readonly peerCertificateVerified?: boolean;
}

export type PathParameters = ReadonlyMap<string, string>;

/** One request on its way through the issuer. */
export interface Incoming {
  readonly request: IssuerRequest;
  readonly parameters: PathParameters;
  readonly connection: IssuerConnection;
}
