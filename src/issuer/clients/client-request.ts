import type { IssuerConnection, IssuerRequest } from '../http/incoming.ts';
import type { Form } from '../http/request-body.ts';
import type { AuthMethod, StoredService } from '../storage/records.ts';

/** A form that a client posted, before or after it was authenticated. */
export interface ClientRequest {
  readonly request: IssuerRequest;
  readonly connection: IssuerConnection;
  readonly form: Form;
  /** The endpoint's own URL, as the metadata names it. */
  readonly endpointUrl: string;
}

/** A service that has shown who it is. */
export interface AuthenticatedClient {
  readonly service: StoredService;
  /** `federated`: by an assertion of another issuer (RFC 7523). */
  readonly method: AuthMethod | 'federated';
}
