/** The contract: what each request gets, on every framework. */
import { createPublicKey } from 'node:crypto';
import {
  audience,
  encodeJson,
  goodClaims,
  issuer,
  mint,
  nowSeconds,
  signHmac,
  type TestKey,
  withPart,
} from '../helpers/tokens.ts';
import { partnerIssuer, partnerSecret } from './routes.ts';

export interface Row {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly authorization?: string | readonly string[];
  readonly expected: Expected;
}

export interface Refused {
  readonly status: 400 | 401 | 403 | 503;
  readonly challenge: string | undefined;
  readonly error: Exclude<keyof typeof texts, 'none'> | undefined;
}

export type Expected = { readonly status: 200; readonly caller: object | null } | Refused;

export interface Keys {
  readonly es256: TestKey;
  readonly rs256: TestKey;
  readonly ps256: TestKey;
  readonly es384: TestKey;
  readonly es512: TestKey;
  readonly eddsa: TestKey;
  /** Not in the issuer's key set. */
  readonly stranger: TestKey;
}

const texts = {
  none: 'This request needs an access token',
  temporarily_unavailable: 'The access token cannot be verified at the moment',
  invalid_request: 'The credentials of this request are malformed',
  invalid_token: 'The access token is not valid here',
  insufficient_scope: 'The access token does not permit this request',
} as const;

/** The whole body of a refusal. */
export function bodyOf({ error }: Refused): object {
  return { ...(error && { error }), error_description: texts[error ?? 'none'] };
}

const algs = 'algs="ES256 EdDSA Ed25519 ES384 ES512 PS256 RS256"';
const dpop = `DPoP ${algs}`;
const realm = 'realm="a \\"quoted\\" \\\\ realm"';
const challenge = (error: keyof typeof texts, more = ''): string =>
  `Bearer error="${error}", error_description="${texts[error]}"${more}, ${dpop}`;
const anonymous: Expected = { status: 401, challenge: `Bearer, ${dpop}`, error: undefined };
const malformed: Expected = {
  status: 400,
  challenge: challenge('invalid_request'),
  error: 'invalid_request',
};
const invalid: Expected = { status: 401, challenge: challenge('invalid_token'), error: 'invalid_token' };
const undecided: Expected = { status: 503, challenge: undefined, error: 'temporarily_unavailable' };
const forbidden = (scope?: string): Expected => ({
  status: 403,
  challenge: challenge('insufficient_scope', scope === undefined ? '' : `, scope="${scope}"`),
  error: 'insufficient_scope',
});

const billing = {
  issuer,
  subject: 'billing',
  clientId: 'billing',
  kind: 'service',
  audience: [audience],
  scopes: ['orders:read', 'stock:read'],
  tokenId: 'token-1',
};
const accepted = (changes: object = {}): Expected => ({ status: 200, caller: { ...billing, ...changes } });
const bearer = (token: string): string => `Bearer ${token}`;

export async function createTable(keys: Keys): Promise<readonly Row[]> {
  const good = await mint(keys.es256);
  return [
    ...credentialRows(good),
    ...(await spellingRows(keys, good)),
    ...(await keyRows(keys)),
    ...(await claimRows(keys)),
    ...(await policyRows(keys, good)),
    ...outageRows(good),
  ];
}

