import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AuthRequest,
  createMemoryReplayStore,
  createVerifier,
  type ReplayStore,
  type ServiceAuthEvent,
  type VerifierOptions,
} from '../../src/index.ts';
import { normalizeHtu } from '../../src/shared/dpop.ts';
import { Fault } from '../../src/shared/fault.ts';
import { createDpopClient, hashOf, requestWith, url } from '../helpers/dpop.ts';
import { reasonOf } from '../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds, signHmac } from '../helpers/tokens.ts';

const key = await createKey('ES256');
const client = await createDpopClient();
const token = await mint(key, { cnf: { jkt: client.jkt } });
const ath = hashOf(token);
const spare = await client.prove({ ath });
const make = (options: Partial<VerifierOptions> = {}) =>
  createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => nowMs,
    ...options,
  });

async function judgeProof(
  proof: string,
  verifier = make(),
  more: Partial<AuthRequest> = {},
): Promise<string> {
  return reasonOf(verifier.authenticate(requestWith({ authorization: `DPoP ${token}`, dpop: proof }, more)));
}

describe('threat 18: the replay store never evicts a live entry', () => {
  it('and a proof serves once, also for requests at the same time', async () => {
    const events: ServiceAuthEvent[] = [];
    const verifier = make({ onEvent: (event) => events.push(event) });
    const proof = await client.prove({ ath });
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => judgeProof(proof, verifier)));
    expect(verdicts.filter((verdict) => verdict === 'accepted')).toHaveLength(1);
    expect(verdicts.filter((verdict) => verdict === 'replayed_proof')).toHaveLength(49);
    expect(events).toContainEqual(expect.objectContaining({ type: 'dpop.replay', jkt: client.jkt }));
  });

  it('until the last moment in which the proof would be taken', async () => {
    let time = nowMs;
    const verifier = make({ now: () => time });
    const proof = await client.prove({ ath });
    expect(await judgeProof(proof, verifier)).toBe('accepted');
    for (const ms of [1, 59_999, 64_999, 65_000]) {
      time = nowMs + ms;
      expect(await judgeProof(proof, verifier)).toBe('replayed_proof');
      await judgeProof(await client.prove({ ath, iat: time / 1000 }), verifier);
    }
    time = nowMs + 65_001;
    expect(await judgeProof(proof, verifier)).toBe('proof_too_old');
  });

  it('full means refuse, with 503, and room comes back with time', async () => {
    let time = nowMs;
    const now = () => time;
    const replayStore = createMemoryReplayStore({ maxProofs: 2, now, monotonicNow: now });
    const verifier = make({ now, dpop: { replayStore } });
    const ask = async () => judgeProof(await client.prove({ ath, iat: time / 1000 }), verifier);
    expect([await ask(), await ask(), await ask()]).toEqual([
      'accepted',
      'accepted',
      'replay_store_unavailable',
    ]);
    time += 70_000;
    expect(await ask()).toBe('accepted');
  });

  it('one client cannot fill it for others', () => {
    const store = createMemoryReplayStore({ maxProofs: 100, maxProofsPerKey: 10, now: () => nowMs });
    const record = (jkt: string, jti: string) => store.record({ jkt, jti, expiresAt: nowMs + 1000 });
    const flood = Array.from({ length: 50 }, (_, at) => record('greedy', `${at}`));
    expect(flood.filter((answer) => answer === 'recorded')).toHaveLength(10);
    expect(record('modest', '1')).toBe('recorded');
    expect(record('greedy', '0')).toBe('replayed');
  });

  it('never forgets, in any order of times and proofs', () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 60 }),
      jti: fc.integer({ min: 0, max: 20 }),
      life: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let time = 1000;
        const store = createMemoryReplayStore({ now: () => time, monotonicNow: () => time });
        const live = new Map<number, number>();
        for (const { wait, jti, life } of steps) {
          time += wait;
          const answer = store.record({ jkt: 'a', jti: `${jti}`, expiresAt: time + life });
          if (time < (live.get(jti) ?? 0)) expect(answer).toBe('replayed');
          if (answer === 'recorded') live.set(jti, time + life);
        }
      }),
    );
  });

  it('keys and ids never run together', () => {
    const store = createMemoryReplayStore({ now: () => nowMs });
    const record = (jkt: string, jti: string) => store.record({ jkt, jti, expiresAt: nowMs + 1000 });
    expect([
      record('a', 'bc'),
      record('ab', 'c'),
      record('__proto__', 'x'),
      record('constructor', 'x'),
    ]).toEqual(Array.from({ length: 4 }, () => 'recorded'));
  });

  it.each<[string, ReplayStore]>([
    [
      'throws',
      {
        record: () => {
          throw new Error('no connection');
        },
      },
    ],
    ['rejects', { record: () => Promise.reject(new Error('no connection')) }],
    ['answers nonsense', { record: () => 'yes' as 'recorded' }],
  ])('a store that %s leaves the request undecided', async (_name, replayStore) => {
    expect(await judgeProof(await client.prove({ ath }), make({ dpop: { replayStore } }))).toBe(
      'replay_store_unavailable',
    );
  });

  it('a proof is recorded only after every other check', async () => {
    const recorded: string[] = [];
    const replayStore: ReplayStore = {
      record({ jti }) {
        recorded.push(jti);
        return 'recorded';
      },
    };
    const verifier = make({ dpop: { replayStore } });
    const ask = async (policy: object, claims: object = {}): Promise<string> => {
      const headers = { authorization: `DPoP ${token}`, dpop: await client.prove({ ath, ...claims }) };
      return reasonOf(verifier.authenticate(requestWith(headers), policy));
    };
    expect(await ask({ scope: 'admin' })).toBe('insufficient_scope');
    expect(await ask({ check: async () => false })).toBe('check_refused');
    expect(await ask({}, { htm: 'PUT' })).toBe('proof_method_mismatch');
    expect(recorded).toEqual([]);
    expect(await ask({}, { jti: 'once' })).toBe('accepted');
    expect(recorded).toEqual(['once']);
  });
});

