/** What operators read of each rejection: the step, what was expected and what came. Clients see none of it. */
import { describe, expect, it } from 'vitest';
import {
  type AuthOutcome,
  type AuthRequest,
  createVerifier,
  type MaybePromise,
  type Policy,
  type VerifierOptions,
} from '../../../src/index.ts';
import { certificatePem, certificateThumbprint, otherThumbprint } from '../../helpers/certificates.ts';
import { createDpopClient, hashOf, requestWith, url } from '../../helpers/dpop.ts';
import { statusListToken } from '../../helpers/status-lists.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds, withPart } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const rsa = await createKey('RS256');
const jwks = { keys: [key.publicJwk] };
const base = { issuer: { issuer, jwks }, audience, now: () => nowMs } satisfies VerifierOptions;
const client = await createDpopClient();
const stranger = await createDpopClient();
const bound = await mint(key, { cnf: { jkt: client.jkt } });

async function detailOf(outcome: MaybePromise<AuthOutcome>): Promise<readonly unknown[]> {
  const settled = await outcome;
  if (settled.ok) throw new Error('it was accepted');
  const { reason, detail } = settled.rejection;
  return [detail.step, reason, detail.expected, detail.actual];
}

const ofToken = (token: string, options: object = {}, policy: Policy = {}) =>
  detailOf(createVerifier({ ...base, ...options }).verifyToken(token, { policy }));
const ofRequest = (request: AuthRequest, options: object = {}) =>
  detailOf(createVerifier({ ...base, ...options }).authenticate(request));

describe('credentials', () => {
  it.each<[string | readonly string[] | undefined, string, string, string | undefined]>([
    [undefined, 'no_credentials', 'an Authorization header', undefined],
    ['', 'unsupported_scheme', 'Bearer or DPoP', 'another scheme'],
    ['Bearer', 'malformed_credentials', 'one access token of the b64token characters', undefined],
    ['Bearer a, Bearer b', 'malformed_credentials', 'one access token of the b64token characters', undefined],
    ['Bearer a b', 'malformed_credentials', 'one access token of the b64token characters', undefined],
    ['Bearer =', 'malformed_credentials', 'one access token of the b64token characters', undefined],
    ['Bearer ü', 'malformed_credentials', 'one access token of the b64token characters', undefined],
    [`Bearer ${'a'.repeat(16_385)}`, 'token_too_large', '16384 characters', '16385'],
    ['Basic a, Bearer b', 'malformed_credentials', 'one Authorization header', undefined],
    ['Basic a, \t"\'dpop b', 'malformed_credentials', 'one Authorization header', undefined],
    ['Basic a, bearer', 'malformed_credentials', 'one Authorization header', undefined],
    ['Bearer\ta', 'malformed_credentials', 'one Authorization header', undefined],
    ['"Bearer a"', 'malformed_credentials', 'one Authorization header', undefined],
    ['DPoP: a', 'malformed_credentials', 'one Authorization header', undefined],
    ['Bearer:a', 'malformed_credentials', 'one Authorization header', undefined],
    ['Basic a, bearer=b, dpop=c', 'unsupported_scheme', 'Bearer or DPoP', 'basic'],
    ['Basic a, bearerz b', 'unsupported_scheme', 'Bearer or DPoP', 'basic'],
    ['Basic a, dpop9 b', 'unsupported_scheme', 'Bearer or DPoP', 'basic'],
    ['Basic a, dpop0', 'unsupported_scheme', 'Bearer or DPoP', 'basic'],
    ['bearera b', 'unsupported_scheme', 'Bearer or DPoP', 'another scheme'],
    ['bearer-token b', 'unsupported_scheme', 'Bearer or DPoP', 'another scheme'],
    ['basic', 'unsupported_scheme', 'Bearer or DPoP', 'another scheme'],
    ['hunter2', 'unsupported_scheme', 'Bearer or DPoP', 'another scheme'],
    ['Basic YTpi', 'unsupported_scheme', 'Bearer or DPoP', 'basic'],
    ['Digest a="b"', 'unsupported_scheme', 'Bearer or DPoP', 'digest'],
    ['Negotiate a', 'unsupported_scheme', 'Bearer or DPoP', 'negotiate'],
    ['NTLM a', 'unsupported_scheme', 'Bearer or DPoP', 'ntlm'],
    ['HOBA a', 'unsupported_scheme', 'Bearer or DPoP', 'hoba'],
    ['Mutual a', 'unsupported_scheme', 'Bearer or DPoP', 'mutual'],
    ['ApiKey a', 'unsupported_scheme', 'Bearer or DPoP', 'apikey'],
    ['Token a', 'unsupported_scheme', 'Bearer or DPoP', 'token'],
    ['AWS4-HMAC-SHA256 a', 'unsupported_scheme', 'Bearer or DPoP', 'aws4-hmac-sha256'],
  ])('%s', async (authorization, reason, expected, actual) => {
    const headers: Record<string, string | readonly string[]> =
      authorization === undefined ? {} : { authorization };
    expect(await ofRequest(requestWith(headers))).toEqual(['credentials', reason, expected, actual]);
  });

  it('without DPoP only Bearer is expected', async () => {
    const request = requestWith({ authorization: 'DPoP a' });
    const rejected = ['credentials', 'unsupported_scheme', 'Bearer', 'dpop'];
    expect(await ofRequest(request, { dpop: false })).toEqual(rejected);
  });

  it('a token that is no text', async () => {
    const rejected = ['credentials', 'malformed_credentials', 'a token as a string', 'number'];
    expect(await ofToken(7 as unknown as string)).toEqual(rejected);
  });
});

