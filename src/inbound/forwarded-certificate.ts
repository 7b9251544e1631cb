import { split } from '../shared/forwarded.ts';
import { createIpRanges } from '../shared/ip-range.ts';
import { OptionChecker } from '../shared/options.ts';
import type { CertificateSource } from './certificate.ts';

export interface ForwardedCertificateOptions {
  /** IP addresses or CIDR ranges of the proxies that end TLS; the header of anybody else is not looked at. */
  readonly trustProxy: readonly string[];
  /**
   * The header with the certificate. `x-forwarded-client-cert` is read as Envoy writes it; any other holds one PEM
   * certificate, percent-encoded or not. @default 'x-forwarded-client-cert'
   */
  readonly header?: string;
}

const XFCC = 'x-forwarded-client-cert';
const LONGEST = 64 * 1024;

/**
 * Takes the TLS client certificate from a header of a proxy that ended TLS, for tokens bound to it (RFC 8705).
 *
 * Not checked: that the proxy removes such a header when callers send it; without that anybody can claim any
 * certificate.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import { createVerifier, forwardedClientCertificate } from 'service-auth';
 *
 * export const verifier = createVerifier({
 *   issuer: 'https://idp.example',
 *   audience: 'https://orders.example',
 *   clientCertificate: forwardedClientCertificate({ trustProxy: ['10.0.0.0/8'] }),
 * });
 * ```
 */
export function forwardedClientCertificate(options: ForwardedCertificateOptions): CertificateSource {
  const check = new OptionChecker('forwardedClientCertificate');
  const given = check.object('options', options, ['trustProxy', 'header']);
  const isTrusted = createIpRanges(check, 'trustProxy', given.trustProxy);
  const header = check.string('header', given.header ?? XFCC).toLowerCase();
  return ({ connection, headers }) => {
    if (!isTrusted(connection?.remoteAddress)) return undefined;
    const value = headers.get(header);
    if (value === null || value === undefined || value.length > LONGEST) return undefined;
    if (header === XFCC) return readXfcc(value);
    // A comma joins fields: one of them may be the caller's own.
    return value.includes(',') ? undefined : value;
  };
}

/** The `Cert` of the last element: each proxy appends what it saw itself. */
function readXfcc(value: string): string | undefined {
  const pairs = split(split(value, ',')?.at(-1) ?? '', ';') ?? [];
  const found = pairs.filter((pair) => pair.toLowerCase().startsWith('cert='));
  const [cert] = found;
  if (cert === undefined || found.length > 1) return undefined;
  const text = cert.slice(cert.indexOf('=') + 1);
  return text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}
