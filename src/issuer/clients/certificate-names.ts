/** Whom a certificate is about. Read from its DER, since in text a name can be made to look like two. */
import { type DerValue, decodeOid, readDer } from './der.ts';
import { type DistinguishedName, readDistinguishedName } from './distinguished-name.ts';

export interface CertificateNames {
  readonly subject: DistinguishedName;
  readonly dns: readonly string[];
  readonly uris: readonly string[];
  readonly emails: readonly string[];
  /** In bytes: four or sixteen. */
  readonly addresses: readonly (readonly number[])[];
}

const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const SUBJECT_ALT_NAME = '2.5.29.17';
/** Of `GeneralName` (RFC 5280 section 4.2.1.6). */
const EMAIL = 0x81;
const DNS = 0x82;
const URI = 0x86;
const ADDRESS = 0x87;

/** The names in a certificate. @throws RangeError for what is not a certificate in DER */
export function readCertificateNames(der: Uint8Array): CertificateNames {
  const [certificate] = readDer(der);
  const [body] = readDer(contentOf(certificate));
  const members = readDer(contentOf(body));
  // The version may be left out, and stands before all else (RFC 5280 section 4.1).
  const first = members[0]?.tag === VERSION ? 1 : 0;
  const names = readAltNames(members.find(({ tag }) => tag === EXTENSIONS));
  const texts = (kind: number): readonly string[] =>
    names.filter(({ tag }) => tag === kind).map(({ content }) => Buffer.from(content).toString('latin1'));
  return {
    subject: readDistinguishedName(contentOf(members[first + 4])),
    dns: texts(DNS),
    uris: texts(URI),
    emails: texts(EMAIL),
    addresses: names.filter(({ tag }) => tag === ADDRESS).map(({ content }) => [...content]),
  };
}

function readAltNames(extensions: DerValue | undefined): readonly DerValue[] {
  if (extensions === undefined) return [];
  const [list] = readDer(extensions.content);
  const found = readDer(contentOf(list))
    .map(({ content }) => readDer(content))
    .filter(([id]) => decodeOid(contentOf(id)) === SUBJECT_ALT_NAME);
  // There is one at most (RFC 5280 section 4.2); of two nobody knows which counts.
  const [extension, ...more] = found;
  if (extension === undefined || more.length > 0) return [];
  const [names] = readDer(contentOf(extension.at(-1)));
  return readDer(contentOf(names));
}

function contentOf(value: DerValue | undefined): Uint8Array {
  if (value === undefined) throw new RangeError('not a certificate');
  return value.content;
}