describe('token, key and signature', () => {
  it.each<[string, object, object, readonly unknown[], object?]>([
    ['typ', {}, { typ: 'JWT' }, ['token', 'wrong_typ', 'at+jwt', 'JWT'], { typ: 'at+jwt' }],
    ['no typ', {}, { typ: undefined }, ['token', 'wrong_typ', 'at+jwt', 'none'], { typ: 'at+jwt' }],
    [
      'the typ of another kind',
      {},
      { typ: 'logout+jwt' },
      ['token', 'wrong_typ', 'the typ of an access token', 'logout+jwt'],
      { typ: 'any' },
    ],
    [
      'crit',
      {},
      { crit: ['b64'], b64: true },
      ['token', 'unsupported_crit', 'no crit or b64 header', undefined],
    ],
    [
      'issuer',
      { iss: 'https://other.example' },
      {},
      ['claims', 'unknown_issuer', issuer, 'https://other.example'],
    ],
    ['no issuer', { iss: 7 }, {}, ['claims', 'unknown_issuer', issuer, 'none']],
    ['kid', {}, { kid: 'other' }, ['key', 'unknown_key', `a key of ${issuer}`, 'other']],
    [
      'algorithm',
      {},
      {},
      ['key', 'algorithm_not_allowed', 'RS256 PS512', 'ES256'],
      { issuer: { issuer, jwks: { keys: [rsa.publicJwk] }, algorithms: ['RS256', 'PS512'] } },
    ],
  ])('%s', async (_, claims, header, rejected, options = {}) => {
    const token = await mint(key, claims, header);
    expect(await ofToken(token, options)).toEqual(rejected);
  });

  it('spelling, payload and signature', async () => {
    const token = await mint(key);
    expect(await ofToken(withPart(token, 2, 'AAAA'))).toEqual([
      'signature',
      'bad_signature',
      `a signature by a key of ${issuer}`,
      undefined,
    ]);
    expect(await ofToken(withPart(token, 1, 'W10'))).toEqual([
      'token',
      'malformed_token',
      'a payload that is a JSON object',
      undefined,
    ]);
  });
});