function credentialRows(good: string): readonly Row[] {
  const row = (
    name: string,
    authorization: Row['authorization'],
    expected: Expected,
    path = '/any',
  ): Row => ({
    name,
    path,
    expected,
    ...(authorization !== undefined && { authorization }),
  });
  return [
    row('no credentials', undefined, anonymous),
    row('Basic credentials', 'Basic YmlsbGluZzpzZWNyZXQ=', anonymous),
    row('Digest credentials', 'Digest username="billing", realm="orders"', anonymous),
    row('a scheme that begins like Bearer', `Bearers ${good}`, anonymous),
    row('a token without scheme', good, anonymous),
    row('an empty header', '', anonymous),
    row('Basic credentials, then a token', ['Basic YTpi', bearer(good)], anonymous),
    row('a token, then Basic credentials', [bearer(good), 'Basic YTpi'], malformed),
    row('the scheme alone', 'Bearer', malformed),
    row('a good token', bearer(good), accepted()),
    row('the scheme in lower case', `bearer ${good}`, accepted()),
    row('the scheme in upper case', `BEARER ${good}`, accepted()),
    row('two spaces before the token', `Bearer  ${good}`, accepted()),
    row('spaces and no token', 'Bearer   ', malformed),
    row('two tokens', bearer(`${good} ${good}`), malformed),
    row('two tokens with a comma', bearer(`${good}, Bearer ${good}`), malformed),
    row('two Authorization headers', [bearer(good), bearer(good)], malformed),
    row('characters that no token has', bearer('"abc"'), malformed),
    row('a token in quotes', bearer(`"${good}"`), malformed),
    row('a token of 17,000 characters', bearer(`${good}${'A'.repeat(17_000)}`), invalid),
    row(
      'the realm, quoted',
      undefined,
      { status: 401, error: undefined, challenge: `Bearer ${realm}, DPoP ${realm}, ${algs}` },
      '/realm',
    ),
    { ...row('POST', bearer(good), accepted()), method: 'POST' },
    { ...row('HEAD', bearer(good), accepted()), method: 'HEAD' },
    { ...row('HEAD without credentials', undefined, anonymous), method: 'HEAD' },
    { ...row('OPTIONS', bearer(good), accepted()), method: 'OPTIONS' },
    { ...row('OPTIONS without credentials', undefined, anonymous), method: 'OPTIONS' },
  ];
}

async function spellingRows({ es256 }: Keys, good: string): Promise<readonly Row[]> {
  const [header = '', payload = '', signature = ''] = good.split('.');
  const row = (name: string, token: string): Row => ({
    name,
    path: '/any',
    authorization: bearer(token),
    expected: invalid,
  });
  const json = JSON.stringify(goodClaims());
  return [
    row('two parts', `${header}.${payload}`),
    row('four parts', `${good}.${signature}`),
    row('five parts, as JWE has', `${good}.${signature}.${signature}`),
    row('an empty signature', `${header}.${payload}.`),
    row('an empty payload', `${header}..${signature}`),
    row('an opaque token', '2YotnFZFEjr1zCsicMWpAA'),
    row('padding', `${good}==`),
    { ...row('padding in the middle', `${header}=.${payload}.${signature}`), expected: malformed },
    row('a header that is no JSON', withPart(good, 0, 'abcd')),
    row('a header that is a list', withPart(good, 0, encodeJson(['ES256']))),
    row('a payload that is no object', await es256.sign({}, '"text"')),
    row('a payload that is no JSON', await es256.sign({}, json.slice(1))),
    row('a payload nested 100 deep', await es256.sign({}, `{"a":${'['.repeat(100)}${']'.repeat(100)}}`)),
    row('alg missing', withPart(good, 0, encodeJson({ typ: 'at+jwt' }))),
    row('alg none', `${encodeJson({ alg: 'none' })}.${payload}.${signature}`),
    row('alg nOnE', `${encodeJson({ alg: 'nOnE' })}.${payload}.${signature}`),
    row('alg of another case', withPart(good, 0, encodeJson({ alg: 'es256', kid: es256.kid }))),
    row('crit', withPart(good, 0, encodeJson({ alg: 'ES256', kid: es256.kid, crit: ['exp'], exp: 1 }))),
    row(
      'b64 false',
      withPart(good, 0, encodeJson({ alg: 'ES256', kid: es256.kid, b64: false, crit: ['b64'] })),
    ),
    row('kid that is a number', withPart(good, 0, encodeJson({ alg: 'ES256', kid: 1 }))),
  ];
}

