/** Floods of bad requests next to good ones: every good one is served, and nothing of the bad ones is kept. */
import { randomBytes } from 'node:crypto';
import { Agent, createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import express from 'express';
import { describe, expect, it, vi } from 'vitest';
import { requireServiceAuth } from '../../adapters/express.ts';
import {
  type AuthOutcome,
  type AuthRequest,
  createMemoryReplayStore,
  createVerifier,
  type MaybePromise,
  type ServiceAuthEvent,
  type Verifier,
  type VerifierOptions,
} from '../../src/index.ts';
import { createDpopClient, hashOf, requestWith, url } from '../helpers/dpop.ts';
import { says, startIntrospectionStub } from '../helpers/introspection-stub.ts';
import { publishes, startIssuerStub } from '../helpers/issuer-stub.ts';
import { judge, reasonOf } from '../helpers/judge.ts';
import {
  audience,
  createKey,
  encodeJson,
  goodClaims,
  issuer,
  mint,
  nowMs,
  nowSeconds,
  withPart,
} from '../helpers/tokens.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** What lives on the heap and beside it, in bytes. */
function liveBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A tenth of what 1,000,000 bad tokens may grow the heap by; every flood here would leave more if it were kept. */
const MOST_GROWTH = 2_000_000;
const GOOD_EVERY = 20;

const key = await createKey('ES256');
const good = await mint(key);
const random = (bytes: number): string => randomBytes(bytes).toString('base64url');
const base64url = (text: string): string => Buffer.from(text).toString('base64url');

interface Tally {
  readonly reasons: ReadonlyMap<string, number>;
  /** Good requests that were sent in between, and how many of them were let in. */
  readonly sent: number;
  readonly accepted: number;
  readonly grownBytes: number;
}

/** Sends bad requests, and after every 20th a good one. */
async function flood(
  count: number,
  attack: (at: number) => MaybePromise<AuthOutcome>,
  serve: () => MaybePromise<AuthOutcome>,
): Promise<Tally> {
  const reasons = new Map<string, number>();
  let sent = 0;
  let accepted = 0;
  let before = 0;
  for (let at = 0; at < count; at++) {
    // What is compiled and set up once is not what a flood leaves behind.
    if (at === count / 10) before = liveBytes();
    const reason = await reasonOf(attack(at));
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    if (at % GOOD_EVERY !== 0) continue;
    sent++;
    if ((await serve()).ok) accepted++;
  }
  const grownBytes = liveBytes() - before;
  return { reasons, sent, accepted, grownBytes };
}

/** All good requests were let in, all bad ones turned away for these reasons, and nothing was kept of them. */
function expectUnharmed({ reasons, sent, accepted, grownBytes }: Tally, expected: object): void {
  expect(Object.fromEntries(reasons)).toEqual(expected);
  expect(accepted).toBe(sent);
  expect(grownBytes).toBeLessThan(MOST_GROWTH);
}

interface Watched {
  readonly verifier: Verifier;
  /** How often a token was found in the cache, and how often one had to be verified. */
  readonly hits: { cached: number; fresh: number };
}

function watch(options: VerifierOptions = {}): Watched {
  const hits = { cached: 0, fresh: 0 };
  const onEvent = (event: ServiceAuthEvent): void => {
    if (event.type === 'request.accepted') hits[event.cached ? 'cached' : 'fresh']++;
  };
  const verifier = createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => nowMs,
    onEvent,
    ...options,
  });
  return { verifier, hits };
}

/** A header that parses and a signature that does not hold, different each time. */
const forged = (at: number): string =>
  `${good.split('.')[0]}.${encodeJson(goodClaims({ jti: `forged-${at}` }))}.${random(64)}`;

/** Without a `Headers` object, which would cost more than the refusal. */
const bearer = (token: string): AuthRequest => ({
  method: 'GET',
  url,
  headers: { get: (name) => (name === 'authorization' ? `Bearer ${token}` : undefined) },
});

