/** A TLS client certificate and its thumbprint: those of RFC 8705, appendix A. */
import { readVectors } from './vectors.ts';

interface CertificateVector {
  readonly certificate_pem: string;
  readonly claims: { readonly cnf: { readonly 'x5t#S256': string } };
}

const vectors = readVectors('rfc8705-cnf') as unknown as readonly CertificateVector[];
const [first, second] = vectors;
if (first === undefined || second === undefined) throw new Error('rfc8705-cnf has too few cases');

export const certificatePem = first.certificate_pem;
export const certificateThumbprint = first.claims.cnf['x5t#S256'];
/** Of a certificate that nobody here has. */
export const otherThumbprint = second.claims.cnf['x5t#S256'];
