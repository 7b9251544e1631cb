/** `tls_client_auth` (RFC 8705 section 2.1): the certificate of the connection names the service. */
import type { IssuerContext } from '../context.ts';
import type { StoredService, TlsClientName } from '../storage/records.ts';
import { readClientCertificate } from './client-certificate.ts';
import type { AuthenticatedClient, ClientRequest } from './client-request.ts';
import { Refusal } from './refusal.ts';
import { hasTlsClientName } from './tls-client-name.ts';

const METHOD = 'tls_client_auth';
/** Of nobody; compared so that an unknown client takes as long. */
const decoy: TlsClientName = { subjectDn: 'CN=nobody' };

export async function authenticateByCertificate(
  { settings }: IssuerContext,
  request: ClientRequest,
  service: StoredService | undefined,
): Promise<AuthenticatedClient | Refusal> {
  const certificate = readClientCertificate(settings, request);
  if (certificate === undefined) return new Refusal('no_certificate');
  if (!certificate.verified) return new Refusal('unverified_certificate');
  const isRegistered = service?.authMethods.includes(METHOD) ?? false;
  const expected = isRegistered ? service?.tlsClientAuth : undefined;
  const holds = hasTlsClientName(certificate.der, expected ?? decoy);
  if (service === undefined || expected === undefined) return new Refusal('wrong_method');
  return holds ? { service, method: METHOD } : new Refusal('wrong_certificate');
}
