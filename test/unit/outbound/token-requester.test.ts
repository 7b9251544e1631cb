import { inspect } from 'node:util';
import { decodeJwt, EmbeddedJWK, generateKeyPair, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { isServiceAuthError } from '../../../src/errors.ts';
import type { ServiceAuthEvent } from '../../../src/events.ts';
import { createTokenClient } from '../../../src/outbound/token-client.ts';
import type { TokenClientOptions } from '../../../src/outbound/token-client-options.ts';
import { clientSecretPost } from '../../../src/shared/client-auth.ts';
import { privateKeyJwt } from '../../../src/shared/private-key-jwt.ts';
import { createNetwork, type Network, type Reply, refusal, type Sent, tokenAnswer } from './in-process.ts';
import { createClock, createDeferred, rejection, secretCanary, tokenCanary } from './support.ts';

const tokenEndpoint = 'https://idp.example/token';

function createBench(reply: Reply, options: Partial<TokenClientOptions> = {}) {
  const clock = createClock();
  const network = createNetwork({ '/token': reply });
  const events: ServiceAuthEvent[] = [];
  const tokens = createTokenClient({
    tokenEndpoint,
    clientId: 'billing',
    ...(options.clientAuth === undefined && { clientSecret: secretCanary }),
    now: clock.now,
    random: () => 0,
    onEvent: (event) => events.push(event),
    ...options,
    fetch: network.fetch,
  });
  return { clock, network, events, tokens };
}

const secretOf = ({ headers }: Sent): string =>
  decodeURIComponent(atob((headers.get('authorization') ?? '').slice('Basic '.length)).split(':')[1] ?? '');
const secretsSent = ({ sent }: Network): string[] => sent.map(secretOf);

/** Knows these secrets and no other. */
const knows =
  (...secrets: string[]): Reply =>
  (sent, count) =>
    secrets.includes(secretOf(sent)) ? tokenAnswer(`token-${count}`) : refusal('invalid_client', 401);

const dateOf = (ms: number): Record<string, string> => ({ date: new Date(ms).toUTCString() });

describe('a secret that the server refuses', () => {
  it('is read again once: a rotated one is used at once, and nobody notices', async () => {
    const given = ['old-secret', 'new-secret'];
    const { tokens, network } = createBench(knows('new-secret'), {
      clientSecret: () => given.shift() ?? 'new-secret',
    });
    expect((await tokens.getToken()).accessToken).toBe('token-2');
    expect(secretsSent(network)).toEqual(['old-secret', 'new-secret']);
  });

  it('is not sent again if the source gives the same one', async () => {
    let reads = 0;
    const { tokens, network } = createBench(knows('other'), {
      clientSecret: () => {
        reads++;
        return 'old-secret';
      },
    });
    expect(await rejection(tokens.getToken())).toMatchObject({ oauthError: 'invalid_client', status: 401 });
    expect({ sent: network.sent.length, reads }).toEqual({ sent: 1, reads: 2 });
  });

  it('of several the newest goes first, then the next, each once', async () => {
    const secrets = ['newest', 'middle', 'oldest'];
    const middle = createBench(knows('middle'), { clientSecret: secrets });
    expect((await middle.tokens.getToken()).accessToken).toBe('token-2');
    expect(secretsSent(middle.network)).toEqual(['newest', 'middle']);
    const seen: (string | null)[] = [];
    const post = createBench(
      ({ form }) => {
        seen.push(form.get('client_secret'));
        return form.get('client_secret') === 'oldest' ? tokenAnswer('t') : refusal('invalid_client', 401);
      },
      { clientAuth: clientSecretPost(secrets) },
    );
    expect((await post.tokens.getToken()).accessToken).toBe('t');
    expect(seen).toEqual(secrets);
    const none = createBench(knows(), { clientSecret: secrets });
    expect(await rejection(none.tokens.getToken())).toMatchObject({ oauthError: 'invalid_client' });
    expect(secretsSent(none.network)).toEqual(secrets);
  });

  it.each([
    ['unauthorized_client', 'Keycloak'],
    ['access_denied', 'Auth0'],
  ])('is also one that is called %s with status 401, as by %s', async (error) => {
    const { tokens, network } = createBench(
      (sent, count) =>
        secretOf(sent) === 'old-secret' ? tokenAnswer(`token-${count}`) : refusal(error, 401),
      { clientSecret: ['new-secret', 'old-secret'] },
    );
    expect((await tokens.getToken()).accessToken).toBe('token-2');
    expect(secretsSent(network)).toEqual(['new-secret', 'old-secret']);
  });

  it.each([
    ['unauthorized_client', 400],
    ['access_denied', 403],
  ])('is none where %s comes with status %i: that is about the grant', async (error, status) => {
    const { tokens, network } = createBench(() => refusal(error, status), {
      clientSecret: ['new-secret', 'old-secret'],
    });
    expect(await rejection(tokens.getToken())).toMatchObject({ oauthError: error });
    expect(secretsSent(network)).toEqual(['new-secret']);
  });

  it('of a list that never ends: four attempts, then the refusal', async () => {
    const { tokens, network } = createBench(knows(), {
      clientSecret: Array.from({ length: 20 }, (_, index) => `secret-${index}`),
    });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'token_request_rejected' });
    expect(network.sent).toHaveLength(4);
  });

  it('whose source invents a new one each time: four attempts, then the refusal', async () => {
    let count = 0;
    const { tokens, network } = createBench(knows(), { clientSecret: () => `secret-${++count}` });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'token_request_rejected' });
    expect(network.sent).toHaveLength(4);
  });

  it('whose source fails when it is read again: that is the error', async () => {
    let reads = 0;
    const { tokens, network } = createBench(knows(), {
      clientSecret: () => {
        if (++reads > 1) throw new Error(`vault says ${secretCanary}`);
        return 'old';
      },
    });
    const error = await rejection(tokens.getToken());
    expect(error).toMatchObject({ code: 'client_auth_failed' });
    expect(inspect(error)).not.toContain(secretCanary);
    expect(network.sent).toHaveLength(1);
  });
});

