/** The contract: what each request gets, on every framework. */
import { createPublicKey } from 'node:crypto';
import { certificateThumbprint, otherThumbprint } from '../helpers/certificates.ts';
import { createDpopClient, hashOf } from '../helpers/dpop.ts';
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
import { metadataUrl, partnerIssuer, partnerSecret, publicUrl, statusUri } from './routes.ts';

export interface Row {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly authorization?: string | readonly string[];
  /** Made for each transport anew: a proof serves once. */
  readonly dpop?: () => Promise<string | readonly string[]>;
  readonly expected: Expected;
}

export interface Refused {
  readonly status: 400 | 401 | 403 | 503;
  readonly challenge: string | undefined;
  readonly error: Exclude<keyof typeof texts, 'none'> | undefined;
  readonly headers?: Readonly<Record<string, RegExp>>;
}

export type Expected =
  | {
      readonly status: 200;
      readonly caller: object | null;
      readonly headers?: Readonly<Record<string, RegExp>>;
    }
  | Refused;

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
  invalid_dpop_proof: 'The DPoP proof is not valid for this request',
  use_dpop_nonce: 'The DPoP proof needs the nonce of this answer',
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
    ...(await dpopRows(keys, good)),
    ...(await certificateRows(keys, good)),
    ...(await introspectionRows(good)),
    ...(await statusRows(keys)),
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
    row('Basic credentials, then a token', ['Basic YTpi', bearer(good)], malformed),
    row('Basic credentials twice', ['Basic YTpi', 'Basic YTpj'], anonymous),
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

/** A refusal of a token or proof that came under the DPoP scheme. */
const underDpop = (
  error: 'invalid_token' | 'invalid_dpop_proof' | 'use_dpop_nonce',
  metadata = '',
): Expected => ({
  status: 401,
  error,
  challenge: `Bearer${metadata && ` ${metadata}`}, DPoP error="${error}", error_description="${texts[error]}", ${algs}${metadata && `, ${metadata}`}`,
});

