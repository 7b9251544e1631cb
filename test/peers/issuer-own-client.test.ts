/** The project's own token client and verifier with its issuer: every method, both formats, every binding. */
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AccessToken,
  type AuthRequest,
  type ClientAuth,
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  createTokenClient,
  createVerifier,
  federatedAssertion,
  privateKeyJwt,
  type TokenClient,
  tlsClientAuth,
  type Verifier,
  type VerifierOptions,
} from '../../src/index.ts';
import {
  type IssuerWorld,
  ORDERS,
  type Party,
  STATUS_LIST_SECONDS,
  startIssuerWorld,
  type Way,
  ways,
} from '../helpers/issuer-world.ts';
import { reasonOf } from '../helpers/judge.ts';

const bindings = ['bearer', 'dpop', 'certificate', 'dpop and certificate'] as const;
type Binding = (typeof bindings)[number];
const formats = ['jwt', 'opaque'] as const;

let world: IssuerWorld;
let orders: Party;
beforeAll(async () => {
  world = await startIssuerWorld({ tls: true, dpopNonce: true });
  orders = await world.join('client_secret_basic', { resources: [], serves: [ORDERS] });
});
afterAll(() => world.close());

function authenticationOf({ way, clientSecret, key, assertion }: Party): ClientAuth {
  const functions: Record<Way, () => ClientAuth> = {
    client_secret_basic: () => clientSecretBasic(clientSecret),
    client_secret_post: () => clientSecretPost(clientSecret),
    client_secret_jwt: () => clientSecretJwt(clientSecret),
    'private_key_jwt by jwks': () => privateKeyJwt({ key: key.privateJwk }),
    'private_key_jwt by jwks_uri': () => privateKeyJwt({ key: key.privateJwk }),
    'a federated assertion': () => federatedAssertion(() => assertion()),
    tls_client_auth: tlsClientAuth,
  };
  return functions[way]();
}

interface Holder {
  readonly party: Party;
  readonly tokens: TokenClient;
  readonly token: AccessToken;
  /** A request with the token, and what proves that it may be used. */
  request(): Promise<AuthRequest>;
  revoke(): Promise<void>;
}

const URL_OF_ORDERS = 'https://orders.example/orders';

async function createHolder(way: Way, tokenFormat: 'jwt' | 'opaque', binding: Binding): Promise<Holder> {
  const party = await world.join(way, {
    tokenFormat,
    dpopBound: binding.includes('dpop'),
    certificateBound: binding.includes('certificate'),
  });
  const clientAuth = authenticationOf(party);
  const { clientId, fetch, certificate } = party;
  const tokens = createTokenClient({
    issuer: world.url,
    clientId,
    clientAuth,
    resource: ORDERS,
    dpop: binding.includes('dpop'),
    fetch,
  });
  const token = await tokens.getToken();
  const { accessToken, tokenType } = token;
  return {
    party,
    tokens,
    token,
    async request() {
      const headers = new Headers({ authorization: `${tokenType} ${accessToken}` });
      if (tokenType === 'DPoP') {
        headers.set('dpop', await tokens.dpopProof({ method: 'GET', url: URL_OF_ORDERS, accessToken }));
      }
      const peerCertificate = new X509Certificate(certificate).raw;
      const connection = { encrypted: true, remoteAddress: '127.0.0.1', peerCertificate };
      return { method: 'GET', url: URL_OF_ORDERS, headers, connection };
    },
    async revoke() {
      // The endpoint knows the same methods as the token endpoint.
      const endpoint = `${world.url}/revoke`;
      const form = new URLSearchParams({ token: accessToken });
      const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
      const call = { issuer: world.url, endpoint, clientId, form, headers, refusals: 0, now: Date.now };
      await clientAuth(call);
      const response = await fetch(endpoint, { method: 'POST', headers, body: form.toString() });
      expect(response.status).toBe(200);
    },
  };
}

interface Judges {
  /** The judgement of each, in this order. */
  judge(request: () => Promise<AuthRequest>): Promise<readonly string[]>;
  /** Tells the one that learns of no revocation itself. */
  tell(what: string | { readonly clientId: string }): void;
  /** For as long as answers and lists are kept. */
  wait(): void;
}