describe('what the server will refuse again', () => {
  it.each(['invalid_client', 'unauthorized_client', 'invalid_scope', 'invalid_target'])(
    '%s is answered from memory for ten seconds',
    async (error) => {
      const { tokens, network, clock } = createBench(() =>
        refusal(error, error === 'invalid_client' ? 401 : 400),
      );
      for (let call = 0; call < 5; call++) {
        expect(await rejection(tokens.getToken())).toMatchObject({
          code: 'token_request_rejected',
          oauthError: error,
        });
        clock.advance(1900);
      }
      expect(network.sent).toHaveLength(1);
      clock.advance(501);
      await rejection(tokens.getToken());
      expect(network.sent).toHaveLength(2);
    },
  );

  it.each(['invalid_grant', 'invalid_request', 'unsupported_grant_type'])(
    '%s is asked about again',
    async (error) => {
      const { tokens, network } = createBench(() => refusal(error));
      await rejection(tokens.getToken());
      await rejection(tokens.getToken());
      expect(network.sent).toHaveLength(2);
    },
  );

  it.each([1, 2, 3, 10])(
    'is asked anew at once when the secret has changed, after %i refused calls',
    async (calls) => {
      let secret = 'old';
      const { tokens, network } = createBench(knows('new'), { clientSecret: () => secret });
      for (let call = 0; call < calls; call++) {
        expect(await rejection(tokens.getToken())).toMatchObject({ oauthError: 'invalid_client' });
      }
      expect(network.sent).toHaveLength(1);
      secret = 'new';
      expect((await tokens.getToken()).accessToken).toBe('token-2');
      expect(network.sent).toHaveLength(2);
    },
  );

  it('is asked anew when the key of an assertion has changed', async () => {
    const keys = await Promise.all(
      [1, 2].map(async () => (await generateKeyPair('ES256', { extractable: true })).privateKey),
    );
    let at = 0;
    const { tokens, network } = createBench(
      (_, count) => (count === 1 ? refusal('invalid_client', 401) : tokenAnswer('t')),
      { clientAuth: privateKeyJwt({ key: () => keys[at] as CryptoKey }) },
    );
    await rejection(tokens.getToken());
    await rejection(tokens.getToken());
    expect(network.sent).toHaveLength(1);
    at = 1;
    expect((await tokens.getToken()).accessToken).toBe('t');
  });

  it('is known for the very scope and resource alone', async () => {
    const { tokens, network } = createBench(({ form }) =>
      form.get('scope') === 'wrong' ? refusal('invalid_scope') : tokenAnswer('good'),
    );
    await rejection(tokens.getToken({ scope: 'wrong' }));
    expect((await tokens.getToken({ scope: 'right' })).accessToken).toBe('good');
    await rejection(tokens.getToken({ scope: 'wrong' }));
    expect(network.sent).toHaveLength(2);
  });

  it('is forgotten once the server gave a token', async () => {
    let refuses = true;
    const { tokens, network, clock } = createBench(() =>
      refuses ? refusal('invalid_scope') : tokenAnswer('good'),
    );
    await rejection(tokens.getToken());
    clock.advance(10_001);
    refuses = false;
    await tokens.getToken();
    refuses = true;
    await rejection(tokens.getToken({ forceRefresh: true }));
    expect(network.sent).toHaveLength(3);
  });

  it('does not fail longer for a clock that was set back', async () => {
    const { tokens, network, clock } = createBench(() => refusal('invalid_scope'));
    await rejection(tokens.getToken());
    clock.advance(-60_000);
    await rejection(tokens.getToken());
    expect(network.sent).toHaveLength(2);
  });

  it('says how long that will last', async () => {
    const { tokens, clock } = createBench(() => refusal('invalid_scope'));
    await rejection(tokens.getToken());
    clock.advance(4000);
    expect(await rejection(tokens.getToken())).toMatchObject({ retryAfterMs: 6000, status: 400 });
  });
});

