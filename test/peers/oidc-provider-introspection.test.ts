/** The introspection endpoint of the oidc-provider package, asked by every way to authenticate and for both answers. */
import { inspect } from 'node:util';
import { decodeJwt, decodeProtectedHeader, generateKeyPair, importJWK, type JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ClientAuth,
  clientSecretBasic,
  clientSecretPost,
  createTokenClient,
  createVerifier,
  type Fetch,
  type IntrospectionOptions,
  privateKeyJwt,
  type ServiceAuthEvent,
  type Verifier,
  type VerifierOptions,
} from '../../src/index.ts';
import { judge } from '../helpers/judge.ts';
import {
  billing,
  clientKeyAlgorithms,
  jwtResource,
  type OidcProvider,
  opaqueResource,
  orders,
  ordersByKey,
  ordersByPost,
  startOidcProvider,
} from '../helpers/oidc-provider.ts';

const MADE_UP = 'QrM82A8kn73N_ZsSvW486etBkDCwZSemVAjoyn9e9SW';

const { privateKey: stranger } = await generateKeyPair('ES256');

let provider: OidcProvider;
let events: ServiceAuthEvent[] = [];
beforeAll(async () => {
  provider = await startOidcProvider();
});
afterAll(() => provider.close());

type Way = Pick<IntrospectionOptions, 'clientId' | 'clientAuth'>;

function make(
  way: Way,
  introspection: Partial<IntrospectionOptions> = {},
  options: Partial<VerifierOptions> = {},
): Verifier {
  events = [];
  return createVerifier({
    issuer: { issuer: provider.issuer, introspection: { ...way, ...introspection } },
    audience: [opaqueResource, jwtResource],
    onEvent: (event) => events.push(event),
    ...options,
  });
}

async function tokenFor(resource = opaqueResource): Promise<string> {
  const { id: clientId, secret: clientSecret } = billing;
  const { issuer } = provider;
  const tokens = createTokenClient({ issuer, clientId, clientSecret, resource, scope: 'orders:read' });
  const { accessToken } = await tokens.getToken();
  tokens.close();
  return accessToken;
}

function keyOf(alg: string): JWK {
  const key = provider.clientKeys.find((one) => one.alg === alg);
  if (key === undefined) throw new Error(`no key for ${alg}`);
  return key;
}

const byKey = (clientAuth: ClientAuth): Way => ({ clientId: ordersByKey, clientAuth });
const introspections = (): number =>
  provider.requests.filter((line) => line.includes('introspection')).length;

const ways: [string, () => Way][] = [
  ['client_secret_basic', () => ({ clientId: orders.id, clientAuth: clientSecretBasic(orders.secret) })],
  [
    'client_secret_basic with a secret that needs encoding',
    () => ({ clientId: billing.id, clientAuth: clientSecretBasic(billing.secret) }),
  ],
  [
    'client_secret_post',
    () => ({ clientId: ordersByPost.id, clientAuth: clientSecretPost(ordersByPost.secret) }),
  ],
  ...clientKeyAlgorithms.map((alg): [string, () => Way] => [
    `private_key_jwt with ${alg}`,
    () => byKey(privateKeyJwt({ key: keyOf(alg) })),
  ]),
];

describe.each(ways)('%s', (_name, way) => {
  it.each(['json', 'jwt'] as const)('is taken, and answered in %s', async (response) => {
    const verifier = make(way(), { response });
    const token = await tokenFor();
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
    expect(await judge(verifier, MADE_UP)).toBe('inactive_token');
    expect(events.filter(({ type }) => type === 'introspection.failed')).toEqual([]);
  });

  it('authenticates every one of 50 calls at the same time anew', async () => {
    const verifier = make(way(), { cacheSeconds: 0 });
    const tokens = await Promise.all(Array.from({ length: 50 }, () => tokenFor()));
    const verdicts = await Promise.all(tokens.map((token) => judge(verifier, token)));
    expect(new Set(verdicts)).toEqual(new Set(['accepted']));
    expect(events.filter(({ type }) => type === 'introspection.call')).toHaveLength(50);
  });
});