describe('the measure', () => {
  it('sees tokens that are kept', async () => {
    const kept: string[] = [];
    const { verifier } = watch();
    const keep = (): MaybePromise<AuthOutcome> => {
      const token = random(96);
      kept.push(token);
      return verifier.verifyToken(token);
    };
    const { grownBytes } = await flood(50_000, keep, () => verifier.verifyToken(good));
    expect(kept).toHaveLength(50_000);
    expect(grownBytes).toBeGreaterThan(MOST_GROWTH);
  });
});

describe('tokens', () => {
  it('200,000 that are malformed', async () => {
    const { verifier, hits } = watch();
    const cut = (text: string, ...at: readonly number[]): string =>
      [...at, text.length].map((end, index) => text.slice(at[index - 1] ?? 0, end)).join('.');
    const spellings = [
      () => random(96),
      () => cut(random(96), 40, 90),
      () => cut(random(96), 20, 40, 60, 80),
      () => `${random(96)}%`,
    ];
    const guard = verifier.guard();
    const tally = await flood(
      200_000,
      (at) => guard(bearer(spellings[at % spellings.length]?.() ?? '')),
      () => guard(bearer(good)),
    );
    expectUnharmed(tally, { malformed_token: 150_000, malformed_credentials: 50_000 });
    expect(hits).toEqual({ cached: tally.sent - 1, fresh: 1 });
    expect(verifier.health().cachedTokens).toBe(1);
  });

  it('20,000 whose signature is verified, and does not hold', async () => {
    const { verifier, hits } = watch();
    const tally = await flood(
      20_000,
      (at) => verifier.verifyToken(forged(at)),
      () => verifier.verifyToken(good),
    );
    expectUnharmed(tally, { bad_signature: 20_000 });
    expect(hits).toEqual({ cached: tally.sent - 1, fresh: 1 });
    expect(verifier.health().cachedTokens).toBe(1);
  });

  it('8,000 larger than 16 KB, nested deeply in header or claims, or wide', async () => {
    const { verifier, hits } = watch();
    const [header = ''] = good.split('.');
    const nested = (at: number): string => `{"a":${'['.repeat(3000)}${at}${']'.repeat(3000)}}`;
    const wide = Array.from({ length: 700 }, (_, member) => `"m${member}":{}`).join();
    const shapes = [
      (at: number) => `${at}.${'a'.repeat(16_384)}`,
      (at: number) => `${base64url(nested(at))}.e30.AAAA`,
      (at: number) => `${header}.${base64url(nested(at))}.AAAA`,
      (at: number) => `${header}.${base64url(`{"iss":"${issuer}","jti":"${at}",${wide}}`)}.AAAA`,
    ];
    const tally = await flood(
      8_000,
      (at) => verifier.verifyToken(shapes[at % shapes.length]?.(at) ?? ''),
      () => verifier.verifyToken(good),
    );
    expectUnharmed(tally, { token_too_large: 2000, malformed_token: 4000, bad_signature: 2000 });
    expect(hits).toEqual({ cached: tally.sent - 1, fresh: 1 });
  });

  it('20,000 with unknown key ids and 20,000 of unknown issuers: one fetch in each cool-down', async () => {
    let time = nowMs;
    const fetch = vi.fn(async () => Response.json({ keys: [key.publicJwk] }));
    const { verifier, hits } = watch({
      issuer: { issuer, jwksUri: `${issuer}/keys` },
      now: () => time,
      fetch,
    });
    const unknownKid = (at: number): string =>
      withPart(good, 0, encodeJson({ alg: 'ES256', kid: `${at}-${random(48)}` }));
    const unknownIssuer = (at: number): string =>
      withPart(good, 1, encodeJson(goodClaims({ iss: `https://${at}.example` })));
    expect(await judge(verifier, good)).toBe('accepted');
    const tally = await flood(
      40_000,
      (at) => {
        // 100 seconds pass, in which the keys stay fresh: whatever is fetched is asked for by unknown key ids.
        time = nowMs + at * 2.5;
        return verifier.verifyToken(at % 2 === 0 ? unknownKid(at) : unknownIssuer(at));
      },
      () => verifier.verifyToken(good),
    );
    expectUnharmed(tally, { unknown_key: 20_000, unknown_issuer: 20_000 });
    expect(hits).toEqual({ cached: tally.sent, fresh: 1 });
    expect(fetch).toHaveBeenCalledTimes(1 + 10);
  });
});

