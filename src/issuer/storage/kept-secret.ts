import type { AuthMethod, StoredSecret } from './records.ts';

/** Whether a secret is to be kept itself, encrypted, for a service with these methods. */
export function keepsSealed(methods: readonly AuthMethod[]): boolean {
  return methods.includes('client_secret_jwt');
}

/** A secret without what nothing of its service needs any more. */
export function keptSecret(methods: readonly AuthMethod[], secret: StoredSecret): StoredSecret {
  return secret.sealed === undefined || keepsSealed(methods) ? secret : { ...secret, sealed: undefined };
}