describe('claims', () => {
  const now = nowSeconds;
  it.each<[object, readonly unknown[], object?]>([
    [{ exp: now - 60 }, ['expired', `exp after ${now}`, `${now - 60}`]],
    [{ nbf: now + 60 }, ['not_yet_valid', `nbf up to ${now}`, `${now + 60}`]],
    [{ iat: now + 60 }, ['issued_in_future', `iat up to ${now}`, `${now + 60}`]],
    [{ iat: now - 60 }, ['too_old', 'an age up to 30 s', `${now - 60}`], { maxTokenAgeSeconds: 30 }],
    [
      { iat: undefined },
      ['invalid_claim', 'iat, since maxTokenAgeSeconds is set', 'undefined'],
      { maxTokenAgeSeconds: 30 },
    ],
    [{ aud: 'https://stock.example' }, ['wrong_audience', audience, 'https://stock.example']],
    [{ aud: undefined }, ['wrong_audience', `${audience} or b`, 'none'], { audience: [audience, 'b'] }],
    [{ aud: ['x', 'y'] }, ['wrong_audience', audience, 'x y']],
    [{ exp: undefined }, ['invalid_claim', 'exp as a finite number above 0', 'undefined']],
    [{ exp: 0 }, ['invalid_claim', 'exp as a finite number above 0', '0']],
    [{ exp: '9' }, ['invalid_claim', 'exp as a finite number above 0', '9']],
    [{ exp: -1 }, ['invalid_claim', 'exp as a finite number above 0', '-1']],
    [{ iat: '9' }, ['invalid_claim', 'iat as a finite number', '9']],
    [{ iat: null }, ['invalid_claim', 'iat as a finite number', 'object']],
    [{ nbf: [] }, ['invalid_claim', 'nbf as a finite number', 'object']],
    [{ sub: 7 }, ['invalid_claim', 'sub as a string', '7']],
    [{ jti: {} }, ['invalid_claim', 'jti as a string', 'object']],
    [{ aud: [7] }, ['invalid_claim', 'aud as a string or a list of strings', 'object']],
    [{ scope: 7 }, ['invalid_claim', 'scope as a string or a list of strings', 'another type']],
    [{ token_use: 'id' }, ['wrong_token_kind', 'an access token', 'token_use id']],
    [{ token_use: 'refresh' }, ['wrong_token_kind', 'an access token', 'token_use refresh']],
    [{ token_use: 'refresh_token' }, ['wrong_token_kind', 'an access token', 'token_use refresh_token']],
    [{ typ: 'ID' }, ['wrong_token_kind', 'an access token', 'typ ID']],
    [{ typ: 'Serialized-ID' }, ['wrong_token_kind', 'an access token', 'typ Serialized-ID']],
    [{ typ: 'Refresh' }, ['wrong_token_kind', 'an access token', 'typ Refresh']],
    [{ typ: 'Offline' }, ['wrong_token_kind', 'an access token', 'typ Offline']],
    [{ typ: 'Logout' }, ['wrong_token_kind', 'an access token', 'typ Logout']],
    [{ typ: 'InitialAccessToken' }, ['wrong_token_kind', 'an access token', 'typ InitialAccessToken']],
    [
      { typ: 'RegistrationAccessToken' },
      ['wrong_token_kind', 'an access token', 'typ RegistrationAccessToken'],
    ],
    [{ nonce: 'a', scope: '' }, ['wrong_token_kind', 'an access token', 'nonce']],
    [{ nonce: 'a', scope: undefined, scp: [] }, ['wrong_token_kind', 'an access token', 'nonce']],
    [{ at_hash: 'a' }, ['wrong_token_kind', 'an access token', 'at_hash']],
    [{ c_hash: 'a' }, ['wrong_token_kind', 'an access token', 'c_hash']],
    [{ s_hash: 'a' }, ['wrong_token_kind', 'an access token', 's_hash']],
    [{ code: 'a', sub: undefined }, ['wrong_token_kind', 'an access token', 'code']],
    [{ events: {} }, ['wrong_token_kind', 'an access token', 'events']],
  ])('%j', async (claims, rejected, options = {}) => {
    expect(await ofToken(await mint(key, claims), options)).toEqual(['claims', ...rejected]);
  });

  it.each([
    { code: 'a' },
    { nonce: 'a' },
    { nonce: 'a', scope: undefined, scp: 'orders:read' },
    { nonce: 'a', scope: undefined, scp: ['orders:read'] },
    { typ: 'Bearer' },
    { token_use: 'access' },
  ])('%j is an access token', async (claims) => {
    expect(await createVerifier(base).verifyToken(await mint(key, claims))).toMatchObject({ ok: true });
  });
});

