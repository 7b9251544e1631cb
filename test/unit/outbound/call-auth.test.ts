/** Calls with tokens in the whole: what is sent again, with what, and how often. */
import { inspect } from 'node:util';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import type { ServiceAuthEvent } from '../../../src/events.ts';
import { createVerifier, type DpopOptions, type Verifier } from '../../../src/index.ts';
import { type AuthedFetch, createAuthedFetch } from '../../../src/outbound/authed-fetch.ts';
import type { AuthedFetchOptions } from '../../../src/outbound/authed-fetch-options.ts';
import { hashOf } from '../../helpers/dpop.ts';
import { audience, createKey, issuer, mint } from '../../helpers/tokens.ts';
import { challenge, createNetwork, type Network, type Reply, type Sent, tokenAnswer } from './in-process.ts';
import { createClock, createDeferred, eventTypes, rejection, secretCanary } from './support.ts';

const service = 'https://orders.internal';
const issuerKey = await createKey('ES256');

/** Gives tokens that are bound to the key of the proof, as an authorization server does. */
const bindsTokens: Reply = async ({ headers }, count) => {
  const proof = headers.get('dpop');
  if (proof === null) return tokenAnswer(await mint(issuerKey, { jti: `${count}` }));
  const [head = ''] = proof.split('.');
  const { jwk }: { jwk: object } = JSON.parse(Buffer.from(head, 'base64url').toString());
  const { calculateJwkThumbprint } = await import('jose');
  const cnf = { jkt: await calculateJwkThumbprint(jwk) };
  return tokenAnswer(await mint(issuerKey, { jti: `${count}`, cnf }), { token_type: 'DPoP' });
};

interface Bench {
  readonly call: AuthedFetch;
  readonly network: Network;
  readonly events: ServiceAuthEvent[];
  readonly clock: ReturnType<typeof createClock>;
}

function createBench(
  reply: Reply,
  options: Partial<AuthedFetchOptions> = {},
  tokens: Reply = bindsTokens,
): Bench {
  const clock = createClock();
  const network = createNetwork({ '/token': tokens, '*': reply });
  const events: ServiceAuthEvent[] = [];
  const call = createAuthedFetch({
    tokenEndpoint: 'https://idp.example/token',
    clientId: 'billing',
    clientSecret: secretCanary,
    targets: [service],
    dpop: true,
    now: clock.now,
    onEvent: (event) => events.push(event),
    ...options,
    fetch: network.fetch,
  });
  return { call, network, events, clock };
}

const calls = ({ sent }: Network): Sent[] => sent.filter(({ url }) => !url.endsWith('/token'));
const proofOf = ({ headers }: Sent): ReturnType<typeof decodeJwt<{ nonce?: string; ath?: string }>> =>
  decodeJwt(headers.get('dpop') ?? '');
const nonceOf = (sent: Sent): string => proofOf(sent).nonce ?? '-';

/** A resource server behind the project's own verifier. */
function guardedBy(verifier: Verifier, date?: () => number): Reply {
  return async ({ url, method, headers }) => {
    const outcome = await verifier.authenticate({ method, url, headers });
    const more: Record<string, string> = date ? { date: new Date(date()).toUTCString() } : {};
    if (outcome.ok) return new Response('good', { headers: { ...more, ...outcome.headers } });
    const { body, status, headers: answered } = outcome.rejection;
    return new Response(body, { status, headers: { ...more, ...answered } });
  };
}

function verifierAt(now: () => number, dpop: DpopOptions = {}): Verifier {
  return createVerifier({
    issuer: { issuer, jwks: { keys: [issuerKey.publicJwk] } },
    audience,
    dpop: { mode: 'required', ...dpop },
    now,
    clockToleranceSeconds: 300,
  });
}