describe('signed answers (RFC 9701)', () => {
  const cases: [string, () => Promise<string>, boolean, string][] = [
    ['an active', () => tokenFor(), true, 'accepted'],
    ['an inactive', async () => MADE_UP, false, 'inactive_token'],
  ];

  it.each(cases)('are what comes for %s token', async (_name, makeToken, active, verdict) => {
    const answers: Response[] = [];
    const fetch: Fetch = async (url, init) => {
      const response = await globalThis.fetch(url, init);
      if (url.includes('introspection')) answers.push(response.clone());
      return response;
    };
    const verifier = make(byKey(privateKeyJwt({ key: keyOf('ES256') })), { response: 'jwt' }, { fetch });
    expect(await judge(verifier, await makeToken())).toBe(verdict);
    const [answer] = answers;
    expect(answer?.headers.get('content-type')).toMatch(/^application\/token-introspection\+jwt/);
    const text = (await answer?.text()) ?? '';
    expect(decodeProtectedHeader(text)).toMatchObject({ typ: 'token-introspection+jwt', alg: 'ES256' });
    expect(decodeJwt(text)).toMatchObject({
      iss: provider.issuer,
      aud: ordersByKey,
      token_introspection: { active },
    });
  });

  it('are not replaced by unsigned ones: a provider that sends no others leaves the request undecided', async () => {
    const other = await startOidcProvider({ signedIntrospection: false });
    try {
      const { issuer } = other;
      const introspection = { clientId: orders.id, clientSecret: orders.secret, retries: 0 };
      const verdictFor = (response: 'json' | 'jwt'): Promise<string> => {
        const options = { issuer: { issuer, introspection: { ...introspection, response } } };
        return judge(createVerifier({ ...options, audience: opaqueResource }), MADE_UP);
      };
      expect(await verdictFor('json')).toBe('inactive_token');
      expect(await verdictFor('jwt')).toBe('introspection_unavailable');
    } finally {
      await other.close();
    }
  });
});

describe('assertions', () => {
  it.each(['issuer', 'endpoint'] as const)('for the %s are taken', async (audience) => {
    const verifier = make(byKey(privateKeyJwt({ key: keyOf('ES256'), audience })));
    expect(await judge(verifier, await tokenFor())).toBe('accepted');
  });

  it('are taken from a key that comes as a CryptoKey', async () => {
    const key = await importJWK(keyOf('ES256'), 'ES256');
    if (!(key instanceof CryptoKey)) throw new Error('no CryptoKey');
    expect(await judge(make(byKey(privateKeyJwt({ key, kid: 'client-ES256' }))), await tokenFor())).toBe(
      'accepted',
    );
  });
});

describe('what the provider refuses leaves the request undecided, says why, and shows no secret', () => {
  const refused: [string, () => Way, string][] = [
    [
      'a wrong secret by Basic',
      () => ({ clientId: orders.id, clientAuth: clientSecretBasic('a wrong secret') }),
      'client_auth_failed',
    ],
    [
      'a wrong secret in the body',
      () => ({ clientId: ordersByPost.id, clientAuth: clientSecretPost('a wrong secret') }),
      'client_auth_failed',
    ],
    [
      'a secret that needs encoding, without it',
      () => ({ clientId: billing.id, clientAuth: clientSecretBasic(billing.secret, { encoding: 'raw' }) }),
      'unexpected_status',
    ],
    [
      'a secret of a client that has a key instead',
      () => ({ clientId: ordersByKey, clientAuth: clientSecretBasic('a wrong secret') }),
      'client_auth_failed',
    ],
    [
      'an unknown client',
      () => ({ clientId: 'nobody', clientAuth: clientSecretBasic(orders.secret) }),
      'client_auth_failed',
    ],
    [
      'an assertion by the key of another',
      () => byKey(privateKeyJwt({ key: stranger, kid: 'client-ES256' })),
      'client_auth_failed',
    ],
    [
      'an assertion for another audience',
      () => byKey(privateKeyJwt({ key: keyOf('ES256'), audience: 'https://other.example' })),
      'client_auth_failed',
    ],
    [
      'an assertion that has expired',
      () => byKey(privateKeyJwt({ key: keyOf('ES256'), now: () => Date.now() - 3_600_000 })),
      'client_auth_failed',
    ],
  ];

  it.each(refused)('%s', async (_name, way, code) => {
    const verifier = make(way());
    const token = await tokenFor();
    const outcome = await verifier.verifyToken(token);
    expect(outcome).toMatchObject({
      ok: false,
      rejection: { status: 503, reason: 'introspection_unavailable' },
    });
    expect(events).toContainEqual(expect.objectContaining({ type: 'introspection.failed', code }));
    const shown = inspect([outcome, events], { depth: 9 });
    for (const secret of [token, 'a wrong secret', orders.secret, String(keyOf('ES256').d)]) {
      expect(shown).not.toContain(secret);
    }
  });
});
