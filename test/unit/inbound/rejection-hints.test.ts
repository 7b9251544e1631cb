/** What events say of classic mistakes; the answer to the caller says nothing of it. */
import { describe, expect, it } from 'vitest';
import { createVerifier, type ServiceAuthEvent, type VerifierOptions } from '../../../src/index.ts';
import { createKey, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const audience = 'https://orders.example';
const issuer = 'https://tenant.example';

interface Told {
  readonly reason: string | undefined;
  readonly hint: string | undefined;
  readonly answer: string;
}

function ask(options: Partial<VerifierOptions> = {}, name = issuer) {
  const told: ServiceAuthEvent[] = [];
  const verifier = createVerifier({
    issuer: { issuer: name, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => nowMs,
    onEvent: (event) => told.push(event),
    ...options,
  });
  return async (token: string, scope?: string): Promise<Told> => {
    const outcome = await verifier.verifyToken(token, scope === undefined ? {} : { policy: { scope } });
    const answer = outcome.ok ? '' : `${outcome.rejection.body} ${JSON.stringify(outcome.rejection.headers)}`;
    const event = told.at(-1);
    return event?.type === 'request.rejected'
      ? { reason: event.reason, hint: event.hint, answer }
      : { reason: undefined, hint: undefined, answer };
  };
}

const entraV2 = 'https://login.microsoftonline.com/11111111/v2.0';
const entraV1 = 'https://sts.windows.net/11111111/';

describe('unknown_issuer', () => {
  it.each([
    [issuer, `${issuer}/`, 'a slash at the end alone'],
    [`${issuer}/`, issuer, 'a slash at the end alone'],
    [issuer, 'http://tenant.example', 'http and https'],
    ['http://localhost:4000', 'http://127.0.0.1:4000', 'one machine, but two names'],
    [entraV2, entraV1, 'version 1 of Entra'],
    [entraV1, entraV2, 'version 2 of Entra'],
    ['https://keycloak:8443/realms/a', 'https://login.example/realms/a', 'hosts alone'],
  ])('%s, got %s', async (name, iss, text) => {
    const { reason, hint, answer } = await ask({}, name)(await mint(key, { iss }));
    expect(reason).toBe('unknown_issuer');
    expect(hint).toContain(text);
    expect(answer).not.toContain(text);
  });

  it.each([
    [entraV2, 'https://sts.windows.net/99999999/'],
    [entraV1, 'https://login.microsoftonline.com/99999999/v2.0'],
    [entraV2, 'https://login.microsoftonline.com/99999999/v2.0'],
  ])('advises nobody to trust a tenant of somebody else: %s, got %s', async (name, iss) => {
    const { reason, hint } = await ask({}, name)(await mint(key, { iss }));
    expect(reason).toBe('unknown_issuer');
    expect(hint).not.toMatch(/trust|version/);
    expect(hint).toContain('another tenant');
  });

  it('says nothing of an issuer that is quite another', async () => {
    const { reason, hint } = await ask()(await mint(key, { iss: 'https://other.example' }));
    expect([reason, hint]).toEqual(['unknown_issuer', undefined]);
  });
});

describe('wrong_audience', () => {
  const id = '22222222-2222';
  it.each<[string, unknown, string]>([
    [audience, `${audience}/`, 'a slash at the end alone'],
    [`api://${id}`, id, 'api:// alone'],
    [id, [`api://${id}`], 'api:// alone'],
    [audience, 'https://graph.microsoft.com', 'Microsoft Graph'],
    [audience, 'billing', 'the client itself'],
    [audience, 'account', 'audience mapper'],
    [audience, `${issuer}/userinfo`, 'userinfo'],
    [audience, [], 'names no audience'],
  ])('%s, got %j', async (wanted, aud, text) => {
    const token = await mint(key, { iss: issuer, aud, client_id: 'billing' });
    const { reason, hint, answer } = await ask({ audience: wanted })(token);
    expect(reason).toBe('wrong_audience');
    expect(hint).toContain(text);
    expect(answer).not.toContain(text);
  });
});

it.each([
  ['https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a', true],
  [issuer, false],
])('of %s, a token without audience is one of Cognito: %s', async (iss, isCognito) => {
  // That preset takes scopes for audiences, which nobody else's clients must be free to choose.
  const { hint } = await ask({}, iss)(await mint(key, { iss, aud: undefined }));
  expect(hint).toContain('names no audience');
  expect(hint?.includes("'cognito'")).toBe(isCognito);
});

describe('times', () => {
  const at = (claims: object): Promise<string> => mint(key, { iss: issuer, ...claims });

  it('one token that is late by little is a client that renews late', async () => {
    const { hint } = await ask()(await at({ exp: nowSeconds - 20 }));
    expect(hint).toBe('expired 20 s ago: let the client renew earlier');
  });

  it('many of them are a clock, and the same one again is not many', async () => {
    const send = ask();
    const first = await at({ exp: nowSeconds - 20 });
    for (let count = 0; count < 5; count++) expect((await send(first)).hint).toContain('renew earlier');
    await send(await at({ exp: nowSeconds - 21 }));
    const { hint } = await send(await at({ exp: nowSeconds - 22 }));
    expect(hint).toMatch(/^expired 22 s ago, and so were 3 tokens within a minute: compare the clocks/);
  });

  it('counts of one issuer say nothing of another one', async () => {
    const other = 'https://other.example';
    const jwks = { keys: [key.publicJwk] };
    const send = ask({
      issuer: [
        { issuer, jwks },
        { issuer: other, jwks },
      ],
    });
    for (const late of [20, 21, 22]) await send(await at({ exp: nowSeconds - late }));
    expect((await send(await at({ iss: other, exp: nowSeconds - 20 }))).hint).toContain('renew earlier');
  });

  it('a token that is long past is kept too long', async () => {
    expect((await ask()(await at({ exp: nowSeconds - 3600 }))).hint).toContain('keeps a token too long');
  });

  it.each(['nbf', 'iat'])('%s ahead is a clock, with the seconds', async (claim) => {
    const { hint } = await ask()(await at({ [claim]: nowSeconds + 30 }));
    expect(hint).toMatch(/^30 s ahead of this clock: compare the clocks/);
  });

  it('milliseconds are told from seconds', async () => {
    expect((await ask()(await at({ iat: nowMs }))).hint).toContain('milliseconds');
  });
});

describe('insufficient_scope', () => {
  it.each<[object, string]>([
    [{ scope: '', roles: ['orders:write'] }, "claims: 'entra'"],
    [{ scope: 'profile', permissions: ['orders:write'] }, "claims: 'auth0'"],
    [{ scope: 'profile', scp: ['orders:write'] }, 'in the claim scp'],
    [{ scope: '' }, 'no scope at all'],
    [{ scope: 'Orders:Write' }, 'it has Orders:Write'],
    [{ scope: 'https://orders.example/orders:write' }, 'it has https://orders.example/orders:write'],
  ])('%j', async (claims, text) => {
    const { reason, hint } = await ask()(await mint(key, { iss: issuer, ...claims }), 'orders:write');
    expect(reason).toBe('insufficient_scope');
    expect(hint).toContain(text);
    // A preset of another issuer would read more than scopes otherwise.
    expect(hint?.includes('claims: ')).toBe(/for (Okta|Entra|Auth0) claims: /.test(hint ?? ''));
  });

  it('finds it among many, in a claim of any form', async () => {
    const scope = Array.from({ length: 60 }, (_, at) => `s${at}`);
    const names = Array.from({ length: 2000 }, (_, at) => at);
    const token = await mint(key, { iss: issuer, scope: 'x', scp: names, permissions: 's1' });
    const send = ask();
    const { hint } = await send(token, scope.join(' '));
    expect(hint).toContain('in the claim permissions');
  });

  it('says nothing where the client has others', async () => {
    const token = await mint(key, { iss: issuer, scope: 'orders:read' });
    expect((await ask()(token, 'orders:write')).hint).toBeUndefined();
  });
});

describe('tokens of other kinds', () => {
  it('opaque ones', async () => {
    expect((await ask()('opaque-token')).hint).toContain('set introspection');
  });

  it('encrypted ones', async () => {
    expect((await ask()('a.b.c.d.e')).hint).toContain('not encrypt');
  });

  it.each([{ token_use: 'id' }, { nonce: 'n', scope: undefined }, { at_hash: 'h' }])(
    'ID tokens: %j',
    async (claims) => {
      const { reason, hint } = await ask()(await mint(key, { iss: issuer, ...claims }));
      expect(reason).toBe('wrong_token_kind');
      expect(hint).toContain('send access_token of the token response');
    },
  );
});

it('a flood gets no hints', async () => {
  const send = ask();
  const token = await mint(key, { iss: `${issuer}/` });
  const hints = [];
  for (let count = 0; count < 150; count++) hints.push((await send(token)).hint);
  expect(hints.filter((hint) => hint !== undefined)).toHaveLength(100);
});
