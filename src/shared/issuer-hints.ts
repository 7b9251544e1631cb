/** What an issuer that was configured wrongly was probably meant to be; for messages alone. */

const WELL_KNOWN = '/.well-known/';

/** For a URL that is surely none of an issuer: that of a document at a well-known place (RFC 8615). */
export function documentHint(issuer: string): string | undefined {
  const at = issuer.indexOf(WELL_KNOWN);
  if (at < 0) return undefined;
  const [, ...path] = issuer.slice(at + WELL_KNOWN.length).split('/');
  // RFC 8414 section 3.1 puts the issuer's path behind the well-known part.
  const name = `${issuer.slice(0, at)}${path.map((segment) => `/${segment}`).join('')}`;
  return `its metadata says it by the member issuer, probably ${name} or ${name}/`;
}

/** How the paths of other endpoints end at common issuers. */
const endpoints: readonly (readonly [what: string, path: RegExp])[] = [
  ['token endpoint', /\/token\/?$/i],
  ['key set', /\/(jwks|jwks\.json|keys|certs)\/?$/i],
  ['introspection endpoint', /\/introspect(ion)?\/?$/i],
  ['authorization endpoint', /\/auth(orize|orization)?\/?$/i],
];

/** For an issuer that was not found: its URL may be that of an endpoint. */
export function endpointHint(issuer: string): string | undefined {
  const { pathname } = new URL(issuer);
  const found = endpoints.find(([, path]) => path.test(pathname));
  return found && `is it the URL of the ${found[0]}, and not the name of the issuer?`;
}
