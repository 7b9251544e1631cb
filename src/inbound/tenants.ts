/** One entry for many issuers that differ in the tenant alone. */
import type { OptionChecker } from '../shared/options.ts';

interface Template {
  readonly issuer: string;
  readonly tenants?: readonly string[] | undefined;
  readonly jwksUri?: string | undefined;
}

const PLACE = '{tenant}';

/** Puts each tenant in its place: every issuer is then trusted by its full name, and none by likeness. */
export function expandTenants<T extends Template>(
  check: OptionChecker,
  template: T,
): readonly Omit<T, 'tenants'>[] {
  const { tenants, ...one } = template;
  const issuer = check.string('issuer', template.issuer);
  const hasPlace = issuer.includes(PLACE);
  if (tenants === undefined) {
    if (hasPlace) check.fail('tenants', `given, since issuer holds ${PLACE}`, tenants);
    if (one.jwksUri?.includes(PLACE))
      check.fail('jwksUri', `without ${PLACE}, since no tenants are given`, one.jwksUri);
    return [one];
  }
  if (!hasPlace) check.fail('issuer', `a URL with ${PLACE}, since tenants are given`, issuer);
  const names = check.strings('tenants', tenants);
  for (const name of names) {
    if (!isTenant(name)) check.fail('tenants', 'of letters, digits, dots, hyphens and underscores', name);
  }
  if (new Set(names).size < names.length) check.fail('tenants', 'named once each', tenants);
  return names.map((name) => {
    const { jwksUri } = template;
    const filled = { ...one, issuer: issuer.replaceAll(PLACE, name) };
    return jwksUri === undefined ? filled : { ...filled, jwksUri: jwksUri.replaceAll(PLACE, name) };
  });
}

function isTenant(name: string): boolean {
  return name !== '.' && name !== '..' && /^[\w.-]{1,255}$/.test(name);
}
