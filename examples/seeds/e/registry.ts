/** What both sides can do with the credentials of services. */
export interface Registry {
  /** Gives the secret, which is shown this once. */
  create(clientId: string, scopes: readonly string[]): Promise<string>;
  list(): Promise<readonly string[]>;
  /** All that is shown of a service, as text. */
  read(clientId: string): Promise<string>;
  /** Gives another secret; the one before stays good until it is removed. */
  addSecret(clientId: string): Promise<string>;
  removeOldestSecret(clientId: string): Promise<void>;
  /** The record stays, and opens nothing. */
  revoke(clientId: string): Promise<void>;
  /** `undefined` where the secret opens nothing. */
  token(clientId: string, secret: string): Promise<string | undefined>;
}
