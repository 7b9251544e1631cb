/** Checks of URLs in the options of an issuer. */
import { assertSecureUrl } from '../shared/http.ts';
import type { OptionChecker } from '../shared/options.ts';

/** RFC 8414 section 2: an https URL without query and fragment. */
export function checkIssuerUrl(check: OptionChecker, issuer: string): void {
  checkSecureUrl(check, 'issuer', issuer);
  const { search, hash, username, password } = new URL(issuer);
  if (search !== '' || hash !== '' || username !== '' || password !== '') {
    check.fail('issuer', 'a URL without query, fragment and user', issuer);
  }
}

export function checkSecureUrl(check: OptionChecker, option: string, value: unknown): string {
  const rule = 'an https URL (plain http only on loopback addresses)';
  const url = check.string(option, value, rule);
  // The parser would mend it in silence, and no token says it so.
  if (url !== url.trim()) check.fail(option, `${rule}, without white space`, url);
  try {
    assertSecureUrl(url);
    return url;
  } catch {
    return check.fail(option, rule, url);
  }
}
