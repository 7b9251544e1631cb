/** Against the oidc-provider package, with openid-client as the client that proves possession. */
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTokenClient, createVerifier, type Verifier, type VerifierOptions } from '../../src/index.ts';
import { judge, reasonOf } from '../helpers/judge.ts';
import {
  billing,
  jwtResource,
  type OidcProvider,
  opaqueResource,
  orders,
  startOidcProvider,
} from '../helpers/oidc-provider.ts';

let provider: OidcProvider;
beforeAll(async () => {
  provider = await startOidcProvider();
});
afterAll(() => provider.close());

function make(options: Partial<VerifierOptions> & { readonly cacheSeconds?: number } = {}): Verifier {
  const { cacheSeconds = 30, ...rest } = options;
  return createVerifier({
    issuer: {
      issuer: provider.issuer,
      introspection: {
        clientId: orders.id,
        clientSecret: orders.secret,
        cacheSeconds,
        negativeCacheSeconds: 0,
      },
    },
    audience: [jwtResource, opaqueResource],
    ...rest,
  });
}

async function tokenFor(resource: string, scope = 'orders:read'): Promise<string> {
  const { issuer } = provider;
  const tokens = createTokenClient({
    issuer,
    clientId: billing.id,
    clientSecret: billing.secret,
    resource,
    scope,
  });
  const { accessToken } = await tokens.getToken();
  tokens.close();
  return accessToken;
}

/** The peer's client, as a user of it would set it up. */
function configuration(): Promise<client.Configuration> {
  return client.discovery(new URL(provider.issuer), billing.id, billing.secret, undefined, {
    execute: [client.allowInsecureRequests],
  });
}

const introspections = (): number =>
  provider.requests.filter((line) => line.includes('introspection')).length;

describe('opaque access tokens', () => {
  it('are introspected once, with Basic authentication, and say who calls', async () => {
    const verifier = make();
    const token = await tokenFor(opaqueResource);
    const before = introspections();
    const outcome = await verifier.verifyToken(token, {
      policy: { scope: 'orders:read', serviceOnly: true },
    });
    expect(outcome).toMatchObject({
      ok: true,
      caller: { issuer: provider.issuer, clientId: 'billing', kind: 'service', audience: [opaqueResource] },
    });
    expect(await judge(verifier, token)).toBe('accepted');
    expect(introspections() - before).toBe(1);
  });

  it('are asked about once, however many requests bring one at the same time', async () => {
    const verifier = make();
    const token = await tokenFor(opaqueResource);
    const before = introspections();
    const outcomes = await Promise.all(Array.from({ length: 1000 }, () => judge(verifier, token)));
    expect(new Set(outcomes)).toEqual(new Set(['accepted']));
    expect(introspections() - before).toBe(1);
  });

  it('200, then 401 after revocation: within the cache time, and at once when told', async () => {
    let time = Date.now();
    const cached = make({ now: () => time });
    const told = make();
    const token = await tokenFor(opaqueResource);
    expect([await judge(cached, token), await judge(told, token)]).toEqual(['accepted', 'accepted']);
    const config = await configuration();
    await client.tokenRevocation(config, token);
    expect(await judge(cached, token)).toBe('accepted');
    told.invalidate(token);
    expect(await judge(told, token)).toBe('inactive_token');
    time += 30_001;
    expect(await judge(cached, token)).toBe('inactive_token');
  });

  it('made up are refused', async () => {
    expect(await judge(make(), 'QrM82A8kn73N_ZsSvW486etBkDCwZSemVAjoyn9e9SW')).toBe('inactive_token');
  });

  it('leave the request undecided where our own secret is wrong', async () => {
    const introspection = { clientId: orders.id, clientSecret: 'not the secret', retries: 0 };
    const verifier = make({ issuer: { issuer: provider.issuer, introspection } });
    const outcome = await verifier.verifyToken(await tokenFor(opaqueResource));
    expect(outcome).toMatchObject({
      ok: false,
      rejection: { status: 503, reason: 'introspection_unavailable' },
    });
  });
});

describe('JWT access tokens', () => {
  it('are verified by the keys, on the same verifier, without a word to the provider', async () => {
    const verifier = make();
    const token = await tokenFor(jwtResource);
    const before = introspections();
    expect(await judge(verifier, token)).toBe('accepted');
    expect(introspections()).toBe(before);
  });

  it('for another resource are refused', async () => {
    const verifier = make({ audience: 'https://stock.example' });
    expect(await judge(verifier, await tokenFor(jwtResource))).toBe('wrong_audience');
    expect(await judge(verifier, await tokenFor(opaqueResource))).toBe('wrong_audience');
  });

  it('are accepted under the strict typ, as RFC 9068 has it', async () => {
    expect(await judge(make({ typ: 'at+jwt' }), await tokenFor(jwtResource))).toBe('accepted');
  });
});

describe('DPoP', () => {
  async function boundToken(resource: string): Promise<{ token: string; dpop: client.DPoPHandle }> {
    const config = await configuration();
    const dpop = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const parameters = { resource, scope: 'orders:read' };
    const { access_token: token } = await client.clientCredentialsGrant(config, parameters, { DPoP: dpop });
    return { token, dpop };
  }

  it.each([jwtResource, opaqueResource])('a token for %s is held to its key', async (resource) => {
    const verifier = make({ publicUrl: 'https://orders.example' });
    const { token, dpop } = await boundToken(resource);
    const url = new URL('https://orders.example/orders?page=2');
    const proofs: Headers[] = [];
    // The client of the peer makes the request, which is judged instead of sent.
    const send = async (_url: string, init: client.CustomFetchOptions): Promise<Response> => {
      const headers = new Headers(init.headers);
      proofs.push(headers);
      const outcome = await verifier.authenticate({ method: init.method, url: '/orders?page=2', headers });
      if (outcome.ok) return new Response(outcome.caller.scheme);
      return new Response(outcome.rejection.body, outcome.rejection);
    };
    const config = await configuration();
    config[client.customFetch] = send;
    const response = await client.fetchProtectedResource(config, token, url, 'GET', null, undefined, {
      DPoP: dpop,
    });
    expect(await response.text()).toBe('DPoP');
    const [headers] = proofs;
    if (headers === undefined) throw new Error('nothing was sent');
    const replay = { method: 'GET', url: '/orders', headers };
    expect(await reasonOf(verifier.authenticate(replay))).toBe('replayed_proof');
    expect(await reasonOf(verifier.authenticate({ ...replay, method: 'POST' }))).toBe(
      'proof_method_mismatch',
    );
    expect(await judge(verifier, token)).toBe('bound_token_as_bearer');
  });

  it('with a nonce on our side: the client asks again with it, and passes', async () => {
    const verifier = make({
      publicUrl: 'https://orders.example',
      dpop: { nonce: { secret: 'x'.repeat(32) } },
    });
    const { token, dpop } = await boundToken(jwtResource);
    const statuses: number[] = [];
    const config = await configuration();
    config[client.customFetch] = async (_url, init) => {
      const headers = new Headers(init.headers);
      const outcome = await verifier.authenticate({ method: init.method, url: '/orders', headers });
      statuses.push(outcome.ok ? 200 : outcome.rejection.status);
      if (outcome.ok) return new Response('', { headers: { ...outcome.headers } });
      return new Response(outcome.rejection.body, outcome.rejection);
    };
    const url = new URL('https://orders.example/orders');
    await client.fetchProtectedResource(config, token, url, 'GET', null, undefined, { DPoP: dpop });
    expect(statuses).toEqual([401, 200]);
  });
});