describe('times, at their very second', () => {
  const at = (offsetMs: number) => ({ now: () => nowMs + offsetMs, clockToleranceSeconds: 5 });
  it.each<[string, object, number, object?]>([
    ['exp', { exp: nowSeconds }, 4999],
    ['nbf', { nbf: nowSeconds + 5 }, 0],
    ['iat', { iat: nowSeconds + 5 }, 0],
    ['age', { iat: nowSeconds - 30 }, 4999, { maxTokenAgeSeconds: 30 }],
  ])('%s holds', async (_, claims, offset, options) => {
    const verifier = createVerifier({ ...base, ...at(offset), ...options });
    expect(await verifier.verifyToken(await mint(key, claims))).toMatchObject({ ok: true });
  });

  it.each<[string, object, number, object?]>([
    ['expired', { exp: nowSeconds }, 5000],
    ['not_yet_valid', { nbf: nowSeconds + 5 }, -1],
    ['issued_in_future', { iat: nowSeconds + 5 }, -1],
    ['too_old', { iat: nowSeconds - 30 }, 5000, { maxTokenAgeSeconds: 30 }],
  ])('%s', async (reason, claims, offset, options) => {
    const [, actual] = await ofToken(await mint(key, claims), { ...at(offset), ...options });
    expect(actual).toBe(reason);
  });
});