function createJudges(format: 'jwt' | 'opaque'): Judges {
  let offsetMs = 0;
  const make = (issuer: object): Verifier => {
    const options: VerifierOptions = {
      issuer: { issuer: world.url, ...issuer },
      audience: ORDERS,
      fetch: world.fetch,
      now: () => Date.now() + offsetMs,
    };
    return createVerifier(options);
  };
  const introspection = (more: object): object => ({
    introspection: {
      clientId: orders.clientId,
      clientSecret: orders.clientSecret,
      cacheSeconds: STATUS_LIST_SECONDS,
      negativeCacheSeconds: 0,
      ...more,
    },
  });
  const byKeys = make({});
  const verifiers =
    format === 'jwt'
      ? [
          byKeys,
          make({ statusList: true }),
          make(introspection({ tokens: 'all' })),
          make(introspection({ tokens: 'all', response: 'jwt' })),
        ]
      : [make(introspection({})), make(introspection({ response: 'jwt' }))];
  return {
    judge: async (request) => {
      const verdicts: string[] = [];
      for (const verifier of verifiers) {
        verdicts.push(await reasonOf(verifier.authenticate(await request(), { scope: 'read' })));
      }
      return verdicts;
    },
    tell: (what) => byKeys.invalidate(what),
    wait() {
      offsetMs += STATUS_LIST_SECONDS * 1000 + 1;
    },
  };
}

const verdicts = {
  jwt: {
    good: ['accepted', 'accepted', 'accepted', 'accepted'],
    /** Keys alone tell nothing of a revocation. */
    gone: ['accepted', 'status_not_valid', 'inactive_token', 'inactive_token'],
    told: ['invalidated', 'status_not_valid', 'inactive_token', 'inactive_token'],
  },
  opaque: {
    good: ['accepted', 'accepted'],
    gone: ['inactive_token', 'inactive_token'],
    told: ['inactive_token', 'inactive_token'],
  },
};

const rows = ways.flatMap((way) =>
  formats.flatMap((format) => bindings.map((binding) => [way, format, binding] as const)),
);

describe.each(rows)('%s, %s, %s', (way, format, binding) => {
  it('is good for the judges by keys, status list and introspection, until it is revoked', async () => {
    const { token, request, revoke } = await createHolder(way, format, binding);
    expect(token.tokenType).toBe(binding.includes('dpop') ? 'DPoP' : 'Bearer');
    const { judge, tell, wait } = createJudges(format);
    const { good, gone, told } = verdicts[format];
    expect(await judge(request)).toEqual(good);
    await revoke();
    wait();
    expect(await judge(request)).toEqual(gone);
    tell(token.accessToken);
    expect(await judge(request)).toEqual(told);
  });

  it('is good until its service is revoked', async () => {
    const { party, tokens, request } = await createHolder(way, format, binding);
    const { judge, tell, wait } = createJudges(format);
    const { good, gone, told } = verdicts[format];
    expect(await judge(request)).toEqual(good);
    await world.admin.services.revoke(party.clientId);
    await expect(tokens.getToken({ forceRefresh: true })).rejects.toMatchObject({
      oauthError: 'invalid_client',
    });
    wait();
    expect(await judge(request)).toEqual(gone);
    tell({ clientId: party.clientId });
    expect(await judge(request)).toEqual(told);
  });
});

describe.each(formats.flatMap((format) => bindings.slice(1).map((binding) => [format, binding] as const)))(
  '%s, %s: without what it is bound to',
  (format, binding) => {
    it('it is refused by all', async () => {
      const { token, request } = await createHolder('client_secret_basic', format, binding);
      const { judge } = createJudges(format);
      const asBearer = async (): Promise<AuthRequest> => ({
        method: 'GET',
        url: URL_OF_ORDERS,
        headers: new Headers({ authorization: `Bearer ${token.accessToken}` }),
      });
      const refusals = new Set(await judge(asBearer));
      expect(refusals).not.toContain('accepted');
      expect(refusals.size).toBe(1);
      const { good } = verdicts[format];
      expect(await judge(request)).toEqual(good);
    });
  },
);
