import { encodeBase64url } from './base64url.ts';
import { sha256 } from './crypto.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';
import type { Bytes } from './runtime.ts';

/** `x5t#S256` (RFC 8705 section 3.1) of a certificate in DER or PEM; `undefined` if it is neither. */
export function certificateThumbprint(
  certificate: string | Uint8Array | undefined,
): MaybePromise<string | undefined> {
  const der = certificateDer(certificate);
  return der && andThen(sha256(der), encodeBase64url);
}

/** The DER of a certificate in DER or PEM; `undefined` if it is neither. */
export function certificateDer(certificate: string | Uint8Array | undefined): Bytes | undefined {
  const der = typeof certificate === 'string' ? decodePem(certificate) : certificate;
  // A certificate is an ASN.1 SEQUENCE of more than 127 bytes; anything else is some other text or blob.
  if (der === undefined || der.length < 128 || der[0] !== 0x30) return undefined;
  return Uint8Array.from(der);
}

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

/** The first block of a PEM text, also percent-encoded, as proxies put it into headers. */
function decodePem(text: string): Uint8Array | undefined {
  try {
    const pem = text.includes('%') ? decodeURIComponent(text) : text;
    const begin = pem.indexOf(BEGIN);
    const end = pem.indexOf(END, begin);
    if (begin === -1 || end === -1) return undefined;
    // `atob` skips white space.
    const binary = atob(pem.slice(begin + BEGIN.length, end));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
