/** RFC 9449: the examples of the specification, and what it asks of a resource server. */
import { describe, expect, it } from 'vitest';
import { type AuthOutcome, createVerifier, type VerifierOptions } from '../../src/index.ts';
import { parseChallenges } from '../../src/outbound/challenges.ts';
import { accessTokenHash } from '../../src/shared/dpop.ts';
import { createDpopClient, hashOf, requestWith, url } from '../helpers/dpop.ts';
import { audience, createKey, issuer, mint, nowMs } from '../helpers/tokens.ts';
import { readVectors, type Vector } from '../helpers/vectors.ts';

const vectors = readVectors('rfc9449-dpop');
const ofKind = (kind: string): readonly Vector[] => vectors.filter(({ options }) => options.kind === kind);

interface ResourceRequest {
  readonly clock: number;
  readonly access_token: { readonly value: string; readonly introspection: object };
}

describe('section 7: the examples at a protected resource, with the opaque token that they come with', () => {
  it.each(ofKind('dpop-resource-request'))('$id: $description', async (vector) => {
    const { clock, access_token: token } = vector.options as unknown as ResourceRequest;
    const { method = 'GET', url: target = 'https://resource.example.org/protectedresource' } =
      (vector.request as { method?: string; url?: string } | undefined) ?? {};
    const verifier = createVerifier({
      issuer: {
        issuer: 'https://server.example.com',
        introspection: {
          endpoint: 'https://server.example.com/introspect',
          clientId: 'rs',
          clientSecret: 'secret',
        },
      },
      audience: null,
      now: () => clock * 1000,
      fetch: async () => Response.json(token.introspection),
    });
    const isDowngrade = vector.token === token.value;
    const headers: Record<string, string> = isDowngrade
      ? { authorization: `Bearer ${token.value}` }
      : { authorization: `DPoP ${token.value}`, dpop: String(vector.token) };
    const outcome = await verifier.authenticate(requestWith(headers, { method, url: target }));
    expect(outcome.ok).toBe(vector.expected === 'accept');
  });
});

describe('section 4.2: ath', () => {
  it.each(ofKind('ath'))('$id', async ({ token, ath }) => {
    expect(await accessTokenHash(String(token))).toBe(ath);
  });
});

describe('section 7.1: challenges', () => {
  it.each(ofKind('challenge'))('$id is understood', ({ response }) => {
    const { www_authenticate: header } = response as { www_authenticate: string };
    const schemes = parseChallenges(header).map(({ scheme }) => scheme);
    expect(schemes.filter((scheme) => scheme !== 'bearer' && scheme !== 'dpop')).toEqual([]);
    expect(schemes).toContain('dpop');
  });
});

const key = await createKey('ES256');
const client = await createDpopClient();
const bound = await mint(key, { cnf: { jkt: client.jkt } });
const unbound = await mint(key);

function make(options: Partial<VerifierOptions> = {}) {
  return createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => nowMs,
    ...options,
  });
}

function challengeOf(outcome: AuthOutcome): string | undefined {
  return outcome.ok ? undefined : outcome.rejection.headers['WWW-Authenticate'];
}

const algs = 'algs="ES256 PS256"';
const options: VerifierOptions = { dpop: { mode: 'optional', algorithms: ['ES256', 'PS256'] } };

describe('section 7.1 and 7.2: what a refusal says', () => {
  it.each([
    ['both schemes, no credentials', options, {}, `Bearer, DPoP ${algs}`],
    [
      'DPoP alone, no credentials',
      { dpop: { mode: 'required', algorithms: ['ES256', 'PS256'] } },
      {},
      `DPoP ${algs}`,
    ],
    ['Bearer alone, no credentials', { dpop: false }, {}, 'Bearer'],
    [
      'a bad token as Bearer',
      options,
      { authorization: `Bearer ${unbound}x` },
      `Bearer error="invalid_token", error_description="The access token is not valid here", DPoP ${algs}`,
    ],
    [
      'a bad token as DPoP',
      options,
      { authorization: `DPoP ${unbound}x` },
      `Bearer, DPoP error="invalid_token", error_description="The access token is not valid here", ${algs}`,
    ],
    [
      'a bound token without proof',
      options,
      { authorization: `DPoP ${bound}` },
      `Bearer, DPoP error="invalid_dpop_proof", error_description="The DPoP proof is not valid for this request", ${algs}`,
    ],
  ] as const)('%s', async (_name, given, headers, expected) => {
    expect(challengeOf(await make(given).authenticate(requestWith(headers)))).toBe(expected);
  });
});