describe('threat 19: proofs with secrets in them, and downgrades', () => {
  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])('a jwk with %s is refused', async (member) => {
    const jwk = { ...client.publicJwk, [member]: 'AAAA' };
    expect(await judgeProof(await client.prove({ ath }, { jwk }))).toBe('malformed_proof');
  });

  it('a symmetric proof is refused, whatever its secret', async () => {
    const jwk = { kty: 'oct', k: Buffer.from('a secret of the attacker, long enough').toString('base64url') };
    const claims = { jti: 'a', htm: 'GET', htu: url, iat: nowSeconds, ath };
    const proof = signHmac('a secret of the attacker, long enough', { typ: 'dpop+jwt', jwk }, claims);
    expect(await judgeProof(proof)).toBe('proof_algorithm_not_allowed');
  });

  it('none in every casing is refused', async () => {
    const [, payload] = (await client.prove({ ath })).split('.');
    for (const alg of ['none', 'None', 'NONE', '']) {
      const header = Buffer.from(JSON.stringify({ typ: 'dpop+jwt', alg, jwk: client.publicJwk })).toString(
        'base64url',
      );
      expect(await judgeProof(`${header}.${payload}.AA`)).toBe('proof_algorithm_not_allowed');
    }
  });

  it.each([
    ['Bearer', { authorization: `Bearer ${token}` }, 'bound_token_as_bearer'],
    [
      'Bearer, with a proof beside it',
      { authorization: `Bearer ${token}`, dpop: spare },
      'bound_token_as_bearer',
    ],
    ['DPoP, without a proof', { authorization: `DPoP ${token}` }, 'missing_proof'],
    ['DPoP, with an empty proof', { authorization: `DPoP ${token}`, dpop: '' }, 'malformed_proof'],
  ] as const)('a bound token as %s fails', async (_name, headers, expected) => {
    expect(await reasonOf(make().authenticate(requestWith(headers)))).toBe(expected);
  });

  it('and so it does on the second request, when the token is cached', async () => {
    const verifier = make();
    expect(await judgeProof(await client.prove({ ath }), verifier)).toBe('accepted');
    expect(await reasonOf(verifier.authenticate(requestWith({ authorization: `Bearer ${token}` })))).toBe(
      'bound_token_as_bearer',
    );
  });

  it('two proofs are none, in one header or two', async () => {
    const [a, b] = [await client.prove({ ath }), await client.prove({ ath })];
    expect(await judgeProof(`${a}, ${b}`)).toBe('malformed_proof');
    const headers = { authorization: `DPoP ${token}`, dpop: [a, b] };
    expect(await reasonOf(make().authenticate(requestWith(headers)))).toBe('malformed_proof');
  });

  it('a mutated proof is never accepted', async () => {
    const verifier = make();
    const proof = await client.prove({ ath });
    await fc.assert(
      fc.asyncProperty(fc.nat(proof.length - 1), fc.constantFrom(...'Aa09-_.=~ '), async (at, character) => {
        fc.pre(proof[at] !== character);
        const mutated = proof.slice(0, at) + character + proof.slice(at + 1);
        expect(await judgeProof(mutated, verifier)).not.toBe('accepted');
      }),
      { numRuns: 300 },
    );
    expect(await judgeProof(proof, verifier)).toBe('accepted');
  });

  it('random proofs do not push out keys in use, and cost no memory', async () => {
    const verifier = make();
    for (let at = 0; at < 500; at++) await judgeProof(`a${at}.b.c`, verifier);
    expect(await judgeProof('x'.repeat(9000), verifier)).toBe('malformed_proof');
    expect(await judgeProof(await client.prove({ ath }), verifier)).toBe('accepted');
  });
});