describe('binding, certificate and proof', () => {
  const prove = async (claims: object = {}, header: object = {}, by = client) => ({
    authorization: `DPoP ${bound}`,
    dpop: await by.prove({ ath: hashOf(bound), ...claims }, header),
  });

  it.each<[object | string, readonly unknown[]]>([
    ['text', ['unsupported_binding', 'cnf with jkt or x5t#S256 alone', 'string']],
    [{}, ['unsupported_binding', 'cnf with jkt or x5t#S256 alone', 'nothing']],
    [{ kid: 'a' }, ['unsupported_binding', 'cnf with jkt or x5t#S256 alone', 'kid']],
    [{ jkt: 'short' }, ['unsupported_binding', 'cnf with jkt or x5t#S256 alone', 'no thumbprint']],
    [{ 'x5t#S256': 7 }, ['unsupported_binding', 'cnf with jkt or x5t#S256 alone', 'no thumbprint']],
    [{ jkt: client.jkt }, ['bound_token_as_bearer', 'the DPoP scheme', 'Bearer']],
  ])('cnf of case %# as Bearer', async (cnf, rejected) => {
    const request = requestWith({ authorization: `Bearer ${await mint(key, { cnf })}` });
    expect(await ofRequest(request)).toEqual(['binding', ...rejected]);
  });

  it('an unbound token where a bound one is asked for', async () => {
    const token = await mint(key);
    const rejected = ['binding', 'token_not_bound', 'a token with cnf.jkt', 'an unbound token'];
    const dpop = await client.prove({ ath: hashOf(token) });
    expect(await ofRequest(requestWith({ authorization: `DPoP ${token}`, dpop }))).toEqual(rejected);
    const bearer = requestWith({ authorization: `Bearer ${token}` });
    expect(await ofRequest(bearer, { dpop: { mode: 'required' } })).toEqual(rejected);
  });

  it('a bound token where DPoP is switched off', async () => {
    const request = requestWith({ authorization: `Bearer ${bound}` });
    const rejected = ['binding', 'unsupported_binding', 'a token without cnf.jkt', 'cnf.jkt'];
    expect(await ofRequest(request, { dpop: false })).toEqual(rejected);
  });

  it('certificates', async () => {
    const token = await mint(key, { cnf: { 'x5t#S256': otherThumbprint } });
    const request = requestWith({ authorization: `Bearer ${token}` });
    const expected = `the client certificate with x5t#S256 ${otherThumbprint}`;
    expect(await ofRequest(request)).toEqual(['certificate', 'missing_certificate', expected, undefined]);
    expect(await ofRequest(request, { clientCertificate: () => certificatePem })).toEqual([
      'certificate',
      'certificate_mismatch',
      expected,
      certificateThumbprint,
    ]);
  });

  it.each<[object, object, readonly unknown[]]>([
    [{ jti: '' }, {}, ['malformed_proof', 'jti of 1 to 256 characters', undefined]],
    [{ htm: 'POST' }, {}, ['proof_method_mismatch', 'GET', 'POST']],
    [{ htm: 7 }, {}, ['proof_method_mismatch', 'GET', 'number']],
    [{ htu: 'https://other.example/a?b' }, {}, ['proof_url_mismatch', url, 'https://other.example/a']],
    [{ htu: 7 }, {}, ['proof_url_mismatch', url, 'number']],
    [{ ath: undefined }, {}, ['proof_token_mismatch', 'ath of the access token', 'undefined']],
    [{ ath: 'other' }, {}, ['proof_token_mismatch', 'ath of the access token', 'other']],
    [{ iat: 'a' }, {}, ['malformed_proof', 'iat as a finite number', undefined]],
    [{ iat: nowSeconds + 600 }, {}, ['proof_in_future', `iat up to ${nowSeconds}`, `${nowSeconds + 600}`]],
    [{ iat: nowSeconds - 600 }, {}, ['proof_too_old', 'an age up to 60 s', `${nowSeconds - 600}`]],
    [{}, { typ: 'JWT' }, ['malformed_proof', 'typ dpop+jwt', 'JWT']],
    [{}, { jwk: undefined }, ['malformed_proof', 'jwk as a public signature key', undefined]],
    [{}, { jwk: stranger.publicJwk }, ['proof_key_mismatch', client.jkt, stranger.jkt]],
    [{}, { jwk: client.privateJwk }, ['malformed_proof', 'jwk without private members', undefined]],
  ])('a proof of case %#', async (claims, header, rejected) => {
    expect(await ofRequest(requestWith(await prove(claims, header)))).toEqual(['proof', ...rejected]);
  });

  it('no proof, one of another key, one that was used', async () => {
    const { authorization, dpop } = await prove();
    expect((await ofRequest(requestWith({ authorization }))).slice(0, 2)).toEqual(['proof', 'missing_proof']);
    const other = await prove({}, {}, stranger);
    const mismatch = ['proof', 'proof_key_mismatch', client.jkt, stranger.jkt];
    expect(await ofRequest(requestWith(other))).toEqual(mismatch);
    const verifier = createVerifier(base);
    const send = () => verifier.authenticate(requestWith({ authorization, dpop }));
    expect(await send()).toMatchObject({ ok: true });
    const replayed = ['proof', 'replayed_proof', 'a proof that was not used before', undefined];
    expect(await detailOf(send())).toEqual(replayed);
  });
});

