import type { ClientAuth } from './client-auth.ts';

/**
 * Authenticates the client by the certificate of its connection: `tls_client_auth` and `self_signed_tls_client_auth`,
 * RFC 8705 section 2. Adds the client's id alone; of a server that has an endpoint of its own for certificates
 * (`mtls_endpoint_aliases`, section 5) that one is asked.
 *
 * Not checked: whether there is a certificate; presenting it is the task of the `fetch` that is given.
 *
 * @example
 * ```ts
 * import { createTokenClient, tlsClientAuth } from 'service-auth';
 *
 * export const connect = (fetchWithCertificate: typeof fetch) =>
 *   createTokenClient({
 *     issuer: 'https://idp.example',
 *     clientId: 'billing',
 *     clientAuth: tlsClientAuth(),
 *     fetch: fetchWithCertificate,
 *   });
 * ```
 */
export function tlsClientAuth(): ClientAuth {
  const addClientId: ClientAuth = ({ clientId, form }) => form.set('client_id', clientId);
  return Object.assign(addClientId, { mutualTls: true });
}
