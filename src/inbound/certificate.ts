/** Tokens bound to a TLS client certificate (RFC 8705 section 3). */
import { encodeBase64url } from '../shared/base64url.ts';
import { sha256 } from '../shared/crypto.ts';
import { Fault } from '../shared/fault.ts';
import { andThen, attempt, type MaybePromise } from '../shared/maybe-async.ts';
import type { AuthRequest } from './credentials.ts';

/** Gives the TLS client certificate of a request in PEM or DER, or nothing. */
export type CertificateSource = (request: AuthRequest) => string | Uint8Array | undefined;

/** Compares the certificate of a request with the thumbprint that a token is bound to. */
export type CertificateCheck = (
  request: AuthRequest | undefined,
  thumbprint: string,
) => MaybePromise<Fault | undefined>;

export function createCertificateCheck(source: CertificateSource = ofConnection): CertificateCheck {
  return (request, thumbprint) => {
    const actual = request && andThen(readSource(source, request), certificateThumbprint);
    return andThen(actual, (presented) => {
      if (presented === undefined) return refuse('missing_certificate');
      return presented === thumbprint ? undefined : refuse('certificate_mismatch', presented);
    });

    function refuse(reason: 'missing_certificate' | 'certificate_mismatch', presented?: string): Fault {
      return new Fault(
        'certificate',
        reason,
        `the client certificate with x5t#S256 ${thumbprint}`,
        presented,
      );
    }
  };
}

function ofConnection({ connection }: AuthRequest): Uint8Array | undefined {
  return connection?.peerCertificate;
}

/** A source that fails has found no certificate; the request is refused, not the process ended. */
function readSource(
  source: CertificateSource,
  request: AuthRequest,
): MaybePromise<string | Uint8Array | undefined> {
  const found = attempt<unknown, undefined>(
    () => source(request),
    () => undefined,
  );
  return andThen(found, (value) =>
    // Anything else may come, such as the `null` of a header that is not there.
    typeof value === 'string' || value instanceof Uint8Array ? value : undefined,
  );
}

/** `x5t#S256` (RFC 8705 section 3.1) of a certificate in DER or PEM; `undefined` if it is neither. */
export function certificateThumbprint(
  certificate: string | Uint8Array | undefined,
): MaybePromise<string | undefined> {
  const der = typeof certificate === 'string' ? decodePem(certificate) : certificate;
  // A certificate is an ASN.1 SEQUENCE of more than 127 bytes; anything else is some other text or blob.
  if (der === undefined || der.length < 128 || der[0] !== 0x30) return undefined;
  return andThen(sha256(Uint8Array.from(der)), encodeBase64url);
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
