import { createLocalJWKSet, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import {
  createTestIssuer,
  type MintOptions,
  type TestVerifierOptions,
  tokenFaults,
} from '../../../adapters/testing.ts';
import { type AuthOutcome, createVerifier, type Policy } from '../../../src/index.ts';

const URL_OF_SERVICE = 'https://service.test/orders';

/** How a verifier with the options of the test issuer judges a token. */
async function judge(
  options: MintOptions,
  policy: Policy = {},
  verifierOptions: TestVerifierOptions = {},
): Promise<AuthOutcome> {
  const issuer = createTestIssuer();
  const verifier = createVerifier(issuer.verifierOptions(verifierOptions));
  return verifier.authenticate((await issuer.mint(options)).request(URL_OF_SERVICE), policy);
}

const reasonOf = (outcome: AuthOutcome): string => (outcome.ok ? 'accepted' : outcome.rejection.reason);

describe('a token', () => {
  it('is accepted, and says what was asked for', async () => {
    const issuer = createTestIssuer({ audience: 'https://orders.example' });
    const verifier = createVerifier(issuer.verifierOptions());
    const token = await issuer.mint({ clientId: 'billing', scope: 'orders:read orders:write' });
    const outcome = await verifier.authenticate(token.request(URL_OF_SERVICE));
    expect(outcome).toMatchObject({
      ok: true,
      caller: {
        issuer: 'https://issuer.test',
        clientId: 'billing',
        subject: 'billing',
        kind: 'service',
        audience: ['https://orders.example'],
        expiresAt: issuer.now() / 1000 + 900,
      },
    });
    expect(outcome.ok && [...(outcome.caller?.scopes ?? [])]).toEqual(['orders:read', 'orders:write']);
  });

  it('is that of a user, with actors, if a test wants it so', async () => {
    const outcome = await judge({
      subject: 'user-7',
      actor: ['gateway', 'billing'],
      claims: { tenant: 'acme' },
    });
    expect(outcome).toMatchObject({
      ok: true,
      caller: { subject: 'user-7', kind: 'user', clientId: 'test-client', claims: { tenant: 'acme' } },
    });
    expect(outcome.ok && outcome.caller?.claims.act).toEqual({ sub: 'gateway', act: { sub: 'billing' } });
    expect(reasonOf(await judge({ subject: 'user-7' }, { serviceOnly: true }))).toBe('service_only');
  });

  it('takes other values for claims and header, and loses what is undefined', async () => {
    const { claims } = await createTestIssuer().mint({
      scope: 'read',
      claims: { scope: undefined, permissions: ['read'], client_id: undefined, azp: 'billing' },
    });
    expect(claims).toMatchObject({ permissions: ['read'], azp: 'billing', sub: 'test-client' });
    expect(claims).not.toHaveProperty('scope');
    const typ = { header: { typ: 'JWT' } };
    expect(reasonOf(await judge(typ))).toBe('accepted');
    expect(reasonOf(await judge(typ, {}, { typ: 'at+jwt' }))).toBe('wrong_typ');
  });

  it.each(['ES256', 'EdDSA', 'RS256'] as const)(
    'is a JWT that others verify, too (%s)',
    async (signingAlgorithm) => {
      const issuer = createTestIssuer({ signingAlgorithm });
      const { accessToken } = await issuer.mint({ claims: { extra: 1 } });
      const keys = await (await issuer.fetch(`${issuer.issuer}/jwks`)).json();
      const { payload, protectedHeader } = await jwtVerify(accessToken, createLocalJWKSet(keys), {
        issuer: issuer.issuer,
        audience: issuer.audience,
        typ: 'at+jwt',
      });
      expect(protectedHeader.alg).toBe(signingAlgorithm);
      expect(payload).toMatchObject({ client_id: 'test-client', extra: 1 });
      const stranger = await issuer.mint({ fault: 'wrong_key' });
      await expect(jwtVerify(stranger.accessToken, createLocalJWKSet(keys))).rejects.toThrow('signature');
    },
  );

  it('is opaque, if a test wants it so, and known to introspection', async () => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions({ introspection: true }));
    const token = await issuer.mint({ format: 'opaque', scope: 'read', clientId: 'billing' });
    expect(token.accessToken).not.toContain('.');
    expect(token.claims).toMatchObject({ client_id: 'billing', scope: 'read' });
    const outcome = await verifier.authenticate(token.request(URL_OF_SERVICE), { scope: 'read' });
    expect(outcome).toMatchObject({ ok: true, caller: { clientId: 'billing' } });
    expect(issuer.requests.introspection).toMatchObject([{ clientId: 'test-resource-server', status: 200 }]);
  });

  it('lives as long as it is to live', async () => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions());
    const request = (await issuer.mint({ expiresInSeconds: 60 })).request(URL_OF_SERVICE);
    issuer.advance({ seconds: 59 });
    expect(reasonOf(await verifier.authenticate(request))).toBe('accepted');
    issuer.advance({ seconds: 7 });
    expect(reasonOf(await verifier.authenticate(request))).toBe('expired');
  });

  it('does not show itself where it is printed', async () => {
    const token = await createTestIssuer().mint();
    expect(JSON.stringify(token)).not.toContain(token.accessToken);
    expect(Object.keys(token)).not.toContain('accessToken');
  });
});

