/** Hints to operators, word for word: what is advised, and where nothing is. */
import { describe, expect, it } from 'vitest';
import { createClockHint } from '../../../src/inbound/clock-hint.ts';
import { createRejectionHints } from '../../../src/inbound/rejection-hints.ts';
import {
  createVerifier,
  type Policy,
  type ServiceAuthEvent,
  type VerifierOptions,
} from '../../../src/index.ts';
import { Fault } from '../../../src/shared/fault.ts';
import { createDpopClient, hashOf, requestWith, url } from '../../helpers/dpop.ts';
import { audience, createKey, encodeJson, issuer, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const jwks = { keys: [key.publicJwk] };

function ask(options: Partial<VerifierOptions> = {}) {
  const told: ServiceAuthEvent[] = [];
  const verifier = createVerifier({
    issuer: { issuer, jwks },
    audience,
    now: () => nowMs,
    onEvent: (event) => told.push(event),
    ...options,
  });
  const hint = (): string | undefined => {
    const event = told.at(-1);
    if (event?.type !== 'request.rejected') throw new Error('it was not rejected');
    return event.hint;
  };
  return { verifier, hint };
}

async function hintOf(token: string, options: Partial<VerifierOptions> = {}, policy: Policy = {}) {
  const { verifier, hint } = ask(options);
  await verifier.verifyToken(token, { policy });
  return hint();
}

const slash = 'they differ by a slash at the end alone, and are compared to the byte';
const hosts =
  'they differ by their hosts alone: an issuer may call itself as its client did (Keycloak: set its hostname)';
const version1 =
  'a token of version 1 of Entra: ask for version 2 in the manifest of the API, or trust this issuer, too';
const version2 =
  'a token of version 2 of Entra: trust this issuer in place of that of version 1, or beside it';
const otherTenant = 'a token of another tenant of Entra: is it meant for this service?';
const v1 = (tenant: string) => `https://sts.windows.net/${tenant}/`;
const v2 = (tenant: string) => `https://login.microsoftonline.com/${tenant}/v2.0`;

describe('another issuer', () => {
  it.each<[string | readonly string[], string | undefined, string | undefined]>([
    [issuer, `${issuer}/`, slash],
    [['https://first.example', issuer], `${issuer}/`, slash],
    [['https://first.example/a', 'https://keycloak/realms/a'], 'https://login.example/realms/a', hosts],
    ['https://keycloak/', 'https://login.example/', undefined],
    ['https://keycloak/a', 'https://login.example/b', undefined],
    [v2('11'), v1('11'), version1],
    [v1('11'), v2('11'), version2],
    [[v1('12'), v2('11')], v1('11'), version1],
    [v2('11'), `${v2('11')}/`, slash],
    [v1('11'), 'https://sts.windows.net/11', slash],
    [v2('11'), v1('12'), otherTenant],
    [[issuer, v1('11')], v2('12'), otherTenant],
    [v1('11'), v1('12'), otherTenant],
    [issuer, v1('11'), undefined],
    [v1('11'), issuer, undefined],
    [issuer, 'text', undefined],
    [issuer, undefined, undefined],
    ['accounts', 'text', undefined],
    ['accounts', 'https://login.example/a', undefined],
  ])('%s, got %s', async (trusted, iss, hint) => {
    const issuers = [trusted].flat().map((name) => ({ issuer: name, jwks }));
    expect(await hintOf(await mint(key, { iss }), { issuer: issuers })).toBe(hint);
  });
});

describe('another audience', () => {
  const api =
    'they differ by api:// alone, which Entra writes in tokens of version 1 and not of version 2: accept both';
  const graph =
    'it is for Microsoft Graph: let the client ask for the scope <application id of this API>/.default';
  const client = 'it is for the client itself, as ID tokens are: send access_token of the token response';
  const account = 'Keycloak names account by default: add an audience mapper';
  const userinfo = `it is for the issuer's own userinfo: let the client ask for this service's audience`;
  const ask = 'it names no audience: let the client ask for this resource or audience';

  it.each<[string | readonly string[], unknown, string | undefined]>([
    [audience, `${audience}/`, slash],
    [['a', audience], ['b', `${audience}/`], slash],
    ['api://a', 'a', api],
    ['a', 'api://a', api],
    [['b', 'a'], ['c', 'api://a'], api],
    ['api://a', 'b', undefined],
    ['papi://a', 'a', undefined],
    [audience, '00000003-0000-0000-c000-000000000000', graph],
    [audience, ['a', 'https://graph.microsoft.com'], graph],
    [audience, ['a', 'billing'], client],
    [audience, ['a', 'account'], account],
    [audience, ['a', `${issuer}/userinfo`], userinfo],
    [audience, ['a', `${issuer}/userinfo/b`], undefined],
    [audience, 'a', undefined],
    [audience, undefined, ask],
    [audience, [], ask],
  ])('%j, got %j', async (wanted, aud, hint) => {
    expect(await hintOf(await mint(key, { aud }), { audience: wanted })).toBe(hint);
  });

  it('none of Cognito, and none of a client that is not known', async () => {
    const iss = 'https://cognito-idp.eu-west-1.amazonaws.com/a';
    const token = await mint(key, { iss, aud: undefined });
    expect(await hintOf(token, { issuer: { issuer: iss, jwks } })).toBe(
      `it names no audience: set claims: 'cognito'`,
    );
    expect(await hintOf(await mint(key, { aud: 'undefined', client_id: undefined }))).toBeUndefined();
  });
});

describe('a scope that is missing', () => {
  const inClaim = (claim: string, advice: string) =>
    `it has it in the claim ${claim}, which a function in claims.scopes may read; ${advice}`;
  const scp = inClaim('scp', `for Okta claims: 'okta', for Entra claims: 'entra'`);
  const roles = inClaim('roles', `for Entra claims: 'entra', where there is no scp`);
  const permissions = inClaim('permissions', `for Auth0 claims: 'auth0', where there is no scope`);

  it.each<[Policy['scope'] & {}, object, string | undefined]>([
    ['a', { scope: 'x', scp: 'b a' }, scp],
    ['a', { scope: 'x', scp: ['b', 'a'], roles: ['a'] }, scp],
    ['a', { scope: 'x', scp: ['b'], roles: ['a'] }, roles],
    [{ anyOf: ['a', 'b'] }, { scope: 'x', permissions: ['b'] }, permissions],
    [{ anyOf: ['a', 'b'] }, { scope: 'x', permissions: ['or'] }, undefined],
    ['a', { scope: 'x', roles: { a: 1 } }, undefined],
    ['a', { scope: 'x', roles: 'ab' }, undefined],
    ['a', { scope: '' }, 'it has no scope at all: did the client ask for one?'],
    ['orders', { scope: 'x Orders' }, 'it has Orders, and scopes are compared to the byte'],
    [
      'stock orders',
      { scope: 'stock api://1/orders' },
      'it has api://1/orders, and scopes are compared to the byte',
    ],
    ['stock orders', { scope: 'stock x' }, undefined],
    ['orders', { scope: 'preorders' }, undefined],
  ])('%j of %j', async (scope, claims, hint) => {
    expect(await hintOf(await mint(key, claims), {}, { scope })).toBe(hint);
  });
});

describe('times', () => {
  const clocks = 'compare the clocks of this machine and of the issuer (service-auth doctor)';
  const milliseconds = 'the time is in milliseconds; claims have seconds (RFC 7519 section 2)';

  it.each<[object, string]>([
    [{ exp: nowSeconds - 5 }, 'expired 5 s ago: let the client renew earlier'],
    [{ exp: nowSeconds - 90 }, 'expired 90 s ago: let the client renew earlier'],
    [{ exp: nowSeconds - 91 }, 'expired 91 s ago: the client keeps a token too long'],
    [{ exp: nowSeconds - 60.4 }, 'expired 60 s ago: let the client renew earlier'],
    [{ nbf: nowSeconds + 90 }, `90 s ahead of this clock: ${clocks}`],
    [{ nbf: nowSeconds + 91 }, `91 s ahead of this clock: ${clocks}`],
    [{ iat: nowSeconds + 6 }, `6 s ahead of this clock: ${clocks}`],
    [{ iat: nowMs }, milliseconds],
    [{ nbf: 1e11 }, `${1e11 - nowSeconds} s ahead of this clock: ${clocks}`],
    [{ nbf: 1e11 + 1 }, milliseconds],
  ])('%j', async (claims, hint) => {
    expect(await hintOf(await mint(key, claims))).toBe(hint);
  });

  it('a moment is a second', async () => {
    const token = await mint(key, { exp: nowSeconds });
    expect(await hintOf(token, { clockToleranceSeconds: 0 })).toMatch(/^expired 1 s ago: /);
  });

  const about = (clientId: string, name = issuer) => ({ issuer: name, clientId });
  const late = (seconds: number, subject = about('a')) =>
    new Fault('claims', 'expired', 'later', `${nowSeconds - seconds}`, subject);

  it('the third token within a minute is a clock, by its client and its time', () => {
    const hint = createClockHint();
    expect(hint(late(20), nowMs)).toBe('expired 20 s ago: let the client renew earlier');
    expect(hint(late(20, about('b')), nowMs)).toBe('expired 20 s ago: let the client renew earlier');
    expect(hint(late(21), nowMs)).toBe(`expired 21 s ago, and so were 3 tokens within a minute: ${clocks}`);
    expect(hint(late(22), nowMs + 59_999)).toMatch(/^expired 82 s ago, and so were 4 tokens/);
    expect(hint(late(23), nowMs + 60_000)).toBe('expired 83 s ago: let the client renew earlier');
  });

  it('tokens of another issuer, or of nobody, say nothing of one', () => {
    const hint = createClockHint();
    const ofNobody = new Fault('claims', 'expired', 'later', `${nowSeconds - 20}`);
    for (const fault of [late(20), late(21), late(22, about('a', 'https://other.example')), ofNobody]) {
      expect(hint(fault, nowMs)).toMatch(/let the client renew earlier$/);
    }
  });

  it('one ahead counts as well, and those far off do not', () => {
    const hint = createClockHint();
    const ahead = new Fault('claims', 'issued_in_future', 'earlier', `${nowSeconds + 20}`, about('a'));
    for (const seconds of [91, 92, 93, 94]) hint(late(seconds), nowMs);
    hint(late(20), nowMs);
    expect(hint(late(21), nowMs)).toBe('expired 21 s ago: let the client renew earlier');
    expect(hint(ahead, nowMs)).toBe(
      `20 s ahead of this clock, and so were 3 tokens within a minute: ${clocks}`,
    );
  });

  it('counts 64 of an issuer at most, and begins anew where the clock was set back', () => {
    const hint = createClockHint();
    const many = Array.from({ length: 70 }, (_, at) => hint(late(20, about(`${at}`)), nowMs));
    expect(many.at(-1)).toBe(`expired 20 s ago, and so were 64 tokens within a minute: ${clocks}`);
    expect(many[62]).toBe(`expired 20 s ago, and so were 63 tokens within a minute: ${clocks}`);
    expect(hint(late(21), nowMs - 1)).toBe('expired 21 s ago: let the client renew earlier');
  });
});

describe('tokens of other kinds, and other algorithms', () => {
  const kind = 'an ID token, or a token of another kind, was sent: send access_token of the token response';
  const opaque =
    'it is opaque, or was cut: set introspection, or have the issuer give JWTs (Auth0 does where the client names an audience)';

  it.each<[string, () => string | Promise<string>, string | undefined]>([
    ['opaque', () => 'opaque', opaque],
    ['cut', () => 'a.b', opaque],
    [
      'encrypted',
      () => 'a.b.c.d.e',
      'it has more parts than a signed JWT: have the issuer not encrypt access tokens',
    ],
    ['no JSON', () => 'a.b.c', undefined],
    ['of another typ', () => mint(key, {}, { typ: 'logout+jwt' }), kind],
    ['of another use', () => mint(key, { token_use: 'id' }), kind],
    [
      'of a shared secret',
      () => `${encodeJson({ alg: 'HS256', typ: 'at+jwt' })}.${encodeJson({ iss: issuer })}.AAAA`,
      'it names a shared secret: where the issuer gives such tokens, have it sign by a key (Auth0: RS256 for the API)',
    ],
    [
      'of no signature',
      () => `${encodeJson({ alg: 'none' })}.${encodeJson({ iss: issuer })}.AAAA`,
      undefined,
    ],
    [
      'of another signature',
      () => `${encodeJson({ alg: 'EHS' })}.${encodeJson({ iss: issuer })}.AAAA`,
      undefined,
    ],
    ['of a stranger', () => mint(key, {}, { kid: 'other' }), undefined],
  ])('%s', async (_, token, hint) => {
    expect(await hintOf(await token())).toBe(hint);
  });
});

describe('a proof of another URL', () => {
  const proxy = 'behind a proxy say by publicUrl what clients see';
  it.each([
    ['http://orders.example/orders', `they differ by http and https; ${proxy}`],
    [`${url}/`, `${slash}; ${proxy}`],
    ['https://inner.example/a', proxy],
  ])('%s', async (htu, text) => {
    const { verifier, hint } = ask();
    const client = await createDpopClient();
    const token = await mint(key, { cnf: { jkt: client.jkt } });
    const dpop = await client.prove({ ath: hashOf(token), htu });
    await verifier.authenticate(requestWith({ authorization: `DPoP ${token}`, dpop }));
    expect(hint()).toBe(text);
  });
});

it.each<[Fault['reason'], string, string, string | undefined]>([
  ['wrong_audience', 'a', 'none', 'it names no audience: let the client ask for this resource or audience'],
  ['wrong_audience', 'a', 'undefined', undefined],
  ['insufficient_scope', 'a', 'b', undefined],
  ['unknown_issuer', 'a', 'b', undefined],
])('%s of a token of nobody: expected %s, got %s', (reason, expected, actual, hint) => {
  expect(createRejectionHints(() => nowMs)(new Fault('claims', reason, expected, actual))).toBe(hint);
});

describe('a flood', () => {
  const fault = (reason: Fault['reason']) => new Fault('token', reason, 'an access token', 'another');

  it('gets a hundred hints a second, and what has none costs none', () => {
    let time = nowMs;
    const hints = createRejectionHints(() => time);
    const given = (count: number): number =>
      Array.from({ length: count }, () => hints(fault('wrong_typ'))).filter((hint) => hint !== undefined)
        .length;
    for (let count = 0; count < 200; count++) expect(hints(fault('bad_signature'))).toBeUndefined();
    expect(given(100)).toBe(100);
    expect(given(1)).toBe(0);
    time += 999;
    expect(given(1)).toBe(0);
    time += 1;
    expect(given(150)).toBe(100);
  });
});