async function dpopRows({ es256 }: Keys, good: string): Promise<readonly Row[]> {
  const client = await createDpopClient();
  const thief = await createDpopClient();
  const bound = await mint(es256, { cnf: { jkt: client.jkt } });
  const metadata = `resource_metadata="${metadataUrl}"`;
  const badProof = underDpop('invalid_dpop_proof', metadata);
  const badToken = underDpop('invalid_token', metadata);
  type Change = { readonly claims?: object; readonly header?: object; readonly by?: typeof client };
  const proof =
    (path: string, { claims, header, by = client }: Change = {}) =>
    () =>
      by.prove({ htu: `${publicUrl}${path}`, ath: hashOf(bound), ...claims }, header);
  const row = (name: string, expected: Expected, change?: Change, path = '/dpop'): Row => ({
    name: `DPoP: ${name}`,
    path,
    authorization: `DPoP ${bound}`,
    dpop: proof(path, change),
    expected,
  });
  const bearerChallenge = (more: string): Expected => ({
    status: 401,
    error: 'invalid_token',
    challenge: `Bearer error="invalid_token", error_description="${texts.invalid_token}", ${more}`,
  });
  return [
    row('a bound token with its proof', accepted()),
    row('the scheme in lower case', accepted()),
    row('another method', badProof, { claims: { htm: 'POST' } }),
    row('another path', badProof, { claims: { htu: `${publicUrl}/other` } }),
    row('another host', badProof, { claims: { htu: 'https://stock.example/dpop' } }),
    row('the address behind the proxy', badProof, { claims: { htu: 'http://127.0.0.1/dpop' } }),
    row('a proof for another token', badProof, { claims: { ath: hashOf('another token') } }),
    row('a proof without ath', badProof, { claims: { ath: undefined } }),
    row('a proof of last year', badProof, { claims: { iat: nowSeconds - 31_536_000 } }),
    row('a proof of tomorrow', badProof, { claims: { iat: nowSeconds + 86_400 } }),
    row('a proof without jti', badProof, { claims: { jti: undefined } }),
    row('the proof of a thief', badProof, { by: thief }),
    row('the key of the client, signed by a thief', badProof, {
      by: thief,
      header: { jwk: client.publicJwk },
    }),
    row('a proof with the private key in it', badProof, { header: { jwk: client.privateJwk } }),
    row('a proof that is an access token by its typ', badProof, { header: { typ: 'at+jwt' } }),
    { ...row('no proof', badProof), dpop: async () => [] },
    { ...row('two proofs', badProof), dpop: async () => [await proof('/dpop')(), await proof('/dpop')()] },
    {
      ...row('a token that is not bound', badToken),
      authorization: `DPoP ${good}`,
      dpop: proof('/dpop', { claims: { ath: hashOf(good) } }),
    },
    {
      ...row('a bound token as Bearer', bearerChallenge(`${metadata}, DPoP ${algs}, ${metadata}`)),
      authorization: bearer(bound),
    },
    row(
      'a missing scope',
      {
        status: 403,
        error: 'insufficient_scope',
        challenge: `Bearer ${metadata}, DPoP error="insufficient_scope", error_description="${texts.insufficient_scope}", scope="orders:write", ${algs}, ${metadata}`,
      },
      {},
      '/dpop/write',
    ),
    row('where bound tokens are asked', accepted(), {}, '/dpop/constrained'),
    row('where a binding of any kind is asked', accepted(), {}, '/dpop/constrained/any'),
    row('where a certificate is asked', badToken, {}, '/dpop/constrained/mtls'),
    {
      name: 'DPoP: an unbound token where bound ones are asked',
      path: '/dpop/constrained',
      authorization: bearer(good),
      expected: bearerChallenge(`${metadata}, DPoP ${algs}, ${metadata}`),
    },
    row('required, and there', accepted(), {}, '/dpop/required'),
    {
      name: 'DPoP: required, and an unbound token',
      path: '/dpop/required',
      authorization: bearer(good),
      expected: {
        status: 401,
        error: 'invalid_token',
        challenge: `DPoP error="invalid_token", error_description="${texts.invalid_token}", ${algs}`,
      },
    },
    {
      name: 'DPoP: required, and no credentials',
      path: '/dpop/required',
      expected: { status: 401, error: undefined, challenge: `DPoP ${algs}` },
    },
    row('switched off', { status: 401, error: undefined, challenge: 'Bearer' }, {}, '/dpop/off'),
    {
      name: 'DPoP: switched off, and a bound token as Bearer',
      path: '/dpop/off',
      authorization: bearer(bound),
      expected: {
        status: 401,
        error: 'invalid_token',
        challenge: `Bearer error="invalid_token", error_description="${texts.invalid_token}"`,
      },
    },
    row(
      'no nonce where one is asked',
      { ...underDpop('use_dpop_nonce'), headers: { 'dpop-nonce': /^[\w-]{32}$/ } },
      {},
      '/dpop/nonce',
    ),
    row(
      'a made-up nonce',
      { ...underDpop('use_dpop_nonce'), headers: { 'dpop-nonce': /^[\w-]{32}$/ } },
      { claims: { nonce: 'A'.repeat(32) } },
      '/dpop/nonce',
    ),
    {
      name: 'DPoP: an accepted answer brings a nonce too',
      path: '/dpop/nonce',
      authorization: bearer(good),
      expected: { ...accepted(), headers: { 'dpop-nonce': /^[\w-]{32}$/ } },
    },
  ];
}

async function certificateRows({ es256 }: Keys, good: string): Promise<readonly Row[]> {
  const bound = await mint(es256, { cnf: { 'x5t#S256': certificateThumbprint } });
  const row = (name: string, path: string, expected: Expected, token = bound): Row => ({
    name: `certificate: ${name}`,
    path,
    authorization: bearer(token),
    expected,
  });
  return [
    row('the one that the token is bound to', '/certificate', accepted()),
    row('another one', '/certificate', invalid, await mint(es256, { cnf: { 'x5t#S256': otherThumbprint } })),
    row('none', '/certificate/none', invalid),
    row('a token that is not bound', '/certificate', accepted(), good),
    row('none, and no callback', '/any', invalid),
    row('bound to a key that is named otherwise', '/any', invalid, await mint(es256, { cnf: { kid: 'a' } })),
    row('a binding that is no object', '/any', invalid, await mint(es256, { cnf: 'a' })),
  ];
}

