import type { Connection } from '../../index.ts';

/** What is known of the connection that a request came over. */
export interface IssuerConnection extends Partial<Connection> {
  /** Whether the certificate was verified against the authorities of the server (RFC 8705 section 2.1). */
  readonly peerCertificateVerified?: boolean;
}

export type PathParameters = ReadonlyMap<string, string>;

/** One request on its way through the issuer. */
export interface Incoming {
  readonly request: Request;
  readonly parameters: PathParameters;
  readonly connection: IssuerConnection;
}
