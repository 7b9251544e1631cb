import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createTestIssuer } from '../../../adapters/testing.ts';
import { clientSecretPost, createTokenClient, createVerifier } from '../../../src/index.ts';

const secret = 'a-secret-that-must-not-be-seen-anywhere';

describe('the ledger of requests', () => {
  it('counts what verifiers fetch', async () => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions({ statusList: true }));
    const token = await issuer.mint();
    await verifier.authenticate(token.request('https://service.test/'));
    const { metadata, jwks, statusLists, token: tokens, other } = issuer.requests;
    expect([metadata.length, jwks.length, statusLists.length, tokens.length, other.length]).toEqual([
      1, 1, 1, 0, 0,
    ]);
    expect(jwks).toEqual([
      { method: 'GET', url: 'https://issuer.test/jwks', at: issuer.now(), status: 200, fault: undefined },
    ]);
  });

  it('knows the endpoints of an issuer with a path', async () => {
    const issuer = createTestIssuer({ issuer: 'https://login.test/tenants/one' });
    await createVerifier(issuer.verifierOptions()).ready();
    await createTokenClient(issuer.clientOptions()).getToken();
    await issuer.fetch('https://login.test/tenants/one/revoke', { method: 'POST' });
    await issuer.fetch('https://login.test/healthz?probe=1');
    const { metadata, jwks, token, revocation, other } = issuer.requests;
    expect([metadata.length, jwks.length, token.length, revocation.length]).toEqual([2, 1, 1, 1]);
    expect(other).toMatchObject([{ url: 'https://login.test/healthz', status: 200 }]);
  });

  it('holds no token and no secret', async () => {
    const issuer = createTestIssuer({ clients: [{ clientId: 'billing', clientSecret: secret }] });
    const options = issuer.clientOptions({ clientId: 'billing' });
    const { accessToken } = await createTokenClient(options).getToken();
    const { clientSecret: _, ...others } = options;
    await createTokenClient({ ...others, clientAuth: clientSecretPost(secret) }).getToken();
    const body = new URLSearchParams({ token: accessToken, client_id: 'billing', client_secret: secret });
    await issuer.fetch(`${issuer.issuer}/revoke?of=${accessToken}`, { method: 'POST', body });
    expect(issuer.requests.token.map(({ authentication }) => authentication)).toEqual([
      'client_secret_basic',
      'client_secret_post',
    ]);
    expect(issuer.requests.revocation).toMatchObject([{ clientId: 'billing', status: 200 }]);
    const seen = `${inspect(issuer, { depth: 10 })}${JSON.stringify(issuer)}`;
    expect(seen).toContain('client_secret_basic');
    expect(seen).not.toContain(secret);
    expect(seen).not.toContain(accessToken.slice(0, 40));
  });

  it('forgets on demand, in the lists that a test holds already', async () => {
    const issuer = createTestIssuer();
    const { jwks, clear } = issuer.requests;
    await issuer.fetch('https://issuer.test/jwks');
    expect(jwks).toHaveLength(1);
    clear();
    expect(jwks).toHaveLength(0);
  });
});