/** Takes only a proof with the nonce of this moment, and gives it. */
function withNonce(current: () => string, seen: string[] = []): Reply {
  return ({ headers }) => {
    const { nonce } = decodeJwt<{ nonce?: string }>(headers.get('dpop') ?? '');
    seen.push(nonce ?? '-');
    const header = { 'dpop-nonce': current() };
    if (nonce !== current()) return refusal('use_dpop_nonce', 400, header);
    return tokenAnswer('bound', { token_type: 'DPoP' }, header);
  };
}

describe('DPoP at the token endpoint', () => {
  it('one more attempt with the nonce, which the next request has at once', async () => {
    const seen: string[] = [];
    const { tokens } = createBench(
      withNonce(() => 'n-1', seen),
      { dpop: true },
    );
    expect(await tokens.getToken()).toMatchObject({ tokenType: 'DPoP' });
    await tokens.getToken({ forceRefresh: true });
    expect(seen).toEqual(['-', 'n-1', 'n-1']);
  });

  it('proof, assertion and their numbers are made anew on each attempt', async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const { tokens, network } = createBench(
      withNonce(() => 'n-1'),
      { dpop: true, clientAuth: privateKeyJwt({ key: privateKey }) },
    );
    await tokens.getToken();
    const [first, second] = network.sent;
    const jti = (text: string | null | undefined): unknown => decodeJwt(text ?? '').jti;
    expect(jti(first?.headers.get('dpop'))).not.toBe(jti(second?.headers.get('dpop')));
    expect(jti(first?.form.get('client_assertion'))).not.toBe(jti(second?.form.get('client_assertion')));
    expect(second?.form.getAll('client_assertion')).toHaveLength(1);
    expect(second?.form.getAll('grant_type')).toEqual(['client_credentials']);
  });

  it('a server that invents nonces for ever is asked four times', async () => {
    let count = 0;
    const { tokens, network } = createBench(
      withNonce(() => `n-${++count}`),
      { dpop: true },
    );
    expect(await rejection(tokens.getToken())).toMatchObject({ oauthError: 'use_dpop_nonce' });
    expect(network.sent).toHaveLength(4);
  });

  it.each([
    ['gives none', {}],
    ['gives one that is no nonce', { 'dpop-nonce': 'a b' }],
  ])('a server that asks for a nonce and %s is not asked again', async (_, headers) => {
    const { tokens, network } = createBench(() => refusal('use_dpop_nonce', 400, headers), { dpop: true });
    expect(await rejection(tokens.getToken())).toMatchObject({ oauthError: 'use_dpop_nonce' });
    expect(network.sent).toHaveLength(1);
  });

  it('a server that asks for the nonce that it got is not asked again', async () => {
    const { tokens, network } = createBench(
      () => refusal('use_dpop_nonce', 400, { 'dpop-nonce': 'always-this' }),
      { dpop: true },
    );
    await rejection(tokens.getToken());
    expect(network.sent).toHaveLength(2);
  });

  it('without DPoP no server gets a second request by asking for a nonce', async () => {
    const { tokens, network } = createBench(() =>
      refusal('use_dpop_nonce', 400, { 'dpop-nonce': `n-${Math.random()}` }),
    );
    await rejection(tokens.getToken());
    expect(network.sent).toHaveLength(1);
    expect(network.sent[0]?.headers.get('dpop')).toBeNull();
  });

  it('threat 17: thirty kinds of token at once, nonces that change all the time: no proof is mixed up', async () => {
    let current = 0;
    const { tokens, network } = createBench(
      async ({ headers, form }) => {
        const { nonce } = decodeJwt<{ nonce?: string }>(headers.get('dpop') ?? '');
        await new Promise((resolve) => setImmediate(resolve));
        // The nonce of this answer and of the one before are good, as with a server that rotates them.
        const isGood = nonce !== undefined && Number(nonce.slice(2)) >= current - 40;
        const header = { 'dpop-nonce': `n-${++current}` };
        if (!isGood) return refusal('use_dpop_nonce', 400, header);
        return tokenAnswer(`token-of-${form.get('scope')}`, { token_type: 'DPoP' }, header);
      },
      { dpop: true },
    );
    const scopes = Array.from({ length: 30 }, (_, index) => `scope-${index}`);
    const all = await Promise.all(scopes.map((scope) => tokens.getToken({ scope })));
    expect(all.map(({ accessToken }) => accessToken)).toEqual(scopes.map((scope) => `token-of-${scope}`));
    for (const { headers, url } of network.sent) {
      const { payload } = await jwtVerify(headers.get('dpop') ?? '', EmbeddedJWK, {
        clockTolerance: '10 years',
      });
      expect(payload).toMatchObject({ htm: 'POST', htu: url });
      expect(payload).not.toHaveProperty('ath');
    }
    const numbers = network.sent.map(({ headers }) => decodeJwt(headers.get('dpop') ?? '').jti);
    expect(new Set(numbers).size).toBe(network.sent.length);
    expect(network.sent.length).toBeLessThanOrEqual(60);
  });

  it('keys rotate with each new token, and each token keeps its own', async () => {
    const { tokens, network } = createBench((_, count) => tokenAnswer(`t-${count}`, { token_type: 'DPoP' }), {
      dpop: { rotate: true },
    });
    const one = await tokens.getToken();
    const first = decodeKey(network.sent[0]);
    expect(await keyOfProof(tokens, one.accessToken)).toBe(first);
    const two = await tokens.getToken({ forceRefresh: true });
    const second = decodeKey(network.sent[1]);
    expect(second).not.toBe(first);
    expect(await keyOfProof(tokens, two.accessToken)).toBe(second);
  });
});