describe('opaque tokens', () => {
  const endpoint = `${issuer}/introspect`;
  const issuerOption = {
    issuer,
    jwks: { keys: [key.publicJwk] },
    introspection: { endpoint, clientId: 'orders', clientSecret: 'of-orders' },
  };
  const tokenOf = (init: RequestInit | undefined): string =>
    new URLSearchParams(String(init?.body)).get('token') ?? '';
  const about = (token: string): object =>
    token === 'good' ? goodClaims({ active: true }) : { active: false };

  it('30,000 random ones, each sent twice: one call for each, and the good one is asked about once', async () => {
    const calls = { good: 0, bad: 0 };
    const fetch = async (_url: string, init?: RequestInit): Promise<Response> => {
      const token = tokenOf(init);
      calls[token === 'good' ? 'good' : 'bad']++;
      return Response.json(about(token));
    };
    const { verifier, hits } = watch({ issuer: issuerOption, fetch });
    let last = '';
    const attackTwice = (at: number): MaybePromise<AuthOutcome> => {
      if (at % 2 === 0) last = random(96);
      return verifier.verifyToken(last);
    };
    const serve = (): MaybePromise<AuthOutcome> => verifier.verifyToken('good');
    // Fills the negative cache, whose size is no growth without end.
    const first = await flood(20_000, attackTwice, serve);
    const tally = await flood(40_000, attackTwice, serve);
    expectUnharmed(tally, { inactive_token: 40_000 });
    expect(first.accepted).toBe(first.sent);
    expect(hits).toEqual({ cached: first.sent + tally.sent - 1, fresh: 1 });
    expect(calls).toEqual({ good: 1, bad: 30_000 });
    // The negative cache is bounded from below as well: the 5,000 refused last are not asked about again.
    const recent = Array.from({ length: 5000 }, (_, at) => `recent-${at}`);
    for (let round = 0; round < 2; round++) {
      for (const token of recent) expect(await judge(verifier, token)).toBe('inactive_token');
    }
    expect(calls.bad).toBe(35_000);
  });

  it('5,000 at once: 64 calls run, 1,000 wait, the rest is 503, and what is known is served meanwhile', async () => {
    const waiting: (() => void)[] = [];
    let most = 0;
    let running = 0;
    let hold = false;
    const fetch = async (_url: string, init?: RequestInit): Promise<Response> => {
      most = Math.max(most, ++running);
      if (hold) await new Promise<void>((resolve) => waiting.push(resolve));
      running--;
      return Response.json(about(tokenOf(init)));
    };
    const { verifier, hits } = watch({ issuer: issuerOption, fetch });
    expect(await judge(verifier, 'good')).toBe('accepted');
    hold = true;
    const outcomes = Array.from({ length: 5000 }, (_, at) => verifier.verifyToken(`made-up-${at}`));
    await vi.waitFor(() => expect(waiting).toHaveLength(64));
    for (let at = 0; at < 100; at++) {
      expect(await judge(verifier, 'good')).toBe('accepted');
      expect(await judge(verifier, good)).toBe('accepted');
    }
    const late = await verifier.verifyToken('one-more');
    expect(late).toMatchObject({ ok: false, rejection: { status: 503, reason: 'overloaded' } });
    expect(late.ok ? '' : late.rejection.headers['Retry-After']).toMatch(/^[1-9]\d*$/);
    hold = false;
    for (const release of waiting) release();
    const verdicts = await Promise.all(outcomes.map(reasonOf));
    expect(verdicts.filter((verdict) => verdict === 'inactive_token')).toHaveLength(1064);
    expect(verdicts.filter((verdict) => verdict === 'overloaded')).toHaveLength(3936);
    expect(most).toBe(64);
    expect(hits).toEqual({ cached: 199, fresh: 2 });
    // Over with the flood, a token that was turned away is asked about.
    expect(await judge(verifier, 'made-up-4999')).toBe('inactive_token');
  });
});