async function keyRows({
  es256,
  rs256,
  ps256,
  es384,
  es512,
  eddsa,
  stranger,
}: Keys): Promise<readonly Row[]> {
  const row = (name: string, token: string, expected: Expected): Row => ({
    name,
    path: '/any',
    authorization: bearer(token),
    expected,
  });
  const good = await mint(es256);
  const pem = createPublicKey({ key: rs256.publicJwk, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  });
  const fromPartner = {
    iss: partnerIssuer,
    scope: undefined,
    scopes: ['orders:read'],
    token_type: 'service',
  };
  return [
    ...(await Promise.all(
      [rs256, ps256, es384, es512, eddsa].map(async (key) => row(key.alg, await mint(key), accepted())),
    )),
    row(
      'HS256 by the partner',
      signHmac(partnerSecret, {}, goodClaims(fromPartner)),
      accepted({ issuer: partnerIssuer, scopes: ['orders:read'] }),
    ),
    row(
      'HS256 with a public key as secret',
      signHmac(pem.toString(), { kid: rs256.kid }, goodClaims()),
      invalid,
    ),
    row('HS256 with another secret', signHmac('x'.repeat(32), {}, goodClaims(fromPartner)), invalid),
    row('ES256 in the name of the partner', await mint(es256, { iss: partnerIssuer }), invalid),
    row('an unknown kid', await mint(stranger), invalid),
    row('a stranger with a known kid', await mint(stranger, {}, { kid: es256.kid }), invalid),
    row('no kid, and one key fits', await mint(es256, {}, { kid: undefined }), accepted()),
    row('the kid of a key of another type', await mint(es256, {}, { kid: rs256.kid }), invalid),
    row('a signature of zeros', withPart(good, 2, 'A'.repeat(86)), invalid),
    row('a tampered payload', withPart(good, 1, encodeJson(goodClaims({ scope: 'orders:write' }))), invalid),
    row('jwk in the header', await mint(stranger, {}, { jwk: stranger.publicJwk, kid: undefined }), invalid),
  ];
}

async function claimRows({ es256 }: Keys): Promise<readonly Row[]> {
  const row = async (
    name: string,
    changes: object,
    expected: Expected = invalid,
    path = '/any',
    header = {},
  ): Promise<Row> => ({ name, path, authorization: bearer(await mint(es256, changes, header)), expected });
  return Promise.all([
    row('another issuer', { iss: 'https://other.example' }),
    row('the issuer with a slash', { iss: `${issuer}/` }),
    row('the issuer as a list', { iss: [issuer] }),
    row('no issuer', { iss: undefined }),
    row('another audience', { aud: 'https://stock.example' }),
    row(
      'one audience of several',
      { aud: ['https://stock.example', audience] },
      accepted({ audience: ['https://stock.example', audience] }),
    ),
    row('no audience', { aud: undefined }),
    row('an empty audience', { aud: [] }),
    row('no audience where none is asked', { aud: undefined }, accepted({ audience: [] }), '/any-audience'),
    row('expired', { exp: nowSeconds - 6 }),
    row('expired within the tolerance', { exp: nowSeconds - 4 }, accepted()),
    row('no exp', { exp: undefined }),
    row('exp as text', { exp: String(nowSeconds + 300) }),
    row('exp 0', { exp: 0 }),
    row('nbf in the future', { nbf: nowSeconds + 6 }),
    row('nbf within the tolerance', { nbf: nowSeconds + 5 }, accepted()),
    row('iat in the future', { iat: nowSeconds + 60 }),
    row('too old', { iat: nowSeconds - 66 }, invalid, '/young'),
    row('young enough', { iat: nowSeconds - 30 }, accepted(), '/young'),
    row('bound to a key, sent as Bearer', { cnf: { jkt: 'abc' } }),
    row('an ID token', { at_hash: 'abc' }),
    row('a refresh token of Keycloak', { typ: 'Refresh' }),
    row('typ dpop+jwt', {}, invalid, '/any', { typ: 'dpop+jwt' }),
    row('typ JWT', {}, accepted(), '/any', { typ: 'JWT' }),
    row('typ JWT where at+jwt is asked', {}, invalid, '/strict-typ', { typ: 'JWT' }),
    row('typ application/AT+JWT', {}, accepted(), '/strict-typ', { typ: 'application/AT+JWT' }),
    row(
      '__proto__ as client',
      { client_id: '__proto__', sub: '__proto__' },
      accepted({ clientId: '__proto__', subject: '__proto__' }),
    ),
  ]);
}

