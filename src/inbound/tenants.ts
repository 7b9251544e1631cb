/** One entry for many issuers that differ in the tenant alone. */
import type { OptionChecker } from '../shared/options.ts';

interface Template {
  readonly issuer: string;
  readonly tenants?: readonly string[];
  readonly jwksUri?: string;
  readonly discovery?: string;
  readonly secret?: unknown;
  readonly introspection?: boolean | { readonly endpoint?: string | undefined };
}

const PLACE = '{tenant}';

/** Puts each tenant in its place: every issuer is then trusted by its full name, and none by likeness. */
export function expandTenants<T extends Template>(
  check: OptionChecker,
  template: T,
): readonly Omit<T, 'tenants'>[] {
  const { tenants, ...one } = template;
  const issuer = check.string('issuer', template.issuer);
  if (tenants === undefined) {
    if (issuer.includes(PLACE))
      check.fail('tenants', `given, since issuer holds ${PLACE}`, tenants, { code: 'options_conflict' });
    for (const [option, url] of placesOf(template)) {
      if (url.includes('{'))
        check.fail(option, `without ${PLACE}, since no tenants are given`, url, { code: 'options_conflict' });
    }
    return [one];
  }
  if (!issuer.includes(PLACE))
    check.fail('issuer', `a URL with ${PLACE}, since tenants are given`, issuer, {
      code: 'options_conflict',
    });
  // Whoever of them holds it could sign for every other.
  if (template.secret !== undefined)
    check.failSecret('secret', 'left out where tenants would share it', { code: 'options_conflict' });
  for (const [option, url] of placesOf(template)) {
    if (fill(url, '').includes('{')) check.fail(option, `a URL with no other place than ${PLACE}`, url);
  }
  const names = check.strings('tenants', tenants);
  for (const name of names) {
    if (!isTenant(name)) check.fail('tenants', 'of letters, digits, dots, hyphens and underscores', name);
  }
  if (new Set(names).size < names.length) check.fail('tenants', 'named once each', tenants);
  return names.map((name) => ({ ...one, ...filled(template, name) }));
}

/** The URLs that may hold the place; what is no text is a mistake that is found elsewhere. */
function placesOf({
  issuer,
  jwksUri,
  discovery,
  introspection,
}: Template): readonly (readonly [string, string])[] {
  const endpoint = typeof introspection === 'object' ? introspection?.endpoint : undefined;
  const urls = { issuer, jwksUri, discovery, 'introspection.endpoint': endpoint };
  return Object.entries(urls).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
}

function filled({ issuer, jwksUri, discovery, introspection }: Template, name: string): Template {
  const settings = typeof introspection === 'object' ? introspection : {};
  const { endpoint } = settings;
  return {
    issuer: fill(issuer, name),
    ...(jwksUri !== undefined && { jwksUri: fill(jwksUri, name) }),
    ...(discovery !== undefined && { discovery: fill(discovery, name) }),
    ...(endpoint !== undefined && { introspection: { ...settings, endpoint: fill(endpoint, name) } }),
  };
}

/** What is no text is left for the check of its option. */
function fill(url: string, name: string): string {
  return typeof url === 'string' ? url.replaceAll(PLACE, name) : url;
}

function isTenant(name: string): boolean {
  return name !== '.' && name !== '..' && /^[\w.-]{1,255}$/.test(name);
}