describe('calls with bound tokens', () => {
  it.each(['ES256', 'EdDSA'] as const)(
    'pass the verifier with %s, each with a new proof',
    async (algorithm) => {
      const bench = createBench((sent, count) => guardedBy(verifier)(sent, count), { dpop: { algorithm } });
      const verifier = verifierAt(bench.clock.now);
      for (const init of [{}, { method: 'POST', body: 'x' }, { method: 'delete' }]) {
        const response = await bench.call(`${service}/orders/7?page=2#top`, init);
        expect([response.status, await response.text()]).toEqual([200, 'good']);
      }
      const sent = calls(bench.network);
      expect(new Set(sent.map((one) => proofOf(one).jti)).size).toBe(3);
      const [{ headers } = { headers: new Headers() }] = sent;
      const [scheme, token = ''] = (headers.get('authorization') ?? '').split(' ');
      expect(scheme).toBe('DPoP');
      expect(sent.map((one) => proofOf(one).ath)).toEqual(Array(3).fill(hashOf(token)));
      expect(bench.network.to('/token')).toHaveLength(1);
    },
  );

  it('without DPoP for a target send no proof', async () => {
    const bench = createBench(() => new Response(), { targets: [{ origin: service, dpop: false }] });
    await bench.call(`${service}/`);
    expect(bench.network.sent.map(({ headers }) => headers.get('dpop'))).toEqual([null, null]);
  });

  it('of a server that does not know DPoP go as Bearer', async () => {
    const bench = createBench(
      () => new Response(),
      {},
      () => tokenAnswer('plain'),
    );
    await bench.call(`${service}/`);
    const [sent] = calls(bench.network);
    expect(sent?.headers.get('authorization')).toBe('Bearer plain');
    expect(sent?.headers.get('dpop')).toBeNull();
  });
});

