/** Certificates of TLS clients without TLS: they travel in a header that only verifiers of a test issuer read. */
import { createHash } from 'node:crypto';
import type { CertificateSource } from '../../src/index.ts';
import { certificateDer } from '../../src/shared/certificate-thumbprint.ts';
import type { OptionChecker } from '../../src/shared/options.ts';

export const certificateHeader = 'x-test-client-certificate';

/** Self-signed, and nobody has the keys any more. */
const testCertificate = `-----BEGIN CERTIFICATE-----
MIIBfDCCASKgAwIBAgIJBU1zf08O8IH2MAoGCCqGSM49BAMCMBYxFDASBgNVBAMT
C3Rlc3QgY2xpZW50MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAW
MRQwEgYDVQQDEwt0ZXN0IGNsaWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BPnvXFFRHe2Dh3JBOZFJ5Blf6Zlj1FxeJd2dpf+/IWyIz7/czAQWRRQToRszBt9W
+41HDUxSkTUvVhq+KOKwNEijVzBVMAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQD
AgWgMB0GA1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjAWBgNVHREEDzANggt0
ZXN0IGNsaWVudDAKBggqhkjOPQQDAgNIADBFAiEAwHW3HoUJdvkw7MrEGJorIAa6
2a3O57SN8SJs08zPgYYCIAngB/Pryt3p3/CXTAAXyqcLzZHEZZNWXc5OLUMrhNxI
-----END CERTIFICATE-----
`;
const otherCertificate = `-----BEGIN CERTIFICATE-----
MIIBlDCCATqgAwIBAgIJeLF2maSt61HLMAoGCCqGSM49BAMCMB4xHDAaBgNVBAMT
E2Fub3RoZXIgdGVzdCBjbGllbnQwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEw
MDAwMDBaMB4xHDAaBgNVBAMTE2Fub3RoZXIgdGVzdCBjbGllbnQwWTATBgcqhkjO
PQIBBggqhkjOPQMBBwNCAARnywI65VIqVk+2qfLNj4mNQiEAaEIfunPKUSbqz6T+
uo8esgnVGzF8HEKUqY3gyD5AdeWgOZXh7HMmJcZRpEGwo18wXTAMBgNVHRMBAf8E
AjAAMA4GA1UdDwEB/wQEAwIFoDAdBgNVHSUEFjAUBggrBgEFBQcDAQYIKwYBBQUH
AwIwHgYDVR0RBBcwFYITYW5vdGhlciB0ZXN0IGNsaWVudDAKBggqhkjOPQQDAgNI
ADBFAiEAk7NeONiq/IVcAL6qgV75tDMN0Tv/wurtm/EfcNJ3Ey0CICvqGPjuDiQi
d4Khnv9piih2ehcW6r58bnzOGAutbOgk
-----END CERTIFICATE-----
`;

/** A certificate that a token is bound to. */
export interface BoundCertificate {
  /** `x5t#S256` (RFC 8705 section 3.1). */
  readonly thumbprint: string;
  readonly headerValue: string;
}

/** Reads the option of a token: the built-in certificate, or the test's own. */
export function readCertificate(check: OptionChecker, option: unknown): BoundCertificate | undefined {
  if (option === undefined || option === false) return undefined;
  const given = option === true ? testCertificate : option;
  const isText = typeof given === 'string' || given instanceof Uint8Array;
  const der = isText ? certificateDer(given) : undefined;
  if (der === undefined) return check.failKind('certificate', 'true, or a certificate in PEM or DER', option);
  return toBound(der);
}

/** That of somebody else. */
export function strangersCertificate(): string {
  return toBound(certificateDer(otherCertificate) ?? new Uint8Array(0)).headerValue;
}

function toBound(der: Uint8Array): BoundCertificate {
  return {
    thumbprint: createHash('sha256').update(der).digest('base64url'),
    headerValue: Buffer.from(der).toString('base64'),
  };
}

/** The header first, then the connection, for tests that do have TLS. */
export const testCertificateSource: CertificateSource = ({ headers, connection }) => {
  const value = headers.get(certificateHeader);
  return value === null || value === undefined ? connection?.peerCertificate : Buffer.from(value, 'base64');
};
