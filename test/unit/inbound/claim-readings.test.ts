/** How claims are read where they are unusual: presets at their edges, functions of the program, kinds and times. */
import { describe, expect, it } from 'vitest';
import {
  type ClaimFunctions,
  type ClaimsOption,
  createVerifier,
  type TrustedIssuer,
  type VerifierOptions,
} from '../../../src/index.ts';
import { judge } from '../../helpers/judge.ts';
import { audience, createKey, goodClaims, issuer, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const none = { aud: undefined, client_id: undefined, scope: undefined, sub: undefined, jti: undefined };

function make(claims?: ClaimsOption, options: Partial<VerifierOptions> = {}) {
  const trusted: TrustedIssuer = {
    issuer,
    jwks: { keys: [key.publicJwk] },
    ...(claims !== undefined && { claims }),
  };
  return createVerifier({ issuer: trusted, audience: null, now: () => nowMs, ...options });
}

async function read(claims: ClaimsOption | undefined, token: object) {
  const outcome = await make(claims).verifyToken(await mint(key, { ...none, ...token }));
  if (!outcome.ok) return [outcome.rejection.reason, outcome.rejection.detail.expected];
  const { clientId, kind, audience: aud, scopes } = outcome.caller;
  return { clientId, kind, aud, scopes: [...scopes] };
}

describe('the kind of a caller', () => {
  it.each<[ClaimsOption | undefined, object, string | undefined, 'service' | 'user']>([
    [undefined, { sub: 'a', client_id: 'a' }, 'a', 'service'],
    [undefined, { sub: 'b', client_id: 'a' }, 'a', 'user'],
    [undefined, {}, undefined, 'user'],
    [undefined, { client_id: 7, azp: 'a' }, undefined, 'user'],
    ['auth0', { azp: 'a', sub: 'b', gty: 'client-credentials' }, 'a', 'service'],
    ['auth0', { azp: 'a', sub: 'a@clients' }, 'a', 'service'],
    ['auth0', { azp: 'a', sub: 'b@clients', gty: 'password' }, 'a', 'user'],
    ['auth0', { azp: 'a', sub: '' }, 'a', 'user'],
    ['entra', { azp: 'a', oid: 'o', sub: 'o' }, 'a', 'service'],
    ['entra', { azp: 7, appid: 'a', oid: 'o', sub: 'o' }, 'a', 'service'],
    ['entra', { azp: 'a', oid: 'o', sub: 'o', scp: 's' }, 'a', 'user'],
    ['entra', { azp: 'a', oid: 'o', sub: 'p' }, 'a', 'user'],
    ['entra', { azp: 'a' }, 'a', 'user'],
    ['entra', { azp: 'a', sub: 'o' }, 'a', 'user'],
    ['entra', { azp: 'a', oid: 'o' }, 'a', 'user'],
    ['entra', { azp: 'a', oid: 'o', sub: 'o', idtyp: 'user' }, 'a', 'user'],
    ['entra', { azp: 'a', oid: 'o', sub: 'p', idtyp: 'app' }, 'a', 'service'],
    ['okta', { cid: 'a', sub: 'a' }, 'a', 'service'],
    ['okta', { cid: 'a', sub: 'a', uid: 'u' }, 'a', 'user'],
    ['okta', { cid: 'a', sub: 'b' }, 'a', 'user'],
    ['okta', { cid: 'a' }, 'a', 'user'],
    ['okta', {}, undefined, 'user'],
    ['okta', { cid: 7, client_id: 'a' }, undefined, 'user'],
    ['cognito', { client_id: 'a', sub: 'a' }, 'a', 'service'],
    ['cognito', { client_id: 'a', sub: 'b' }, 'a', 'user'],
    ['cognito', {}, undefined, 'user'],
    ['keycloak', { azp: 'A', client_id: 'A', preferred_username: 'service-account-a' }, 'A', 'service'],
    ['keycloak', { azp: 'a', client_id: 'a', preferred_username: 'someone' }, 'a', 'user'],
    ['keycloak', { client_id: 'a', preferred_username: 'service-account-a' }, 'a', 'service'],
    ['keycloak', { preferred_username: 'service-account-undefined' }, undefined, 'user'],
    [{ kind: () => 'user' }, { sub: 'a', client_id: 'a' }, 'a', 'user'],
    [{ kind: () => 'service' }, { sub: 'b', client_id: 'a' }, 'a', 'service'],
    [{ kind: () => undefined }, { sub: 'a', client_id: 'a' }, 'a', 'service'],
    [{ clientId: () => 'b' }, { sub: 'a', client_id: 'a' }, 'b', 'user'],
    [{ clientId: () => undefined }, { sub: 'a', client_id: 'a' }, undefined, 'user'],
  ])('by %j of %j', async (claims, token, clientId, kind) => {
    expect(await read(claims, token)).toMatchObject({ clientId, kind });
  });
});

describe('scopes and audience', () => {
  it.each<[ClaimsOption | undefined, object, readonly string[], (readonly string[])?]>([
    [undefined, {}, []],
    [undefined, { scp: 'a' }, ['a']],
    [undefined, { aud: ['a', 'b'] }, [], ['a', 'b']],
    ['auth0', {}, []],
    ['auth0', { scope: '' }, []],
    ['auth0', { scope: '', permissions: ['a'] }, ['a']],
    ['auth0', { scope: 'b', permissions: ['a'] }, ['b']],
    ['entra', {}, []],
    ['entra', { roles: ['a'] }, ['a']],
    ['entra', { roles: ['a'], scp: 'b' }, ['b']],
    ['okta', {}, []],
    ['okta', { scope: 'a' }, []],
    ['keycloak', { scope: 'a' }, ['a']],
    ['cognito', {}, []],
    ['cognito', { scope: ['a/b'] }, ['a/b'], []],
    ['cognito', { scope: 'openid a/b a/c d/e/f /g' }, ['openid', 'a/b', 'a/c', 'd/e/f', '/g'], ['a', 'd/e']],
    ['cognito', { scope: 'a/b', aud: 'x' }, ['a/b'], ['x']],
    [{ scopes: () => undefined }, { scope: 'a' }, []],
    [{ scopes: () => ['a', 'b'] }, {}, ['a', 'b']],
    [{ audience: () => undefined }, { aud: 'a' }, [], []],
  ])('by %j of %j', async (claims, token, scopes, aud = []) => {
    expect(await read(claims, token)).toMatchObject({ scopes, aud });
  });
});

describe('what a function of the program gives', () => {
  const broken = (): never => {
    throw new Error('a defect of the program');
  };
  const number = (): never => 7 as never;
  const noClient = 'a client that can be read';
  const noKind = 'a kind that can be read';
  const noScopes = 'scope as a string or a list of strings';
  it.each<[ClaimFunctions, string]>([
    [{ clientId: number }, noClient],
    [{ clientId: () => null as never }, noClient],
    [{ clientId: broken }, noClient],
    [{ kind: () => 'robot' as never }, noKind],
    [{ kind: number }, noKind],
    [{ kind: broken }, noKind],
    [{ scopes: number }, noScopes],
    [{ scopes: () => ['a', 7 as never] }, noScopes],
    [{ scopes: broken }, noScopes],
    [{ audience: number }, 'aud as a string or a list of strings'],
  ])('%o must be readable', async (claims, expected) => {
    expect(await read(claims, { sub: 'a', client_id: 'a', aud: 'a' })).toEqual(['invalid_claim', expected]);
  });

  it('that is a client or kind which cannot be read is nothing', async () => {
    for (const claims of [{ clientId: broken }, { kind: broken }]) {
      const outcome = await make(claims).verifyToken(await mint(key));
      expect(outcome).toMatchObject({ rejection: { detail: { step: 'claims', actual: 'none' } } });
    }
  });
});

describe('typ', () => {
  it.each<[string | readonly string[], string | undefined, string]>([
    ['any', undefined, 'accepted'],
    ['any', 'JWT', 'accepted'],
    ['any', 'application/at+jwt', 'accepted'],
    ['any', 'application/logout+jwt', 'wrong_typ'],
    ['any', 'Application/LOGOUT+jwt ; a=b', 'wrong_typ'],
    ['any', 'application/application/logout+jwt', 'wrong_typ'],
    ['any', 'x/logout+jwt', 'wrong_typ'],
    ['at+jwt', 'at+jwt', 'accepted'],
    ['at+jwt', ' AT+jwt ; charset=utf-8', 'accepted'],
    ['at+jwt', 'application/at+jwt', 'accepted'],
    ['application/AT+JWT', 'at+jwt', 'accepted'],
    ['at+jwt', 'x/at+jwt', 'wrong_typ'],
    ['at+jwt', undefined, 'wrong_typ'],
    ['x-application/a+jwt', 'x-application/a+jwt', 'accepted'],
    ['x-application/a+jwt', 'x-a+jwt', 'wrong_typ'],
    [['jwt', 'at+jwt'], 'JWT', 'accepted'],
    [['jwt', 'at+jwt'], 'application/jwt', 'accepted'],
  ])('%j takes %j: %s', async (typ, given, verdict) => {
    expect(await judge(make(undefined, { typ }), await mint(key, {}, { typ: given }))).toBe(verdict);
  });

  it('of several, each is named', async () => {
    const outcome = await make(undefined, { typ: ['at+jwt', 'JWT'] }).verifyToken(
      await mint(key, {}, { typ: 'other' }),
    );
    expect(outcome).toMatchObject({ rejection: { detail: { expected: 'at+jwt or jwt', actual: 'other' } } });
  });
});

describe('an access token', () => {
  it.each<[object, string]>([
    [{ nonce: 'a', scope: ' ' }, 'wrong_token_kind'],
    [{ nonce: 'a', scope: null }, 'wrong_token_kind'],
    [{ nonce: 'a', scope: '', scp: 'a' }, 'accepted'],
    [{ iat: 0, nbf: 0 }, 'accepted'],
    [{ iat: -1 }, 'invalid_claim'],
  ])('%j: %s', async (claims, verdict) => {
    expect(await judge(make(), await mint(key, claims))).toBe(verdict);
  });

  it.each(['exp', 'iat', 'nbf'])('whose %s has no end is none', async (claim) => {
    const payload = JSON.stringify(goodClaims({ [claim]: 0 })).replace(`"${claim}":0`, `"${claim}":1e999`);
    expect(await judge(make(), await key.sign({ typ: 'at+jwt' }, payload))).toBe('invalid_claim');
  });

  it.each<[object, string, string]>([
    [{}, 'Bearer', 'Bearer'],
    [{ cnf: { jkt: 'a'.repeat(43) } }, 'DPoP', 'DPoP'],
  ])('with %j has a scheme', async (claims, scheme, expected) => {
    const outcome = await make().verifyToken(await mint(key, claims), { scheme: scheme as 'Bearer' });
    expect(outcome).toMatchObject({ caller: { scheme: expected } });
  });
});

describe('a token that is known', () => {
  it.each<[string, object, number, string]>([
    ['its end', { exp: nowSeconds + 30 }, 34_999, 'accepted'],
    ['its end', { exp: nowSeconds + 30 }, 35_000, 'expired'],
    ['its age', { iat: nowSeconds, exp: nowSeconds + 300 }, 64_999, 'accepted'],
    ['its age', { iat: nowSeconds, exp: nowSeconds + 300 }, 65_000, 'too_old'],
    ['its end before its age', { iat: nowSeconds, exp: nowSeconds + 30 }, 35_000, 'expired'],
    ['its begin, by a clock set back', { nbf: nowSeconds }, -5000, 'accepted'],
    ['its begin, by a clock set back', { nbf: nowSeconds, iat: nowSeconds - 20 }, -5001, 'not_yet_valid'],
    ['its issuance, by a clock set back', { iat: nowSeconds }, -5001, 'issued_in_future'],
  ])('is judged by %s: %j after %i ms', async (_, claims, ms, verdict) => {
    let time = nowMs;
    const verifier = make(undefined, { now: () => time, maxTokenAgeSeconds: 60 });
    const token = await mint(key, claims);
    expect(await judge(verifier, token)).toBe('accepted');
    time += ms;
    expect(await judge(verifier, token)).toBe(verdict);
  });
});

it('of audiences any that is accepted will do', async () => {
  const verifier = make(undefined, { audience: ['a', audience] });
  expect(await judge(verifier, await mint(key, { aud: ['x', audience] }))).toBe('accepted');
  expect(await judge(verifier, await mint(key, { aud: ['x'] }))).toBe('wrong_audience');
});
