/** The error that a `WWW-Authenticate` header tells (RFC 6750 section 3, RFC 9449 section 7.1). */
export interface Challenge {
  readonly error: string | undefined;
  readonly description: string | undefined;
  readonly takesDpop: boolean;
}

/** Reads what is needed of the challenges, whichever of them has the error; `undefined` where there is none. */
export function readChallenge(header: string | null): Challenge | undefined {
  if (header === null) return undefined;
  return {
    error: parameter(header, 'error'),
    description: parameter(header, 'error_description'),
    takesDpop: /(^|,\s*)DPoP\b/i.test(header),
  };
}

function parameter(header: string, name: string): string | undefined {
  return new RegExp(`(?:^|[\\s,])${name}="([^"]{0,300})"`, 'i').exec(header)?.[1];
}