describe('section 9: nonces', () => {
  const nonce = { secret: 'a secret of thirty-two bytes or more', lifetimeSeconds: 60 };

  it('asks for one, brings it along, and takes it', async () => {
    const verifier = make({ dpop: { nonce } });
    const headers = { authorization: `DPoP ${bound}` };
    const ath = hashOf(bound);
    const first = await verifier.authenticate(requestWith({ ...headers, dpop: await client.prove({ ath }) }));
    if (first.ok) throw new Error('accepted without a nonce');
    expect(first.rejection).toMatchObject({ status: 401, error: 'use_dpop_nonce', reason: 'missing_nonce' });
    const fresh = first.rejection.headers['DPoP-Nonce'];
    expect(fresh).toMatch(/^[\w-]{32}$/);
    const dpop = await client.prove({ ath, nonce: fresh });
    const second = await verifier.authenticate(requestWith({ ...headers, dpop }));
    expect(second).toMatchObject({ ok: true, headers: { 'DPoP-Nonce': fresh } });
  });

  it('brings one with every answer', async () => {
    const verifier = make({ dpop: { nonce } });
    const answers = [{}, { authorization: `Bearer ${unbound}` }, { authorization: 'Bearer x.y.z' }].map(
      async (headers) => {
        const outcome = await verifier.authenticate(requestWith(headers));
        return outcome.ok ? outcome.headers : outcome.rejection.headers;
      },
    );
    for (const headers of await Promise.all(answers)) expect(headers).toHaveProperty('DPoP-Nonce');
  });

  it('is accepted by every instance with the secret, and for a while after the secret changed', async () => {
    let time = nowMs;
    const instance = (secret: string | string[]) =>
      make({ now: () => time, dpop: { nonce: { ...nonce, secret } } });
    const nonceOf = async (verifier: ReturnType<typeof make>): Promise<string> => {
      const outcome = await verifier.authenticate(requestWith({}));
      return (outcome.ok ? '' : outcome.rejection.headers['DPoP-Nonce']) ?? '';
    };
    const given = await nonceOf(instance(nonce.secret));
    const tryAt = async (verifier: ReturnType<typeof make>, afterSeconds: number): Promise<string> => {
      time = nowMs + afterSeconds * 1000;
      const claims = { ath: hashOf(bound), nonce: given, iat: time / 1000 };
      const headers = { authorization: `DPoP ${bound}`, dpop: await client.prove(claims) };
      const outcome = await verifier.authenticate(requestWith(headers));
      return outcome.ok ? 'accepted' : outcome.rejection.reason;
    };
    expect(await tryAt(instance(nonce.secret), 60)).toBe('accepted');
    expect(await tryAt(instance(['another secret of thirty-two bytes or more', nonce.secret]), 0)).toBe(
      'accepted',
    );
    expect(await tryAt(instance('another secret of thirty-two bytes or more'), 0)).toBe('wrong_nonce');
    expect(await tryAt(instance(nonce.secret), 180)).toBe('wrong_nonce');
  });
});

it('section 4.3: htu is compared without query and fragment, normalised', async () => {
  const verifier = make();
  const judgeHtu = async (htu: unknown, target = url): Promise<string> => {
    const headers = { authorization: `DPoP ${bound}`, dpop: await client.prove({ ath: hashOf(bound), htu }) };
    const outcome = await verifier.authenticate(requestWith(headers, { url: target }));
    return outcome.ok ? 'accepted' : outcome.rejection.reason;
  };
  expect(await judgeHtu(url, `${url}?page=2`)).toBe('accepted');
  expect(await judgeHtu('HTTPS://Orders.EXAMPLE:443/x/../%6frders')).toBe('accepted');
  expect(await judgeHtu(`${url}?page=2`)).toBe('accepted');
  expect(await judgeHtu(`${url}/`)).toBe('proof_url_mismatch');
  expect(await judgeHtu('https://orders.example:8443/orders')).toBe('proof_url_mismatch');
  expect(await judgeHtu('http://orders.example/orders')).toBe('proof_url_mismatch');
  expect(await judgeHtu('https://user@orders.example/orders')).toBe('proof_url_mismatch');
  expect(await judgeHtu('https:\\\\orders.example\\orders')).toBe('proof_url_mismatch');
  expect(await judgeHtu(undefined)).toBe('proof_url_mismatch');
});
