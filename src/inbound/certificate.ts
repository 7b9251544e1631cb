/** Tokens bound to a TLS client certificate (RFC 8705 section 3). */
import { certificateThumbprint } from '../shared/certificate-thumbprint.ts';
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