async function policyRows({ es256 }: Keys, good: string): Promise<readonly Row[]> {
  const row = (name: string, path: string, expected: Expected, token = good): Row => ({
    name,
    path,
    authorization: bearer(token),
    expected,
  });
  const user = await mint(es256, { sub: 'a-user' });
  return [
    row('the scope', '/read', accepted()),
    row(
      'the scope as a list',
      '/read',
      accepted({ scopes: ['orders:read'] }),
      await mint(es256, { scope: ['orders:read'] }),
    ),
    row('both scopes', '/both', accepted()),
    row('a missing scope', '/write', forbidden('orders:write')),
    row('one of any', '/any-of', accepted()),
    row('none of any', '/none-of', forbidden('orders:write orders:admin')),
    row('one of all', '/all-of', forbidden('orders:read orders:write')),
    row('no scope at all', '/read', forbidden('orders:read'), await mint(es256, { scope: undefined })),
    row('an allowed client', '/billing', accepted()),
    row('another client', '/shipping', forbidden()),
    row('an allowed client of its issuer', '/by-issuer', accepted()),
    row(
      'a client of another issuer',
      '/by-issuer',
      forbidden(),
      await mint(es256, { client_id: 'shipping', sub: 'shipping' }),
    ),
    row('a service where services are asked', '/service-only', accepted()),
    row('a user where services are asked', '/service-only', forbidden(), user),
    row('a user', '/any', accepted({ subject: 'a-user', kind: 'user' }), user),
    { name: 'optional, no credentials', path: '/optional', expected: { status: 200, caller: null } },
    {
      name: 'optional, Basic',
      path: '/optional',
      authorization: 'Basic YTpi',
      expected: { status: 200, caller: null },
    },
    row('optional, a good token', '/optional', accepted()),
    row('optional, a bad token', '/optional', invalid, `${good}A`),
    row(
      'optional, a missing scope',
      '/optional',
      forbidden('orders:read'),
      await mint(es256, { scope: 'stock:read' }),
    ),
    row('a narrower audience', '/narrow', invalid),
    row('a check that holds', '/check-true', accepted()),
    row('a check that does not', '/check-false', forbidden()),
    row('a check that gives a text', '/check-text', forbidden()),
    row('a check that takes time', '/check-later', accepted()),
    { ...row('a check of the request', '/check-later', forbidden()), method: 'POST' },
    row('a check that throws', '/check-throws', undecided),
    row('realm and scope', '/realm', {
      status: 403,
      error: 'insufficient_scope',
      challenge: `Bearer ${realm}, error="insufficient_scope", error_description="${texts.insufficient_scope}", scope="orders:write", DPoP ${realm}, ${algs}`,
    }),
  ];
}

function outageRows(good: string): readonly Row[] {
  const token = (iss: string): string => withPart(good, 1, encodeJson(goodClaims({ iss })));
  const row = (name: string, path: string, iss: string): Row => ({
    name,
    path,
    authorization: bearer(token(iss)),
    expected: undecided,
  });
  return [
    row('the issuer is down and its keys were never loaded', '/down', 'https://down.example'),
    row('the key set is malformed', '/broken', 'https://broken.example'),
    { name: 'no credentials while the issuer is down', path: '/down', expected: anonymous },
  ];
}