function decodeKey(sent: Sent | undefined): string {
  return keyOf(sent?.headers.get('dpop') ?? '');
}

function keyOf(proof: string): string {
  const { jwk }: { jwk: { x: string } } = JSON.parse(atob(proof.split('.')[0]?.replaceAll('-', '+') ?? ''));
  return jwk.x;
}

async function keyOfProof(
  tokens: ReturnType<typeof createTokenClient>,
  accessToken: string,
): Promise<string> {
  const url = 'https://orders.internal/';
  return keyOf(await tokens.dpopProof({ method: 'GET', url, accessToken }));
}

describe('a clock that is not that of the server', () => {
  const skews = [-3_600_000, -60_000, 60_000, 3_600_000];

  it.each(skews)(
    'an assertion %i ms off is made once more, by the time of the server, and right at once later',
    async (skew) => {
      const { privateKey } = await generateKeyPair('ES256', { extractable: true });
      const seen: number[] = [];
      const { tokens, clock } = createBench(
        ({ form }) => {
          const serverNow = clock.now() + skew;
          const { iat = 0 } = decodeJwt(form.get('client_assertion') ?? '');
          const off = Math.abs(iat * 1000 - serverNow);
          seen.push(off);
          if (off > 5000) return refusal('invalid_client', 401, dateOf(serverNow));
          return tokenAnswer('t', {}, dateOf(serverNow));
        },
        { clientAuth: privateKeyJwt({ key: privateKey }) },
      );
      expect((await tokens.getToken()).accessToken).toBe('t');
      await tokens.getToken({ forceRefresh: true });
      expect(seen).toHaveLength(3);
    },
  );

  it.each(skews)('a proof %i ms off is made once more', async (skew) => {
    const { tokens, clock, network } = createBench(
      ({ headers }) => {
        const serverNow = clock.now() + skew;
        const { iat = 0 } = decodeJwt(headers.get('dpop') ?? '');
        if (Math.abs(iat * 1000 - serverNow) > 5000) {
          return refusal('invalid_dpop_proof', 400, dateOf(serverNow));
        }
        return tokenAnswer('t', { token_type: 'DPoP' }, dateOf(serverNow));
      },
      { dpop: true },
    );
    await tokens.getToken();
    await tokens.getToken({ forceRefresh: true });
    expect(network.sent).toHaveLength(3);
  });

  it('that refuses all the same is asked twice, not more', async () => {
    let skew = 0;
    const { tokens, clock, network } = createBench(
      () => {
        skew += 60_000;
        return refusal('invalid_dpop_proof', 400, dateOf(clock.now() + skew));
      },
      { dpop: true },
    );
    expect(await rejection(tokens.getToken())).toMatchObject({ oauthError: 'invalid_dpop_proof' });
    expect(network.sent).toHaveLength(2);
  });

  it('that is right: a refused proof is refused', async () => {
    const { tokens, clock, network } = createBench(
      () => refusal('invalid_dpop_proof', 400, dateOf(clock.now())),
      { dpop: true },
    );
    await rejection(tokens.getToken());
    expect(network.sent).toHaveLength(1);
  });

  it('does not change when a token expires', async () => {
    const { tokens, clock } = createBench(() => tokenAnswer('t', {}, dateOf(clock.now() + 3_600_000)));
    expect((await tokens.getToken()).expiresAt).toBe(clock.now() + 600_000);
  });
});