describe('threat 27: no query of a URL in events and details', () => {
  const query = '?access_token=TOPSECRET&sig=SIGNED#TOPSECRET';

  it.each([
    ['the request’s own', `${url}${query}`, 'https://other.example/orders'],
    ['that of a proof', url, `https://other.example/orders${query}`],
    ['one in a URL with a user', url, `https://TOPSECRET:SIGNED@other.example/orders${query}`],
    ['one in what is no URL', url, `other.example/orders${query}`],
  ])('%s', async (_name, target, htu) => {
    const events: ServiceAuthEvent[] = [];
    const verifier = make({ onEvent: (event) => events.push(event) });
    const headers = { authorization: `DPoP ${token}`, dpop: await client.prove({ ath, htu }) };
    const outcome = await verifier.authenticate(requestWith(headers, { url: target }));
    expect(outcome).toMatchObject({ ok: false, rejection: { reason: 'proof_url_mismatch' } });
    expect(events).toMatchObject([{ reason: 'proof_url_mismatch', expected: url }]);
    expect(JSON.stringify([events, outcome])).not.toMatch(/TOPSECRET|SIGNED/);
  });

  it('what was expected is cut and cleaned as what came', () => {
    const { expected, actual } = new Fault('proof', 'malformed_proof', `\u001b${'x'.repeat(300)}`, '\u009b');
    expect(expected).toBe(`\uFFFD${'x'.repeat(199)}…`);
    expect(actual).toBe('\uFFFD');
  });
});

