/** Checks of URLs in options: whatever is sent there, or believed from there, must be safe. */
import { isSecureUrl } from './http.ts';
import type { Discovery } from './metadata.ts';
import type { OptionChecker } from './options.ts';

const rule = 'an https URL (plain http only on loopback addresses)';

/** A URL with a user in it is not shown, since it may hold a password. */
export function checkSecureUrl(check: OptionChecker, option: string, value: unknown): string {
  const url = check.string(option, value, rule);
  if (!URL.canParse(url)) return check.fail(option, rule, url);
  const { username, password } = new URL(url);
  if (username !== '' || password !== '') check.failSecret(option, `${rule} without a user in it`);
  // The parser would mend it in silence, and no token says it so.
  if (url !== url.trim()) check.fail(option, `${rule} without white space`, url);
  return isSecureUrl(url) ? url : check.fail(option, rule, url);
}

/** RFC 8414 section 2: an https URL without query and fragment. */
export function checkIssuerUrl(check: OptionChecker, value: unknown, option = 'issuer'): string {
  const issuer = checkSecureUrl(check, option, value);
  const isBare = !issuer.includes('?') && !issuer.includes('#');
  return isBare ? issuer : check.fail(option, 'a URL without query and fragment', issuer);
}

export function checkDiscovery(check: OptionChecker, value: unknown): Discovery {
  if (value === 'oauth-authorization-server' || value === 'openid-configuration') return value;
  const names = "'oauth-authorization-server', 'openid-configuration' or the URL of the metadata";
  const url = check.string('discovery', value, names);
  return URL.canParse(url) ? checkSecureUrl(check, 'discovery', url) : check.fail('discovery', names, url);
}
