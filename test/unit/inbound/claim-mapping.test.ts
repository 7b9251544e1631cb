import { describe, expect, it } from 'vitest';
import { type ClaimsOption, createVerifier, type TrustedIssuer } from '../../../src/index.ts';
import { audience, createKey, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('RS256');

async function callerOf(claims: ClaimsOption | undefined, token: object, expected = audience) {
  const issuer: TrustedIssuer = {
    issuer: 'https://idp.example',
    jwks: { keys: [key.publicJwk] },
    ...(claims !== undefined && { claims }),
  };
  const verifier = createVerifier({ issuer, audience: expected, now: () => nowMs });
  // None of the claims of the usual test token: the shapes below stand for themselves.
  const none = { aud: undefined, client_id: undefined, scope: undefined, sub: undefined, jti: undefined };
  const outcome = await verifier.verifyToken(
    await mint(key, { ...none, iss: 'https://idp.example', ...token }, { typ: 'JWT' }),
  );
  if (!outcome.ok) return outcome.rejection.reason;
  const { clientId, kind, audience: named, scopes } = outcome.caller;
  return { clientId, kind, audience: named, scopes: [...scopes] };
}

const client = 'xYz0123456789AbCdEfGhIjKlMnOpQrS';
const guid = '6731de76-14a6-49ae-97bc-6eba6914391e';
const objectId = '9f3c9a3c-2f9b-4b58-a1a1-0a6f4d3f7c11';

describe('presets', () => {
  it.each<[string, ClaimsOption, object, object]>([
    [
      'auth0, an application',
      'auth0',
      {
        aud: audience,
        sub: `${client}@clients`,
        azp: client,
        gty: 'client-credentials',
        scope: 'orders:read',
      },
      { clientId: client, kind: 'service', scopes: ['orders:read'] },
    ],
    [
      'auth0, an application with permissions alone',
      'auth0',
      {
        aud: audience,
        sub: `${client}@clients`,
        azp: client,
        gty: 'client-credentials',
        permissions: ['orders:read'],
      },
      { clientId: client, kind: 'service', scopes: ['orders:read'] },
    ],
    [
      'auth0, a user: what the client did not ask for is not granted by permissions',
      'auth0',
      {
        aud: [audience, 'https://tenant.auth0.com/userinfo'],
        sub: 'auth0|5f7c8ec7c33c6c004bbafe82',
        azp: client,
        scope: 'openid orders:read',
        permissions: ['orders:read', 'orders:write'],
      },
      {
        clientId: client,
        kind: 'user',
        scopes: ['openid', 'orders:read'],
        audience: [audience, 'https://tenant.auth0.com/userinfo'],
      },
    ],
    [
      'entra, an application, version 2',
      'entra',
      {
        aud: audience,
        azp: guid,
        azpacr: '1',
        idtyp: 'app',
        oid: objectId,
        sub: objectId,
        roles: ['Orders.Read.All'],
        ver: '2.0',
      },
      { clientId: guid, kind: 'service', scopes: ['Orders.Read.All'] },
    ],
    [
      'entra, an application, version 1, without idtyp',
      'entra',
      {
        aud: audience,
        appid: guid,
        appidacr: '1',
        oid: objectId,
        sub: objectId,
        roles: ['Orders.Read.All'],
        ver: '1.0',
      },
      { clientId: guid, kind: 'service', scopes: ['Orders.Read.All'] },
    ],
    [
      'entra, a user: roles of the person are no scopes of the client',
      'entra',
      {
        aud: audience,
        azp: guid,
        oid: objectId,
        sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
        scp: 'Orders.Read',
        roles: ['Admin'],
        ver: '2.0',
      },
      { clientId: guid, kind: 'user', scopes: ['Orders.Read'] },
    ],
    [
      'okta, an application',
      'okta',
      {
        aud: audience,
        cid: '0oa1gubmk9f4C5fX90h8',
        sub: '0oa1gubmk9f4C5fX90h8',
        scp: ['orders:read'],
        ver: 1,
      },
      { clientId: '0oa1gubmk9f4C5fX90h8', kind: 'service', scopes: ['orders:read'] },
    ],
    [
      'okta, a user',
      'okta',
      {
        aud: audience,
        cid: '0oa1gubmk9f4C5fX90h8',
        uid: '00u1gubn0rTZ4f0fG0h8',
        sub: 'someone@example.com',
        scp: ['openid', 'orders:read'],
        ver: 1,
      },
      { clientId: '0oa1gubmk9f4C5fX90h8', kind: 'user', scopes: ['openid', 'orders:read'] },
    ],
    [
      'cognito, an application: the resource server of its scopes is the audience',
      'cognito',
      {
        sub: '1example23456789',
        token_use: 'access',
        client_id: '1example23456789',
        scope: `${audience}/read ${audience}/write`,
        version: 2,
      },
      { clientId: '1example23456789', kind: 'service', scopes: [`${audience}/read`, `${audience}/write`] },
    ],
    [
      'cognito, a user with resource binding',
      'cognito',
      {
        aud: audience,
        sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
        username: 'someone',
        token_use: 'access',
        client_id: '1example23456789',
        scope: `openid ${audience}/read`,
        version: 2,
      },
      { clientId: '1example23456789', kind: 'user', scopes: ['openid', `${audience}/read`] },
    ],
    [
      'keycloak, a service account',
      'keycloak',
      {
        aud: [audience, 'account'],
        sub: objectId,
        typ: 'Bearer',
        azp: 'Billing',
        preferred_username: 'service-account-billing',
        scope: 'profile email orders:read',
        client_id: 'Billing',
      },
      {
        clientId: 'Billing',
        kind: 'service',
        scopes: ['profile', 'email', 'orders:read'],
        audience: [audience, 'account'],
      },
    ],
    [
      'keycloak, a user',
      'keycloak',
      {
        aud: audience,
        sub: objectId,
        typ: 'Bearer',
        azp: 'web',
        preferred_username: 'someone',
        scope: 'openid orders:read',
        sid: 'a',
      },
      { clientId: 'web', kind: 'user', scopes: ['openid', 'orders:read'] },
    ],
  ])('%s', async (_name, preset, token, expected) => {
    expect(await callerOf(preset, token)).toEqual({ audience: [audience], ...expected });
  });

  it.each<[string, object, 'service' | 'user']>([
    ['as older versions say it', { clientId: 'web' }, 'service'],
    ['nothing that only service accounts have', {}, 'user'],
    ['a session', { client_id: 'web', sid: 'a' }, 'user'],
    ['a session of older versions', { client_id: 'web', session_state: 'a' }, 'user'],
    ['another client', { client_id: 'other' }, 'user'],
  ])('keycloak, a user name like that of a service account, and %s', async (_name, more, kind) => {
    const shape = { aud: audience, sub: objectId, azp: 'web', preferred_username: 'service-account-web' };
    expect(await callerOf('keycloak', { ...shape, ...more })).toMatchObject({ clientId: 'web', kind });
  });

  it('auth0, a token that names no client is of no service', async () => {
    const token = { aud: audience, sub: 'undefined@clients' };
    expect(await callerOf('auth0', token)).toMatchObject({ clientId: undefined, kind: 'user' });
  });

  it.each<[string, ClaimsOption, object, string]>([
    ['cognito, an ID token', 'cognito', { aud: audience, token_use: 'id', sub: 'a' }, 'wrong_token_kind'],
    [
      'cognito, no audience at all',
      'cognito',
      { token_use: 'access', client_id: 'a', sub: 'a', scope: 'openid' },
      'wrong_audience',
    ],
    [
      'keycloak, a refresh token',
      'keycloak',
      { aud: audience, typ: 'Refresh', azp: 'web' },
      'wrong_token_kind',
    ],
    [
      'entra, roles that are no list',
      'entra',
      { aud: audience, azp: guid, idtyp: 'app', roles: { admin: true } },
      'invalid_claim',
    ],
  ])('refused: %s', async (_name, preset, token, reason) => {
    expect(await callerOf(preset, token)).toBe(reason);
  });
});

describe('a token without sub', () => {
  it.each(['username', 'preferred_username', 'email', 'sid', 'session_state', 'auth_time', 'act'])(
    'is of a user where %s is said',
    async (claim) => {
      const token = { aud: audience, client_id: 'web', [claim]: claim === 'act' ? { sub: 'x' } : 'x' };
      expect(await callerOf(undefined, token)).toMatchObject({ kind: 'user' });
    },
  );

  it('is of its client where nothing says otherwise', async () => {
    expect(await callerOf(undefined, { aud: audience, client_id: 'web' })).toMatchObject({ kind: 'service' });
  });
});

describe('functions', () => {
  const base = { aud: audience, sub: 'a', client_id: 'b', scope: 'one' };

  it('replace what they name, and nothing else', async () => {
    const claims: ClaimsOption = {
      scopes: ({ realm_access: access }) => (access as { roles: string[] }).roles,
      kind: ({ robot }) => (robot === true ? 'service' : undefined),
    };
    const token = { ...base, realm_access: { roles: ['two', 'three'] } };
    expect(await callerOf(claims, token)).toEqual({
      audience: [audience],
      clientId: 'b',
      kind: 'user',
      scopes: ['two', 'three'],
    });
    expect(await callerOf(claims, { ...token, robot: true })).toMatchObject({ kind: 'service' });
  });

  it('may read audience and client', async () => {
    const claims: ClaimsOption = {
      audience: ({ target }) => target as string,
      clientId: ({ who }) => who as string,
    };
    expect(await callerOf(claims, { ...base, aud: 'x', target: audience, who: 'me' })).toMatchObject({
      clientId: 'me',
      audience: [audience],
    });
    expect(await callerOf(claims, { ...base, target: 7 })).toBe('invalid_claim');
  });

  it('that throw refuse the token', async () => {
    const fail = (): never => {
      throw new Error('a defect of the program');
    };
    expect(await callerOf({ scopes: fail }, base)).toBe('invalid_claim');
    expect(await callerOf({ audience: fail }, base)).toBe('invalid_claim');
    expect(await callerOf({ kind: fail }, base)).toBe('invalid_claim');
  });

  it.each([['azure'], [{ scope: () => '' }], [{ scopes: 'scp' }], [null]])('%j is a mistake', (claims) => {
    const issuer = { issuer: 'https://idp.example', claims } as TrustedIssuer;
    expect(() => createVerifier({ issuer, audience })).toThrow(/claims/);
  });
});

describe('tenants', () => {
  const template = { issuer: 'https://login.example/{tenant}/v2.0', jwks: { keys: [key.publicJwk] } };
  const judge = async (iss: string, tenants = ['a', 'b']): Promise<string> => {
    const verifier = createVerifier({ issuer: { ...template, tenants }, audience, now: () => nowMs });
    const outcome = await verifier.verifyToken(await mint(key, { iss }));
    return outcome.ok ? outcome.caller.issuer : outcome.rejection.reason;
  };

  it('are each an issuer of its own, by full name', async () => {
    expect(await judge('https://login.example/a/v2.0')).toBe('https://login.example/a/v2.0');
    expect(await judge('https://login.example/b/v2.0')).toBe('https://login.example/b/v2.0');
    expect(await judge('https://login.example/c/v2.0')).toBe('unknown_issuer');
    expect(await judge('https://login.example/{tenant}/v2.0')).toBe('unknown_issuer');
    expect(await judge('https://login.example/a/b/v2.0')).toBe('unknown_issuer');
  });

  it('have keys of their own', async () => {
    const asked: string[] = [];
    const fetch = async (url: string): Promise<Response> => {
      asked.push(url);
      return Response.json({ keys: [key.publicJwk] });
    };
    const issuer = {
      issuer: template.issuer,
      jwksUri: 'https://login.example/{tenant}/keys',
      tenants: ['a', 'b'],
    };
    const verifier = createVerifier({ issuer, audience, fetch, now: () => nowMs });
    await verifier.verifyToken(
      await mint(key, { iss: 'https://login.example/b/v2.0', exp: nowSeconds + 60 }),
    );
    expect(asked).toEqual(['https://login.example/b/keys']);
  });

  it.each([
    [{ ...template }],
    [{ ...template, tenants: [] }],
    [{ ...template, tenants: ['a', 'a'] }],
    [{ ...template, tenants: ['a/b'] }],
    [{ ...template, tenants: ['..'] }],
    [{ ...template, tenants: ['*'] }],
    [{ ...template, issuer: 'https://login.example/v2.0', tenants: ['a'] }],
  ])('row %# is a mistake', (issuer) => {
    expect(() => createVerifier({ issuer, audience })).toThrow(TypeError);
  });
});