describe('threat 20: hosts and forwarded headers', () => {
  const proxied = make({ publicUrl: { trustProxy: ['10.0.0.0/8', 'fd00::/8'] } });
  const plain = make();
  const at = async (
    verifier: ReturnType<typeof make>,
    headers: Record<string, string>,
    remoteAddress: string | undefined,
    htu = url,
    target = '/orders',
  ): Promise<string> => {
    const all = { authorization: `DPoP ${token}`, dpop: await client.prove({ ath, htu }), ...headers };
    const connection = { encrypted: false, remoteAddress, peerCertificate: undefined };
    return reasonOf(verifier.authenticate(requestWith(all, { url: target, connection })));
  };
  const host = { host: 'internal:8080' };

  it.each([
    ['X-Forwarded-Proto and -Host', { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'orders.example' }],
    [
      'with a port of its own',
      { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'orders.example', 'x-forwarded-port': '443' },
    ],
    ['Forwarded', { forwarded: 'for=192.0.2.1;proto=https;host=orders.example' }],
    ['Forwarded with quotes', { forwarded: 'For="[2001:db8::1]:4711";Proto=https;Host="orders.example"' }],
    [
      'two proxies, each appending',
      {
        'x-forwarded-for': '192.0.2.1, 10.0.0.2',
        'x-forwarded-proto': 'https, http',
        'x-forwarded-host': 'orders.example, inner.example',
      },
    ],
    [
      'two proxies in Forwarded',
      {
        forwarded:
          'for=192.0.2.1;proto=https;host=orders.example, for=10.0.0.2;proto=http;host=inner.example',
      },
    ],
  ])('are believed of a trusted proxy: %s', async (_name, headers) => {
    expect(await at(proxied, { ...host, ...headers }, '10.1.2.3')).toBe('accepted');
    expect(await at(proxied, { ...host, ...headers }, '::ffff:10.1.2.3')).toBe('accepted');
  });

  it.each([
    ['of anybody else', '192.0.2.7'],
    ['of nobody', undefined],
    ['of an address that only begins so', '10.0.0.1.evil.example'],
    ['of IPv6 that is not in the range', 'fe80::1'],
  ])('are not believed %s', async (_name, address) => {
    const headers = { ...host, 'x-forwarded-proto': 'https', 'x-forwarded-host': 'orders.example' };
    expect(await at(proxied, headers, address)).toBe('proof_url_mismatch');
    expect(await at(plain, headers, address)).toBe('proof_url_mismatch');
    expect(await at(proxied, headers, address, 'http://internal:8080/orders')).toBe('accepted');
  });

  it('an address that the caller put in front moves nothing', async () => {
    const headers = {
      ...host,
      'x-forwarded-for': '10.0.0.9, 192.0.2.1',
      'x-forwarded-proto': 'https, http',
      'x-forwarded-host': 'orders.example, stock.example',
    };
    expect(await at(proxied, headers, '10.1.2.3')).toBe('proof_url_mismatch');
    expect(await at(proxied, headers, '10.1.2.3', 'http://stock.example/orders')).toBe('accepted');
  });

  it.each([
    [
      'hosts that differ in the two kinds of header',
      { forwarded: 'host=orders.example;proto=https', 'x-forwarded-host': 'stock.example' },
    ],
    [
      'lists of different lengths',
      {
        'x-forwarded-for': '192.0.2.1',
        'x-forwarded-host': 'orders.example, stock.example',
        'x-forwarded-proto': 'https',
      },
    ],
    [
      'a list so long that its end is out of sight',
      {
        'x-forwarded-for': `${'192.0.2.1, '.repeat(500)}192.0.2.9`,
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'orders.example',
      },
    ],
    ['an unknown scheme', { 'x-forwarded-host': 'orders.example', 'x-forwarded-proto': 'javascript' }],
    ['a host with a path', { 'x-forwarded-host': 'orders.example/orders?x=', 'x-forwarded-proto': 'https' }],
    ['a host with a user', { 'x-forwarded-host': 'user@orders.example', 'x-forwarded-proto': 'https' }],
    ['a host with a backslash', { 'x-forwarded-host': 'orders.example\\', 'x-forwarded-proto': 'https' }],
    [
      'a port that is none',
      { 'x-forwarded-host': 'orders.example', 'x-forwarded-proto': 'https', 'x-forwarded-port': '443/x' },
    ],
    ['an open quote', { forwarded: 'proto=https;host="orders.example' }],
    ['a pair that comes twice', { forwarded: 'proto=https;host=orders.example;host=stock.example' }],
    ['no name', { forwarded: '=https;host=orders.example' }],
  ])('malformed ones match no proof: %s', async (_name, headers) => {
    for (const htu of [url, 'http://internal:8080/orders', 'https://stock.example/orders']) {
      expect(await at(proxied, { ...host, ...headers }, '10.1.2.3', htu)).toBe('proof_url_mismatch');
    }
  });

  it.each([
    'orders.example/x',
    'a@orders.example',
    'orders.example#',
    'orders.example?',
    'orders.example\\x',
    'a b',
    'orders.example, orders.example',
    '',
    'orders.example:99999',
  ])('a Host of %j matches no proof', async (value) => {
    for (const htu of ['http://orders.example/orders', 'http://orders.example/x/orders']) {
      expect(await at(plain, { host: value }, undefined, htu)).toBe('proof_url_mismatch');
    }
  });

  it('the absolute form of a request line and Host must agree', async () => {
    const target = 'https://orders.example/orders';
    expect(await at(plain, { host: 'orders.example' }, undefined, url, target)).toBe('accepted');
    expect(await at(plain, { host: 'stock.example' }, undefined, url, target)).toBe('proof_url_mismatch');
    expect(await at(plain, { host: 'orders.example' }, undefined, url, 'ftp://orders.example/orders')).toBe(
      'proof_url_mismatch',
    );
  });

  it('a configured URL is moved by no header at all', async () => {
    const fixed = make({ publicUrl: 'https://orders.example/' });
    const headers = {
      host: 'evil.example',
      forwarded: 'host=evil.example;proto=http',
      'x-forwarded-host': 'evil.example',
    };
    expect(await at(fixed, headers, '10.1.2.3')).toBe('accepted');
    expect(await at(fixed, headers, '10.1.2.3', 'http://evil.example/orders')).toBe('proof_url_mismatch');
    const prefixed = make({ publicUrl: 'https://api.example/orders-service' });
    expect(await at(prefixed, headers, undefined, 'https://api.example/orders-service/orders')).toBe(
      'accepted',
    );
  });

  it('normalising twice changes nothing, and never lets a foreign host through', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (text) => {
        const once = normalizeHtu(text);
        if (once === undefined) return;
        expect(normalizeHtu(once)).toBe(once);
        expect(new URL(once).host).toBe(new URL(text).host);
        expect(once).not.toMatch(/[?#]/);
      }),
    );
  });

  it.each(['10.0.0.0/33', '10.0.0', 'fd00::/129', 'example.com', '010.0.0.1', '::1::', '10.0.0.1/', ''])(
    '%j is no address to trust',
    (address) => {
      expect(() => make({ publicUrl: { trustProxy: [address] } })).toThrow(/publicUrl.trustProxy must be/);
    },
  );
});
