/** A certificate authority of the test, and what it signs. */
import { generate } from 'selfsigned';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export interface Authority {
  readonly cert: string;
  /** A certificate for a name, or an address as `ip:127.0.0.1`. */
  issue(name: string): Promise<Certificate>;
}

export async function createAuthority(name = 'authority.example'): Promise<Authority> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true },
    ],
  });
  return { cert, issue: (subject) => createCertificate(subject, { key, cert }) };
}

/** Signed by the authority, or by itself. */
export async function createCertificate(name: string, ca?: Certificate): Promise<Certificate> {
  const isAddress = name.startsWith('ip:');
  const { private: key, cert } = await generate([{ name: 'commonName', value: name.replace('ip:', '') }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: [isAddress ? { type: 7, ip: name.slice(3) } : { type: 2, value: name }],
      },
    ],
    ...(ca !== undefined && { ca }),
  });
  return { key, cert };
}
