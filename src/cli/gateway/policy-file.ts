/**
 * The policy file: whose tokens count, which proxies are believed, what each route asks.
 *
 * Checked by OptionChecker rather than by a schema: what a route asks is a policy of the library, which is judged by the
 * library itself, and mistakes read alike in code and in the file.
 */
import { type DpopOptions, optionError, type Policy, type VerifierOptions } from '../../index.ts';
import { createIpRanges } from '../../shared/ip-range.ts';
import { OptionChecker } from '../../shared/options.ts';
import { isHostName, withoutDot } from './original-request.ts';
import { findRepeatedMember } from './repeated-member.ts';
import { isPlainPath } from './request-path.ts';
import type { RoutePlace } from './routes.ts';

export interface PolicyRoute extends RoutePlace {
  /** `undefined` for an open route, whose requests pass without a look at their credentials. */
  readonly policy: Policy | undefined;
}

export interface PolicyFile {
  /** As they stand in the file; checked where the verifier is made. */
  readonly verifier: VerifierOptions;
  readonly isTrusted: (address: string | undefined) => boolean;
  /** For certificates that a proxy passes on; `undefined` where none does. */
  readonly certificate: { readonly trustProxy: readonly string[]; readonly header: string } | undefined;
  readonly routes: readonly PolicyRoute[];
}

const WHERE = 'policy file';
const members = ['trustProxy', 'clientCertificateHeader', 'verifier', 'routes'];
/** What a verifier takes that JSON can hold and the gateway does not decide itself. */
const verifierMembers = [
  'issuer',
  'audience',
  'typ',
  'clockToleranceSeconds',
  'maxTokenAgeSeconds',
  'dpop',
  'publicUrl',
  'cache',
  'realm',
  'resourceMetadata',
] as const satisfies readonly (keyof VerifierOptions)[];
/** The store of used proofs is the gateway's, since it outlives the file. */
const dpopMembers = [
  'mode',
  'algorithms',
  'maxAgeSeconds',
  'toleranceSeconds',
  'nonce',
] as const satisfies readonly (keyof DpopOptions)[];
const placeMembers = ['host', 'path', 'prefix', 'methods', 'open'] as const;
const policyMembers = [
  'scope',
  'clients',
  'audience',
  'senderConstrained',
  'actors',
  'serviceOnly',
  'optional',
] as const satisfies readonly (keyof Policy)[];

/**
 * Reads the text of a policy file.
 *
 * @throws TypeError that names the member, the rule and the value.
 */
export function readPolicyFile(text: string): PolicyFile {
  const check = new OptionChecker(WHERE);
  const given = check.object('the whole', parse(text, check), members);
  const { clientCertificateHeader: header } = given;
  const trustProxy = check.strings('trustProxy', given.trustProxy);
  const routes = Array.isArray(given.routes)
    ? given.routes
    : check.failKind('routes', 'a list', given.routes);
  if (routes.length === 0) check.fail('routes', 'a list of at least one route', routes);
  return Object.freeze({
    verifier: readVerifier(check, given.verifier === undefined ? {} : given.verifier),
    isTrusted: createIpRanges(check, 'trustProxy', trustProxy),
    certificate: header === undefined ? undefined : { trustProxy, header: readHeaderName(check, header) },
    routes: routes.map((route, at) => readRoute(check, `routes[${at}]`, route)),
  });
}

function parse(text: string, check: OptionChecker): unknown {
  const value = parseJson(text, check);
  const twice = findRepeatedMember(text);
  if (twice === undefined) return value;
  throw optionError('options_conflict', `${WHERE}: ${twice.place || 'the whole'} has ${twice.name} twice`);
}

/** What the parser says shows some of the text, in which a secret may be. */
function parseJson(text: string, check: OptionChecker): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return check.failSecret('the whole', 'JSON');
  }
}

function readVerifier(check: OptionChecker, given: unknown): VerifierOptions {
  const verifier = check.object('verifier', given, verifierMembers);
  const { audience: _mayBeNull, publicUrl, dpop, ...others } = verifier;
  check.noneUnset(others, 'verifier.');
  if (publicUrl !== undefined && typeof publicUrl !== 'string') {
    check.failKind('verifier.publicUrl', 'a URL (trustProxy stands beside verifier)', publicUrl);
  }
  if (dpop !== undefined && dpop !== false && typeof dpop !== 'string') {
    check.object('verifier.dpop', dpop, dpopMembers);
  }
  return verifier;
}

function readHeaderName(check: OptionChecker, name: unknown): string {
  const text = check.headerText('clientCertificateHeader', name);
  return /^[\w-]{1,64}$/.test(text)
    ? text
    : check.fail('clientCertificateHeader', 'the name of a header', name);
}

function readRoute(check: OptionChecker, name: string, value: unknown): PolicyRoute {
  const given = check.object(name, value, [...placeMembers, ...policyMembers]);
  check.noneUnset(given, `${name}.`);
  const policy: Record<string, unknown> = Object.fromEntries(
    policyMembers.flatMap((member) => (member in given ? [[member, given[member]]] : [])),
  );
  const isOpen = check.boolean(`${name}.open`, given.open ?? false);
  const [asked] = Object.keys(policy);
  if (isOpen && asked !== undefined) check.fail(`${name}.open`, `given without ${asked}`, true);
  return Object.freeze({ ...readPlace(check, name, given), policy: isOpen ? undefined : policy });
}

function readPlace(check: OptionChecker, name: string, given: Record<string, unknown>): RoutePlace {
  const { host, path, prefix, methods } = given;
  if ((path === undefined) === (prefix === undefined)) {
    check.failSecret(name, 'given a path or a prefix, and not both');
  }
  const isPrefix = prefix !== undefined;
  return {
    host: host === undefined ? undefined : readHost(check, `${name}.host`, host),
    path: readRoutePath(check, isPrefix ? `${name}.prefix` : `${name}.path`, isPrefix ? prefix : path),
    isPrefix,
    methods: methods === undefined ? undefined : readMethods(check, `${name}.methods`, methods),
  };
}

function readHost(check: OptionChecker, name: string, value: unknown): string {
  const text = check.string(name, value).toLowerCase();
  return isHostName(text)
    ? withoutDot(text)
    : check.fail(name, 'a host name without port or wildcard', value);
}

function readRoutePath(check: OptionChecker, name: string, value: unknown): string {
  const path = check.string(name, value);
  const isEnded = path.length > 1 && path.endsWith('/');
  if (isPlainPath(path) && !isEnded) return path;
  const rule = 'a path such as /orders: decoded, without query, empty or dot segments and a slash at its end';
  return check.fail(name, rule, value);
}

/** Methods are case-sensitive (RFC 9110 section 9.1): in lower case they would cover nothing. */
function readMethods(check: OptionChecker, name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) check.fail(name, "a list such as ['GET', 'HEAD']", value);
  const methods = check.strings(name, value);
  for (const method of methods) {
    if (!/^[A-Z][A-Z-]*$/.test(method)) check.fail(name, 'of methods in capitals', method);
  }
  return methods;
}