describe('policy', () => {
  it.each<[Policy, object, readonly unknown[]]>([
    [{ scope: 'a b' }, {}, ['insufficient_scope', 'a b', 'orders:read stock:read']],
    [{ scope: { anyOf: ['a', 'b'] } }, { scope: '' }, ['insufficient_scope', 'a or b', 'none']],
    [{ clients: ['reporting'] }, {}, ['client_not_allowed', 'a client of the list', 'billing']],
    [
      { clients: { [issuer]: ['reporting'] } },
      { client_id: undefined },
      ['client_not_allowed', 'a client of the list', 'none'],
    ],
    [{ audience: ['x', 'y'] }, {}, ['wrong_audience', 'x or y', audience]],
    [
      { senderConstrained: true },
      {},
      ['token_not_bound', 'a token bound by dpop or mtls', 'a token without that binding'],
    ],
    [
      { senderConstrained: 'mtls' },
      {},
      ['token_not_bound', 'a token bound by mtls', 'a token without that binding'],
    ],
    [{ actors: ['a'] }, {}, ['actor_not_allowed', 'an actor of the list', 'none']],
    [{ actors: ['a'] }, { act: { sub: 'b' } }, ['actor_not_allowed', 'an actor of the list', 'b']],
    [
      { serviceOnly: true },
      { sub: 'somebody' },
      ['service_only', 'a token of a service', 'a token of a user'],
    ],
    [{ check: () => false }, {}, ['check_refused', 'true', 'false']],
    [{ check: () => 'not today' }, {}, ['check_refused', 'true', 'not today']],
    [{ check: () => undefined as unknown as boolean }, {}, ['check_refused', 'true', 'undefined']],
  ])('%j and %j', async (policy, claims, rejected) => {
    expect(await ofToken(await mint(key, claims), {}, policy)).toEqual(['policy', ...rejected]);
  });

  it('an audience where the verifier asks for none', async () => {
    const rejected = ['policy', 'wrong_audience', 'x', 'none'];
    const token = await mint(key, { aud: undefined });
    expect(await ofToken(token, { audience: null }, { audience: 'x' })).toEqual(rejected);
  });
});

describe('status', () => {
  const uri = `${issuer}/status/1`;
  const withList = {
    issuer: { issuer, jwks, statusList: true },
    fetch: async () => new Response(await statusListToken(key, uri, [0, 1, 2, 3])),
  };
  const statusOf = (status: unknown) => mint(key, { status });
  const entry = (idx: unknown, at: unknown = uri) => statusOf({ status_list: { idx, uri: at } });

  it.each<[unknown, readonly unknown[]]>([
    [1, ['status', 'status_not_valid', '0 (valid)', '1 (invalid)']],
    [2, ['status', 'status_not_valid', '0 (valid)', '2 (suspended)']],
    [3, ['status', 'status_not_valid', '0 (valid)', '3 (other)']],
    [99, ['status', 'status_out_of_range', 'an index within the list', '99']],
    [-1, ['claims', 'invalid_claim', 'status.status_list with idx as a whole number', undefined]],
    [1.5, ['claims', 'invalid_claim', 'status.status_list with idx as a whole number', undefined]],
    ['1', ['claims', 'invalid_claim', 'status.status_list with idx as a whole number', undefined]],
  ])('index %j', async (idx, rejected) => {
    expect(await ofToken(await entry(idx), withList)).toEqual(rejected);
  });

  it.each([7, 'http://idp.example/status', 'nowhere', `${issuer}/${'a'.repeat(2048)}`])(
    'uri %s',
    async (at) => {
      const rejected = ['claims', 'invalid_claim', 'status.status_list with uri as an https URL', undefined];
      expect(await ofToken(await entry(0, at), withList)).toEqual(rejected);
    },
  );

  it('a token that was invalidated', async () => {
    const verifier = createVerifier(base);
    const token = await mint(key);
    verifier.invalidate({ jti: 'token-1' });
    const rejected = ['status', 'invalidated', 'a token that was not invalidated', undefined];
    expect(await detailOf(verifier.verifyToken(token))).toEqual(rejected);
  });
});