describe('a token with a fault', () => {
  it.each(Object.entries(tokenFaults))('%s', async (fault, { status, reason }) => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions());
    const token = await issuer.mint({ scope: 'read', fault: fault as keyof typeof tokenFaults });
    const outcome = await verifier.authenticate(token.request(URL_OF_SERVICE), { scope: 'read' });
    expect(outcome.ok ? undefined : outcome.rejection).toMatchObject({ status, reason });
  });

  it('is refused whatever the algorithm of the keys', async () => {
    const issuer = createTestIssuer({ signingAlgorithm: 'EdDSA' });
    const verifier = createVerifier(issuer.verifierOptions());
    for (const fault of ['wrong_key', 'unknown_key', 'algorithm_confusion'] as const) {
      const token = await issuer.mint({ fault });
      const outcome = await verifier.authenticate(token.request(URL_OF_SERVICE));
      expect(reasonOf(outcome)).toBe(tokenFaults[fault].reason);
    }
  });
});

describe('revocation', () => {
  it('is told by introspection', async () => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(
      issuer.verifierOptions({ introspection: { tokens: 'all', cacheSeconds: 0 } }),
    );
    const token = await issuer.mint();
    const ask = async (): Promise<string> =>
      reasonOf(await verifier.authenticate(token.request(URL_OF_SERVICE)));
    expect(await ask()).toBe('accepted');
    await issuer.revoke(token);
    issuer.advance({ seconds: 1 });
    expect(await ask()).toBe('inactive_token');
  });

  it.each(['token', 'text', 'client'])('is told by status lists (%s)', async (what) => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions({ statusList: true }));
    const token = await issuer.mint({ clientId: 'billing' });
    const ask = async (): Promise<string> =>
      reasonOf(await verifier.authenticate(token.request(URL_OF_SERVICE)));
    expect(await ask()).toBe('accepted');
    await issuer.revoke(
      what === 'token' ? token : what === 'text' ? token.accessToken : { clientId: 'billing' },
    );
    issuer.advance({ minutes: 2 });
    expect(await ask()).toBe('status_not_valid');
  });

  it('says what cannot be revoked', async () => {
    const issuer = createTestIssuer();
    await expect(issuer.revoke('no token')).rejects.toThrow('TestIssuer.revoke: this is no live token');
    await expect(issuer.revoke({ clientId: 'nobody' })).rejects.toThrow('no service nobody is registered');
  });
});

it.each([
  [{ scopes: 'read' }, 'unknown option scopes in options; did you mean scope?'],
  [{ fault: 'exipred' }, "fault must be one of 'expired', 'not_yet_valid'"],
  [{ format: 'opaque', fault: 'expired' }, "format must be 'jwt' where fault, claims or header is given"],
  [{ expiresInSeconds: 0 }, 'expiresInSeconds must be a number of seconds from 1 to 86400; got 0'],
  [{ certificate: 'a certificate' }, 'certificate must be true, or a certificate in PEM or DER; got a text'],
  [{ dpop: 'yes' }, 'dpop must be true or false; got "yes"'],
  [{ clientId: 'a b' }, 'services[0] could not be created: clientId'],
])('mistakes are named: %j', async (options, message) => {
  const minted = createTestIssuer().mint(options as MintOptions);
  await expect(minted).rejects.toThrow(TypeError);
  await expect(minted).rejects.toThrow(message);
});