async function introspectionRows(good: string): Promise<readonly Row[]> {
  const client = await createDpopClient();
  const issuer = 'https://introspected.example';
  const caller = { issuer, scopes: ['orders:read'], tokenId: undefined };
  const { tokenId, ...known } = { ...billing, ...caller };
  const row = (name: string, token: string, expected: Expected, path = '/opaque'): Row => ({
    name: `introspection: ${name}`,
    path,
    authorization: bearer(token),
    expected,
  });
  const bound = `bound~${client.jkt}`;
  return [
    row('an active token', 'opaque', { status: 200, caller: known }),
    row('an inactive token', 'made-up', invalid),
    row('an active token that has expired', 'expired', invalid),
    row('a token for another audience', 'elsewhere', invalid),
    row('an answer in the name of another issuer', 'stranger', invalid),
    row('an answer with an exp that is no number', 'odd', undecided),
    row('a missing scope', 'opaque', forbidden('orders:write'), '/opaque/write'),
    row('a user where services are asked', 'user', forbidden(), '/opaque/service'),
    row('a JWT on the same route', good, accepted()),
    row('the endpoint is down', 'opaque', undecided, '/opaque/down'),
    row('the endpoint does not speak JSON', 'opaque', undecided, '/opaque/broken'),
    row('characters that no token has', '"opaque"', malformed),
    row('a bound token as Bearer', bound, invalid),
    {
      ...row('a bound token with its proof', bound, { status: 200, caller: known }),
      authorization: `DPoP ${bound}`,
      dpop: () => client.prove({ htu: `${publicUrl}/opaque`, ath: hashOf(bound) }),
    },
  ];
}

const statusAt = (idx: unknown): object => ({ status_list: { idx, uri: statusUri } });

async function statusRows({ es256 }: Keys): Promise<readonly Row[]> {
  const client = await createDpopClient();
  const row = async (name: string, idx: unknown, expected: Expected, path = '/status'): Promise<Row> => ({
    name: `status list: ${name}`,
    path,
    authorization: bearer(await mint(es256, { status: statusAt(idx) })),
    expected,
  });
  const shaped = async (name: string, status: unknown, expected: Expected): Promise<Row> => ({
    ...(await row(name, 0, expected)),
    authorization: bearer(await mint(es256, { status })),
  });
  const none: Row = { ...(await row('none', 0, accepted())), authorization: bearer(await mint(es256)) };
  const actor = async (name: string, act: unknown, expected: Expected): Promise<Row> => ({
    name: `actors: ${name}`,
    path: '/actors',
    authorization: bearer(await mint(es256, { act })),
    expected,
  });
  return [
    await row('valid', 0, accepted()),
    await row('invalid', 1, invalid),
    await row('suspended', 2, invalid),
    await row('beyond the end', 100_000, invalid),
    await row('an index that is no number', '0', invalid),
    await row('an index below zero', -1, invalid),
    await row('out of reach', 0, undecided, '/status/down'),
    await row('not asked for', 1, accepted(), '/any'),
    await row('beyond what any list has', Number.MAX_SAFE_INTEGER, invalid),
    await row('half an index', 0.5, invalid),
    await row('no index', undefined, invalid),
    await row('the list of another place', 0, undecided, '/status/elsewhere'),
    await row('a list that has expired', 0, undecided, '/status/expired'),
    await row('a list too large to unpack', 0, undecided, '/status/huge'),
    await row('an application status', 1, invalid, '/status/wide'),
    await row('the highest status', 2, invalid, '/status/wide'),
    await row('valid, and a missing scope', 0, forbidden('orders:write'), '/status/wide'),
    await row('not valid, and a missing scope', 1, invalid, '/status/wide'),
    { ...none, name: 'status list: a token that names none' },
    { ...none, name: 'status list: out of reach, and a token that names none', path: '/status/down' },
    await shaped('a status without list', { other: {} }, accepted()),
    await shaped('a status that is text', 'valid', invalid),
    await shaped('a list without TLS', { status_list: { idx: 0, uri: 'http://issuer.example/1' } }, invalid),
    await shaped('a list that is no object', { status_list: 0 }, invalid),
    {
      ...(await row('valid, and no proof for a bound token', 0, underDpop('invalid_dpop_proof'))),
      authorization: `DPoP ${await mint(es256, { cnf: { jkt: client.jkt }, status: statusAt(0) })}`,
    },
    {
      ...(await row('not valid, and no proof for a bound token', 1, underDpop('invalid_token'))),
      authorization: `DPoP ${await mint(es256, { cnf: { jkt: client.jkt }, status: statusAt(1) })}`,
    },
    await actor('the one that is allowed', { sub: 'gateway' }, accepted()),
    await actor('another', { sub: 'billing' }, forbidden()),
    await actor('an earlier one that is allowed', { sub: 'billing', act: { sub: 'gateway' } }, forbidden()),
    await actor('none', undefined, forbidden()),
  ];
}
