/** Checks of URLs in options: whatever is sent there, or believed from there, must be safe. */
import type { OptionErrorCode } from '../errors.ts';
import { isSecureUrl } from './http.ts';
import { documentHint } from './issuer-hints.ts';
import type { Discovery } from './metadata.ts';
import type { OptionChecker } from './options.ts';
import { parseUrl } from './url.ts';

const rule = 'an https URL (plain http only on loopback addresses)';

interface UrlCodes {
  readonly notUrl: OptionErrorCode;
  readonly notHttps: OptionErrorCode;
}

const anyUrl: UrlCodes = { notUrl: 'option_invalid', notHttps: 'url_not_https' };
const issuerUrl: UrlCodes = { notUrl: 'issuer_not_url', notHttps: 'issuer_not_https' };

/** A URL with a user in it is not shown, since it may hold a password. */
export function checkSecureUrl(
  check: OptionChecker,
  option: string,
  value: unknown,
  codes: UrlCodes = anyUrl,
): string {
  const url = check.string(option, value, rule);
  const { notUrl: code, notHttps } = codes;
  const parsed = parseUrl(url);
  if (hasUser(url, parsed)) check.failSecret(option, `${rule} without a user in it`, { code });
  if (parsed === undefined) return check.fail(option, rule, url, { code, hint: schemeHint(url) });
  // The parser would mend it in silence, and no token says it so.
  if (url !== url.trim()) check.fail(option, `${rule} without white space`, url, { code });
  if (isSecureUrl(url)) return url;
  // What looks like a port of a host, orders.example:8443, is a scheme to the parser.
  const isHttp = parsed.protocol === 'http:';
  const mistake = isHttp ? { code: notHttps } : { code, hint: schemeHint(url) };
  return check.fail(option, rule, url, mistake);
}

/** What is not written as a URL may hold a password all the same: `user:password@idp.example`. */
function hasUser(text: string, url: URL | undefined): boolean {
  if (url === undefined || !text.includes('://')) return text.includes('@');
  return url.username !== '' || url.password !== '';
}

function schemeHint(url: string): string | undefined {
  return !url.includes('://') && parseUrl(`https://${url}`) ? 'is https:// missing?' : undefined;
}

/** RFC 8414 section 2: an https URL without query and fragment. */
export function checkIssuerUrl(check: OptionChecker, value: unknown, option = 'issuer'): string {
  const issuer = checkSecureUrl(check, option, value, issuerUrl);
  const code = 'issuer_not_url';
  if (issuer.includes('?') || issuer.includes('#')) {
    return check.fail(option, 'a URL without query and fragment', issuer, { code });
  }
  const hint = documentHint(issuer);
  if (hint === undefined) return issuer;
  const name = 'the name of the issuer, not the URL of one of its documents';
  return check.fail(option, name, issuer, { code: 'issuer_is_document', hint });
}

export function checkDiscovery(check: OptionChecker, value: unknown): Discovery {
  if (value === 'oauth-authorization-server' || value === 'openid-configuration') return value;
  const names = "'oauth-authorization-server', 'openid-configuration' or the URL of the metadata";
  const url = check.string('discovery', value, names);
  return parseUrl(url) ? checkSecureUrl(check, 'discovery', url) : check.fail('discovery', names, url);
}
