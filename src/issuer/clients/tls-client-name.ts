/** Whether a certificate is that of a service, by the one name that is registered (RFC 8705 section 2.1.2). */
import { parseAddress } from '../../shared/ip-range.ts';
import type { TlsClientName } from '../storage/records.ts';
import { type CertificateNames, readCertificateNames } from './certificate-names.ts';
import { isSameName, parseDistinguishedName } from './distinguished-name.ts';

type Matcher = (names: CertificateNames, expected: string) => boolean;

const matchers: { readonly [Kind in keyof TlsClientName]-?: Matcher } = {
  subjectDn({ subject }, expected) {
    const name = parseDistinguishedName(expected);
    return name !== undefined && isSameName(subject, name);
  },
  // A wildcard is a text like any other: it stands for no host here.
  sanDns: ({ dns }, expected) => dns.some((name) => name.toLowerCase() === expected.toLowerCase()),
  sanUri: ({ uris }, expected) => uris.includes(expected),
  sanIp({ addresses }, expected) {
    const address = parseAddress(expected);
    return address !== undefined && addresses.some((bytes) => isSameAddress(bytes, address));
  },
  sanEmail: ({ emails }, expected) =>
    emails.some((email) => canonicalEmail(email) === canonicalEmail(expected)),
};

/**
 * Compares the names of a certificate with the registered one; of several each must be there.
 *
 * Not checked: who vouches for the certificate, and its dates.
 */
export function hasTlsClientName(der: Uint8Array, expected: TlsClientName): boolean {
  const rules = Object.entries(matchers).flatMap(([kind, matches]) => {
    const value = expected[kind as keyof TlsClientName];
    return value === undefined ? [] : [(names: CertificateNames) => matches(names, value)];
  });
  try {
    const names = readCertificateNames(der);
    return rules.length > 0 && rules.every((rule) => rule(names));
  } catch {
    return false;
  }
}

function isSameAddress(bytes: readonly number[], address: readonly number[]): boolean {
  return bytes.length === address.length && bytes.every((byte, at) => byte === address[at]);
}

/** The case of letters counts before the last @ and nowhere after it (RFC 5321 section 2.4). */
function canonicalEmail(email: string): string {
  const at = email.lastIndexOf('@');
  return email.slice(0, at) + email.slice(at).toLowerCase();
}