describe('nonces of resource servers', () => {
  it('of the verifier: one more attempt with it, none at the next call', async () => {
    const bench = createBench((sent, count) => guardedBy(verifier)(sent, count));
    const verifier = verifierAt(bench.clock.now, { nonce: { secret: 'x'.repeat(32) } });
    for (let call = 0; call < 3; call++) expect((await bench.call(`${service}/orders`)).status).toBe(200);
    expect(calls(bench.network)).toHaveLength(4);
    expect(bench.events).toContainEqual({
      type: 'retry',
      reason: 'use_dpop_nonce',
      origin: service,
      at: expect.any(Number),
    });
    bench.clock.advance(400_000);
    expect((await bench.call(`${service}/orders`)).status).toBe(200);
  });

  it('are learned from successes too', async () => {
    const bench = createBench(
      (_, count) =>
        new Response(null, { status: count === 2 ? 500 : 200, headers: { 'dpop-nonce': `n-${count}` } }),
    );
    for (let call = 0; call < 3; call++) await bench.call(`${service}/`);
    expect(calls(bench.network).map(nonceOf)).toEqual(['-', 'n-1', 'n-2']);
  });

  it('a server that invents them for ever gets four requests, and its refusal is the answer', async () => {
    const bench = createBench((_, count) =>
      challenge('DPoP error="use_dpop_nonce"', { 'dpop-nonce': `n-${count}` }),
    );
    expect((await bench.call(`${service}/`)).status).toBe(401);
    expect(calls(bench.network).map(nonceOf)).toEqual(['-', 'n-1', 'n-2', 'n-3']);
    expect(bench.network.to('/token')).toHaveLength(1);
  });

  it.each<[string, Record<string, string>, number]>([
    ['without one', {}, 1],
    ['with one that is none', { 'dpop-nonce': 'a b' }, 1],
    ['with the same again', { 'dpop-nonce': 'n-1' }, 2],
  ])('a demand %s is the answer', async (_, headers, requests) => {
    const bench = createBench(() => challenge('DPoP error="use_dpop_nonce"', headers));
    expect((await bench.call(`${service}/`)).status).toBe(401);
    expect(calls(bench.network)).toHaveLength(requests);
  });

  it('a call whose body is gone is not sent again; the next one has the nonce', async () => {
    const bench = createBench((sent) =>
      nonceOf(sent) === 'n-1'
        ? new Response()
        : challenge('DPoP error="use_dpop_nonce"', { 'dpop-nonce': 'n-1' }),
    );
    const body = (): ReadableStream => new Blob(['x']).stream();
    const stream = (): RequestInit & { duplex: 'half' } => ({ method: 'POST', body: body(), duplex: 'half' });
    expect((await bench.call(`${service}/`, stream())).status).toBe(401);
    expect(bench.events).toContainEqual(
      expect.objectContaining({ type: 'retry.refused', reason: 'body_not_replayable', origin: service }),
    );
    expect((await bench.call(`${service}/`, stream())).status).toBe(200);
    expect(calls(bench.network)).toHaveLength(2);
  });

  it('threat 17: origins, and issuer and resource, never get one of another', async () => {
    const origins = [
      'https://a.internal',
      'https://b.internal',
      'https://a.internal:8443',
      'https://idp.example',
    ];
    const seen: string[] = [];
    const demand = (sent: Sent, good: () => Response | Promise<Response>): Response | Promise<Response> => {
      const role = sent.url.endsWith('/token') ? 'issuer' : 'resource';
      const own = `${role}/${sent.origin.replaceAll(/[^a-z0-9]/g, '-')}/`;
      const nonce = nonceOf(sent);
      if (nonce !== '-') seen.push(nonce.startsWith(own) ? 'own' : `${own} got ${nonce}`);
      const headers = { 'dpop-nonce': `${own}${Math.random()}` };
      if (nonce === '-') {
        return role === 'issuer'
          ? Response.json({ error: 'use_dpop_nonce' }, { status: 400, headers })
          : challenge('DPoP error="use_dpop_nonce"', headers);
      }
      return good();
    };
    const bench = createBench(
      async (sent) => {
        await new Promise((resolve) => setImmediate(resolve));
        return demand(sent, () => new Response());
      },
      { targets: origins.map((origin, index) => ({ origin, scope: `scope-${index}` })) },
      (sent, count) => demand(sent, () => bindsTokens(sent, count)),
    );
    const all = Array.from({ length: 200 }, (_, index) => bench.call(`${origins[index % 4]}/${index}`));
    const statuses = (await Promise.all(all)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(new Set(seen)).toEqual(new Set(['own']));
    const numbers = bench.network.sent.map((sent) => proofOf(sent).jti);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('threat 17: each of 100 concurrent calls is sent again with its own method, URL and token', async () => {
    const bench = createBench(async (sent) => {
      const { htu, htm, ath } = proofOf(sent);
      const token = sent.headers.get('authorization')?.slice('DPoP '.length) ?? '';
      const isOwn = htu === sent.url && htm === sent.method && ath === hashOf(token);
      if (!isOwn) return new Response('mixed', { status: 500 });
      return nonceOf(sent) === '-'
        ? challenge('DPoP error="use_dpop_nonce"', { 'dpop-nonce': `n-${Math.random()}` })
        : new Response(`${sent.method} ${sent.url}`);
    });
    const methods = ['GET', 'POST', 'PUT', 'DELETE'];
    const all = Array.from({ length: 100 }, async (_, index) => {
      const method = methods[index % 4] ?? 'GET';
      const url = `${service}/${index}`;
      const response = await bench.call(url, { method });
      return (await response.text()) === `${method} ${url}`;
    });
    expect(await Promise.all(all)).toEqual(Array(100).fill(true));
  });
});

describe('the clock of a resource server', () => {
  it.each([-3_600_000, -120_000, 120_000, 3_600_000])('%i ms away: one more attempt, once', async (skew) => {
    const bench = createBench((sent, count) => guardedBy(verifier, serverNow)(sent, count));
    const serverNow = (): number => bench.clock.now() + skew;
    const verifier = createVerifier({
      issuer: { issuer, jwks: { keys: [issuerKey.publicJwk] } },
      audience,
      dpop: { mode: 'required' },
      now: serverNow,
      clockToleranceSeconds: 300,
    });
    const isTokenGood = Math.abs(skew) < 300_000;
    const first = await bench.call(`${service}/`);
    if (!isTokenGood) return expect(first.status).toBe(401);
    expect(first.status).toBe(200);
    expect((await bench.call(`${service}/`)).status).toBe(200);
    expect(calls(bench.network)).toHaveLength(3);
    expect(bench.events).toContainEqual(expect.objectContaining({ type: 'retry', reason: 'clock_skew' }));
  });

  it('far away: every one of ten concurrent calls is mended', async () => {
    const bench = createBench(async (sent) => {
      await new Promise((resolve) => setImmediate(resolve));
      const serverNow = bench.clock.now() + 120_000;
      const date = { date: new Date(serverNow).toUTCString() };
      const isOff = Math.abs((proofOf(sent).iat ?? 0) * 1000 - serverNow) > 5000;
      return isOff
        ? challenge('DPoP error="invalid_dpop_proof"', date)
        : new Response(null, { headers: date });
    });
    const all = await Promise.all(Array.from({ length: 10 }, () => bench.call(`${service}/`)));
    expect(all.map(({ status }) => status)).toEqual(Array(10).fill(200));
  });

  it('as known: a proof that is refused for something else is not sent again', async () => {
    // Dates say whole seconds, so that the difference is a little another one every time.
    const bench = createBench((_, count) => {
      const date = { date: new Date(bench.clock.now() + 120_000).toUTCString() };
      bench.clock.advance(333);
      return count === 1
        ? new Response(null, { headers: date })
        : challenge('DPoP error="invalid_dpop_proof"', date);
    });
    await bench.call(`${service}/`);
    expect((await bench.call(`${service}/`)).status).toBe(401);
    expect(calls(bench.network)).toHaveLength(2);
  });

  it('right, read while its milliseconds go on: a proof that is refused is not sent again', async () => {
    let time = 1_800_000_000_000;
    let reads = 0;
    const now = (): number => {
      time += ++reads % 3;
      return time;
    };
    const bench = createBench(() => challenge('DPoP error="invalid_dpop_proof"'), { now });
    expect((await bench.call(`${service}/`)).status).toBe(401);
    expect(calls(bench.network)).toHaveLength(1);
  });
});

const invalidToken = (): Response => challenge('Bearer error="invalid_token"');
const bearer = { dpop: false } as const;
const numbered: Reply = (_, count) => tokenAnswer(`token-${count}`);
const tokenOf = ({ headers }: Sent): string => headers.get('authorization')?.split(' ')[1] ?? '';

describe('tokens that are refused', () => {
  it('100 parallel refusals cause one token request', async () => {
    const bench = createBench(
      async (sent) => {
        await new Promise((resolve) => setImmediate(resolve));
        return tokenOf(sent) === 'token-1' ? invalidToken() : new Response();
      },
      bearer,
      numbered,
    );
    const all = await Promise.all(Array.from({ length: 100 }, () => bench.call(`${service}/`)));
    expect(all.every(({ status }) => status === 200)).toBe(true);
    expect(bench.network.to('/token')).toHaveLength(2);
    expect(calls(bench.network)).toHaveLength(200);
  });

  it('100 refusals one after the other, all of the same old token: still one', async () => {
    const answers = Array.from({ length: 100 }, () => createDeferred<Response>());
    let at = 0;
    const bench = createBench(
      (sent) => (tokenOf(sent) === 'token-1' ? (answers[at++]?.promise ?? new Response()) : new Response()),
      bearer,
      numbered,
    );
    const all = answers.map(() => bench.call(`${service}/`));
    await expect.poll(() => calls(bench.network).length).toBe(100);
    for (const [index, answer] of answers.entries()) {
      answer.resolve(invalidToken());
      expect((await all[index])?.status).toBe(200);
    }
    expect(bench.network.to('/token')).toHaveLength(2);
  });

  it('a call may meet all of it: a new token, a nonce, and the budget ends the rest', async () => {
    const bench = createBench((sent, count) => {
      if (count === 1) return challenge('DPoP error="use_dpop_nonce"', { 'dpop-nonce': 'n-1' });
      if (count === 2) return challenge('DPoP error="invalid_token"');
      if (count === 3) return challenge('DPoP error="use_dpop_nonce"', { 'dpop-nonce': 'n-2' });
      return new Response(nonceOf(sent));
    });
    const response = await bench.call(`${service}/`);
    expect([response.status, await response.text()]).toEqual([200, 'n-2']);
    expect(bench.network.to('/token')).toHaveLength(2);
    expect(bench.events.flatMap((event) => (event.type === 'retry' ? [event.reason] : []))).toEqual([
      'use_dpop_nonce',
      'invalid_token',
      'use_dpop_nonce',
    ]);
  });

  it.each(['insufficient_scope', 'invalid_request', 'use_dpop_nonce', 'invalid_dpop_proof'])(
    '%s for a Bearer token leads to nothing',
    async (error) => {
      const bench = createBench(
        () => challenge(`Bearer error="${error}"`, { 'dpop-nonce': 'n', date: new Date(0).toUTCString() }),
        bearer,
        numbered,
      );
      expect((await bench.call(`${service}/`)).status).toBe(401);
      expect(bench.network.sent).toHaveLength(2);
    },
  );

  it('a 403 is never sent again, whatever it says', async () => {
    const bench = createBench(
      () =>
        new Response(null, { status: 403, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }),
    );
    expect((await bench.call(`${service}/`)).status).toBe(403);
    expect(bench.network.sent).toHaveLength(2);
  });
});

describe('the signal of a call ends each of its waits', () => {
  const never = (): Promise<Response> => new Promise(() => {});
  const waits: [string, Reply, Reply, Partial<AuthedFetchOptions>][] = [
    ['for the first token', () => new Response(), never, {}],
    [
      'for the token after a refusal',
      invalidToken,
      (sent, count) => (count === 1 ? bindsTokens(sent, count) : never()),
      {},
    ],
    [
      'for whom it is made on behalf of',
      () => new Response(),
      bindsTokens,
      { targets: [{ origin: service, onBehalfOf: () => new Promise<string>(() => {}) }] },
    ],
  ];

  it.each(waits)('%s', async (_, reply, tokens, options) => {
    const bench = createBench(reply, options, tokens);
    const controller = new AbortController();
    const waiting = rejection(bench.call(`${service}/`, { signal: controller.signal }));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    const before = calls(bench.network).length;
    controller.abort(new Error('enough'));
    expect(await waiting).toMatchObject({ message: 'enough' });
    expect(calls(bench.network)).toHaveLength(before);
    bench.call.close();
  });

  it('after a nonce: what is sent again has the signal too', async () => {
    const controller = new AbortController();
    const bench = createBench(() => {
      controller.abort(new Error('enough'));
      return challenge('DPoP error="use_dpop_nonce"', { 'dpop-nonce': 'n-1' });
    });
    const error = await rejection(bench.call(`${service}/`, { signal: controller.signal }));
    expect(error).toMatchObject({ message: 'enough' });
    expect(calls(bench.network).every(({ signal }) => signal === controller.signal)).toBe(true);
  });

  it('a signal that is aborted already: nothing is sent to the service', async () => {
    const bench = createBench(() => new Response());
    await bench.call(`${service}/`);
    const before = bench.network.to('/').filter(({ signal }) => signal === undefined).length;
    await expect(
      bench.call(`${service}/`, { signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough');
    expect(bench.network.to('/').filter(({ signal }) => signal === undefined)).toHaveLength(before);
  });
});

it('threat 27: neither token nor proof is in events or in what a call leaves behind', async () => {
  const bench = createBench((_, count) =>
    count % 2 === 1
      ? challenge('DPoP error="use_dpop_nonce"', { 'dpop-nonce': `n-${count}` })
      : invalidToken(),
  );
  const response = await bench.call(`${service}/`);
  const depth = { depth: 20, showHidden: true, getters: true };
  const state = [bench.events, bench.call, bench.call.explain(service), bench.call.tokens, response.headers];
  const seen = `${inspect(state, depth)}${JSON.stringify(bench.events)}`;
  expect(eventTypes(bench.events)).toContain('retry');
  const secrets = bench.network.sent.flatMap(({ headers }) => [
    headers.get('authorization')?.split(' ')[1] ?? 'none',
    headers.get('dpop') ?? 'none',
  ]);
  expect(secrets.length).toBeGreaterThan(6);
  for (const secret of [secretCanary, ...secrets]) expect(seen).not.toContain(secret);
});