describe('waiting', () => {
  it.each<[string, Partial<TokenClientOptions>]>([
    ['for the secret', { clientSecret: () => new Promise<string>(() => {}) }],
    ['for an answer', {}],
  ])('%s ends with the signal of the call', async (_, options) => {
    const { tokens } = createBench(() => new Promise<Response>(() => {}), options);
    const controller = new AbortController();
    const waiting = rejection(tokens.getToken({ signal: controller.signal }));
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error('enough'));
    expect(await waiting).toMatchObject({ message: 'enough' });
    tokens.close();
  });

  it('for the second attempt ends with the signal, and the first caller does not end it for others', async () => {
    const second = createDeferred<Response>();
    const { tokens, network } = createBench(
      (_, count) => (count === 1 ? refusal('use_dpop_nonce', 400, { 'dpop-nonce': 'n-1' }) : second.promise),
      { dpop: true },
    );
    const controller = new AbortController();
    const one = rejection(tokens.getToken({ signal: controller.signal }));
    const two = tokens.getToken();
    await expect.poll(() => network.sent.length).toBe(2);
    controller.abort(new Error('enough'));
    expect(await one).toMatchObject({ message: 'enough' });
    second.resolve(tokenAnswer('t', { token_type: 'DPoP' }));
    expect((await two).accessToken).toBe('t');
  });
});

describe('threat 27: whatever goes wrong', () => {
  const wrong: [string, () => Response][] = [
    ['a refusal that quotes', () => Response.json({ error: 'invalid_client' }, { status: 401 })],
    [
      'an error description that quotes',
      () => Response.json({ error: 'invalid_scope', error_description: secretCanary }, { status: 400 }),
    ],
    ['a body that quotes', () => new Response(secretCanary + tokenCanary)],
    ['an answer of the wrong type', () => tokenAnswer(tokenCanary, { token_type: 'mac' })],
    ['an answer without lifetime', () => tokenAnswer(tokenCanary, { expires_in: 0 })],
    ['a nonce for ever', () => refusal('use_dpop_nonce', 400, { 'dpop-nonce': `n-${Math.random()}` })],
  ];

  it.each(wrong)('%s: neither error nor event show secret, token, proof or assertion', async (_, answer) => {
    const proofs: string[] = [];
    const { tokens, events } = createBench(
      ({ headers, form }) => {
        proofs.push(headers.get('dpop') ?? '', form.get('client_secret') ?? '');
        return answer();
      },
      { dpop: true, clientAuth: clientSecretPost(secretCanary) },
    );
    const error = await rejection(tokens.getToken());
    expect(isServiceAuthError(error)).toBe(true);
    const depth = { depth: 20, showHidden: true, getters: true };
    const seen = `${inspect([error, events, tokens], depth)}${JSON.stringify([error, events])}${String(error)}`;
    expect(proofs.filter((proof) => proof !== '').length).toBeGreaterThan(1);
    for (const secret of [secretCanary, tokenCanary, ...proofs.filter((proof) => proof !== '')]) {
      expect(seen).not.toContain(secret);
    }
  });
});