describe('proofs', async () => {
  const client = await createDpopClient();
  const stranger = await createDpopClient();
  const token = await mint(key, { cnf: { jkt: client.jkt } });
  const ath = hashOf(token);
  const claims = (more: object = {}): string =>
    encodeJson({ jti: random(16), htm: 'GET', htu: url, iat: nowSeconds, ath, ...more });
  const header = (jwk: object, more: object = {}): string =>
    encodeJson({ typ: 'dpop+jwt', alg: 'ES256', jwk, ...more });
  const present = (proof: string) => requestWith({ authorization: `DPoP ${token}`, dpop: proof });

  it('10,000 random ones: none is recorded, so that a full store is full of good ones alone', async () => {
    const store = createMemoryReplayStore({ maxProofs: 500, now: () => nowMs });
    const record = vi.fn(store.record);
    const { verifier, hits } = watch({ dpop: { replayStore: { record } } });
    // Known, and so refused for its proofs alone.
    expect(await reasonOf(verifier.verifyToken(token, { scheme: 'DPoP' }))).toBe('accepted');
    const proofs = await Promise.all(Array.from({ length: 500 }, () => client.prove({ ath })));
    const own = header(client.publicJwk);
    const kinds = [
      () => random(150),
      () => `${own}.${claims({ htu: `https://${random(8)}.example` })}.${random(64)}`,
      () => `${own}.${claims()}.${random(64)}`,
      () => `${header(client.publicJwk, { kid: random(16) })}.${claims()}.${random(64)}`,
      () => `${header(stranger.publicJwk, { kid: random(16) })}.${claims()}.${random(64)}`,
    ];
    const tally = await flood(
      10_000,
      (at) => verifier.authenticate(present(kinds[at % kinds.length]?.() ?? '')),
      () => verifier.authenticate(present(proofs.pop() ?? '')),
    );
    expectUnharmed(tally, {
      malformed_proof: 2000,
      proof_url_mismatch: 2000,
      bad_proof_signature: 4000,
      proof_key_mismatch: 2000,
    });
    expect(tally.sent).toBe(500);
    expect(record).toHaveBeenCalledTimes(500);
    expect(hits).toEqual({ cached: 500, fresh: 1 });
  });

  it('5,000 that are larger than 8 KB or nested deeply', async () => {
    const { verifier } = watch();
    const nested = (at: number): string => `${'['.repeat(1500)}${at}${']'.repeat(1500)}`;
    const proofs = Array.from({ length: 250 }, () => client.prove({ ath }));
    const kinds = [
      (at: number) => `${at}.${'a'.repeat(8192)}.AAAA`,
      (at: number) => `${base64url(`{"typ":"dpop+jwt","alg":"ES256","jwk":${nested(at)}}`)}.e30.AAAA`,
      (at: number) => `${header(client.publicJwk)}.${base64url(`{"jti":${nested(at)}}`)}.AAAA`,
    ];
    const good = await Promise.all(proofs);
    const tally = await flood(
      5_000,
      (at) => verifier.authenticate(present(kinds[at % kinds.length]?.(at) ?? '')),
      () => verifier.authenticate(present(good.pop() ?? '')),
    );
    expectUnharmed(tally, { malformed_proof: 5000 });
  });
});

