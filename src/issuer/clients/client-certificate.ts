/** The TLS certificate that a client presents (RFC 8705), over this very connection or to a proxy in front. */
import { createHash, X509Certificate } from 'node:crypto';
import { certificateDer } from '../../shared/certificate-thumbprint.ts';
import type { IssuerSettings } from '../issuer-settings.ts';
import type { ClientRequest } from './client-request.ts';

export interface ClientCertificate {
  /** `x5t#S256` (RFC 8705 section 3.1). */
  readonly thumbprint: string;
  readonly der: Uint8Array;
  /** Whether an authority that the server or its proxy trusts vouches for the names in it. */
  readonly verified: boolean;
}

/** The certificate of a request; `undefined` without one, and for what is no certificate. */
export function readClientCertificate(
  settings: Pick<IssuerSettings, 'clientCertificate'>,
  request: Pick<ClientRequest, 'request' | 'connection'>,
): ClientCertificate | undefined {
  const { clientCertificate: source } = settings;
  const { peerCertificate, peerCertificateVerified: verified = false } = request.connection;
  // With a proxy in front, the connection's certificate is the proxy's own.
  if (source === undefined) return toCertificate(peerCertificate, verified);
  return toCertificate(readSource(source, request), true);
}

/** A source that fails has found no certificate: the client is refused, not the server ended. */
function readSource(
  source: NonNullable<IssuerSettings['clientCertificate']>,
  { request, connection }: Pick<ClientRequest, 'request' | 'connection'>,
): string | Uint8Array | undefined {
  const { encrypted = false, remoteAddress, peerCertificate } = connection;
  const { method, url, headers } = request;
  try {
    return source({ method, url, headers, connection: { encrypted, remoteAddress, peerCertificate } });
  } catch {
    return undefined;
  }
}

function toCertificate(given: unknown, verified: boolean): ClientCertificate | undefined {
  if (typeof given !== 'string' && !(given instanceof Uint8Array)) return undefined;
  try {
    const { raw: der } = new X509Certificate(certificateDer(given) ?? '');
    return { der, thumbprint: createHash('sha256').update(der).digest('base64url'), verified };
  } catch {
    return undefined;
  }
}