describe('over HTTP', () => {
  interface Sender {
    send(authorization: string): Promise<number>;
    close(): Promise<void>;
  }

  /** A service on Express that takes large headers, so that its own bounds are the ones that are met. */
  async function startService(verifier: Verifier): Promise<Sender> {
    const app = express();
    app.get('/orders', requireServiceAuth({ verifier, scope: 'orders:read' }), (request, response) => {
      response.json({ hello: request.caller?.clientId });
    });
    const server = createServer({ maxHeaderSize: 64 * 1024 }, app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    return {
      send: async (authorization) => {
        const response = await new Promise<IncomingMessage>((resolve, reject) => {
          const path = { host: '127.0.0.1', port, path: '/orders', agent };
          httpRequest({ ...path, headers: { authorization } }, resolve)
            .on('error', reject)
            .end();
        });
        for await (const _ of response);
        return response.statusCode ?? 0;
      },
      close: async () => {
        agent.destroy();
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }

  it('3,200 bad requests of every kind, 32 at a time, among 800 good ones', async () => {
    const stub = await startIssuerStub((_request, response) => response.end());
    stub.answer = publishes(
      () => stub.url,
      () => ({ keys: [key.publicJwk] }),
    );
    const asked: (string | null)[] = [];
    const introspection = await startIntrospectionStub((response, request) => {
      const token = request.form.get('token');
      asked.push(token);
      const answer = token === 'good' ? goodClaims({ active: true, iss: stub.url }) : { active: false };
      says(answer)(response, request);
    });
    const { verifier, hits } = watch({
      issuer: {
        issuer: stub.url,
        introspection: { endpoint: introspection.url, clientId: 'orders', clientSecret: 'of-orders' },
      },
    });
    const service = await startService(verifier);
    try {
      const token = await mint(key, { iss: stub.url });
      const [header = '', payload = ''] = token.split('.');
      // Always the same one: what is no JWT is introspected, and that once only.
      const deep = `${header}.${base64url(`{"a":${'['.repeat(2000)}1${']'.repeat(2000)}}`)}.AAAA`;
      const kinds: readonly (readonly [status: number, authorization: () => string])[] = [
        [401, () => `Bearer ${random(32)}`],
        [401, () => `Bearer ${header}.${payload}.${random(64)}`],
        [401, () => `Bearer ${encodeJson({ alg: 'ES256', kid: random(16) })}.${payload}.${random(64)}`],
        [401, () => `Bearer ${random(15_000)}`],
        [400, () => `Bearer ${random(30)}, Bearer ${random(30)}`],
        [401, () => `DPoP ${token}`],
        [401, () => `Bearer ${deep}`],
        [401, () => `Basic ${random(40)}`],
      ];
      const goods = [`Bearer ${token}`, 'Bearer good'];
      const statuses = new Map<string, number>();
      const count = (name: string): void => void statuses.set(name, (statuses.get(name) ?? 0) + 1);
      let next = 0;
      const work = async (until: number): Promise<void> => {
        while (next < until) {
          const at = next++;
          const bad = kinds[at % kinds.length];
          if (bad === undefined) throw new Error('no kind');
          const [expected, authorization] = bad;
          const status = await service.send(authorization());
          count(status === expected ? 'bad, refused' : `bad, ${status} for ${expected}`);
          if (at % 4 === 0) count(`good, ${await service.send(goods[(at / 4) % 2] ?? '')}`);
        }
      };
      const rush = (until: number) => Promise.all(Array.from({ length: 32 }, () => work(until)));
      await rush(800);
      introspection.requests.length = 0;
      const before = liveBytes();
      await rush(3200);
      introspection.requests.length = 0;
      expect(liveBytes() - before).toBeLessThan(MOST_GROWTH);
      expect(Object.fromEntries(statuses)).toEqual({ 'bad, refused': 3200, 'good, 200': 800 });
      expect(stub.requests.filter((path) => path === '/jwks')).toHaveLength(2);
      expect(asked.filter((one) => one === 'good')).toHaveLength(1);
      expect(new Set(asked).size).toBe(asked.length);
      expect(hits.cached + hits.fresh).toBe(800);
      expect(verifier.health()).toMatchObject({ cachedTokens: 2 });
    } finally {
      await Promise.all([service.close(), stub.close(), introspection.close()]);
    }
  });
});

it('random opaque tokens of the longest kind are not kept whole, each and every one', async () => {
  const verifier = createVerifier({
    issuer: {
      issuer,
      jwks: { keys: [key.publicJwk] },
      introspection: { endpoint: `${issuer}/introspect`, clientId: 'orders', clientSecret: 'of-orders' },
    },
    audience,
    now: () => nowMs,
    fetch: async () => Response.json({ active: false }),
  });
  await judge(verifier, 'first');
  const before = liveBytes();
  for (let at = 0; at < 4000; at++) await judge(verifier, random(11_250));
  const grown = liveBytes() - before;
  expect(await judge(verifier, 'last')).toBe('inactive_token');
  // Kept, they would be 60 MB.
  expect(grown).toBeLessThan(20_000_000);
});
