/** Revocation without a round trip for each request, as a service sees it: over HTTP, by an injected clock. */
import { constants, deflateRawSync, deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createStatusLists } from '../../../src/inbound/status-list.ts';
import {
  type AuthOutcome,
  createVerifier,
  type MaybePromise,
  type ServiceAuthEvent,
  type Verifier,
  type VerifierOptions,
} from '../../../src/index.ts';
import { keyAlgorithms } from '../../../src/shared/crypto.ts';
import { Fault } from '../../../src/shared/fault.ts';
import { createStaticKeySet, parseKeySet } from '../../../src/shared/key-set.ts';
import { fetchTransport } from '../../../src/shared/transport.ts';
import { requestWith } from '../../helpers/dpop.ts';
import { type Answer, type IssuerStub, publishes, startIssuerStub } from '../../helpers/issuer-stub.ts';
import { reasonOf } from '../../helpers/judge.ts';
import { statusListToken } from '../../helpers/status-lists.ts';
import {
  audience,
  createKey,
  encodeJson,
  issuer,
  mint,
  nowMs,
  nowSeconds,
  withPart,
} from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const stranger = await createKey('ES256', 'stranger');
const TTL = 300;
const DAY = 86_400;

let stub: IssuerStub;
let time: number;
let events: ServiceAuthEvent[];
let uri: string;
/** What the list's place answers from now on. */
let answerList: Answer;
let tokensMade = 0;

beforeEach(async () => {
  time = nowMs;
  events = [];
  stub = await startIssuerStub((request, response) => {
    if (request.url?.startsWith('/status/')) answerList(request, response);
    else
      publishes(
        () => stub.url,
        () => ({ keys: [key.publicJwk] }),
      )(request, response);
  });
  uri = `${stub.url}/status/1`;
  await publish([0, 0, 0, 0]);
});
afterEach(() => stub.close());

/** From now on the list has these statuses. */
async function publish(statuses: readonly number[], claims: object = {}, header: object = {}): Promise<void> {
  const iat = time / 1000;
  answerWith(await statusListToken(key, uri, statuses, { iat, exp: iat + DAY, ttl: TTL, ...claims }, header));
}

function answerWith(body: string | Buffer, status = 200, headers: Record<string, string> = {}): void {
  answerList = (_request, response) => void response.writeHead(status, headers).end(body);
}

function make(options: Partial<VerifierOptions> = {}): Verifier {
  return createVerifier({
    issuer: { issuer: stub.url, statusList: true },
    audience,
    now: () => time,
    onEvent: (event) => events.push(event),
    ...options,
  });
}

/** A token that nobody has seen yet, good for a week. */
function newToken(idx: unknown = 0, place: unknown = uri): Promise<string> {
  return mintWith({ status: { status_list: { idx, uri: place } } });
}

function mintWith(claims: object): Promise<string> {
  tokensMade++;
  return mint(key, { iss: stub.url, exp: nowSeconds + 7 * DAY, jti: `${tokensMade}`, ...claims });
}

const ask = (verifier: Verifier, token: string): MaybePromise<AuthOutcome> =>
  verifier.authenticate(requestWith({ authorization: `Bearer ${token}` }));
const judge = async (verifier: Verifier, token: string): Promise<string> => reasonOf(ask(verifier, token));
const fetches = (): number => stub.requests.filter((path) => path.startsWith('/status/')).length;
const failures = (): readonly string[] =>
  events.flatMap((event) => (event.type === 'status_list.refresh_failed' ? [event.code] : []));

/** Until a refresh in the background has come to its end. */
async function settled(count: number): Promise<void> {
  const ends = (): number => events.filter(({ type }) => type.startsWith('status_list.refresh')).length;
  await vi.waitFor(() => expect(ends()).toBe(count));
}

describe('within a ttl', () => {
  it('a thousand requests cost one fetch, for one token or for a thousand', async () => {
    const verifier = make();
    const tokens = await Promise.all(Array.from({ length: 500 }, (_, at) => newToken(at % 4)));
    const first = await Promise.all(tokens.slice(0, 100).map((token) => judge(verifier, token)));
    expect(new Set(first)).toEqual(new Set(['accepted']));
    expect(fetches()).toBe(1);
    for (const token of [...tokens, ...tokens].slice(100)) {
      time += 100;
      expect(await ask(verifier, token)).toMatchObject({ ok: true });
    }
    expect(time - nowMs).toBe(90_000);
    expect(fetches()).toBe(1);
  });

  it('the list is asked for as what it is, without credentials', async () => {
    let sent: NodeJS.Dict<string | string[]> = {};
    const body = await statusListToken(key, uri, [0]);
    answerList = (request, response) => {
      sent = request.headers;
      response.end(body);
    };
    expect(await judge(make(), await newToken())).toBe('accepted');
    expect(sent).toMatchObject({ accept: 'application/statuslist+jwt' });
    expect(sent).not.toHaveProperty('authorization');
    expect(sent).not.toHaveProperty('cookie');
  });

  it('tokens of other indices are judged by the same list, each time anew', async () => {
    await publish([0, 1, 2, 3]);
    const verifier = make();
    for (let round = 0; round < 3; round++) {
      expect(await judge(verifier, await newToken(0))).toBe('accepted');
      for (const idx of [1, 2, 3])
        expect(await judge(verifier, await newToken(idx))).toBe('status_not_valid');
    }
    expect(fetches()).toBe(1);
  });
});

describe('a revocation', () => {
  it('is seen once the ttl is over, by the first request, also of a token that is cached', async () => {
    const verifier = make();
    const [revoked, other] = [await newToken(1), await newToken(0)];
    expect(await judge(verifier, revoked)).toBe('accepted');
    await publish([0, 1]);
    time += TTL * 600 - 1;
    expect(await judge(verifier, revoked)).toBe('accepted');
    expect(fetches()).toBe(1);
    time = nowMs + TTL * 1000;
    expect(await judge(verifier, revoked)).toBe('status_not_valid');
    expect(await judge(verifier, other)).toBe('accepted');
    expect(fetches()).toBe(2);
  });

  it('is seen before that where requests come, since the list is refreshed in the background', async () => {
    const verifier = make();
    const revoked = await newToken(1);
    await judge(verifier, revoked);
    await publish([0, 1]);
    time += TTL * 800;
    // This one starts the refresh, and does not wait for it.
    expect(ask(verifier, revoked)).toMatchObject({ ok: true });
    await settled(2);
    expect(ask(verifier, revoked)).toMatchObject({ ok: false });
    expect(fetches()).toBe(2);
  });

  it('is answered as an invalid token, which says nothing of the list', async () => {
    await publish([1]);
    const outcome = await ask(make(), await newToken());
    if (outcome.ok) throw new Error('accepted');
    const { status, error, headers, body } = outcome.rejection;
    expect({ status, error }).toEqual({ status: 401, error: 'invalid_token' });
    expect(JSON.stringify([headers, body])).not.toMatch(/status|list|revoked|127\.0\.0\.1/i);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'request.rejected', step: 'status', actual: '1 (invalid)' }),
    );
  });

  it('may be taken back', async () => {
    await publish([2]);
    const verifier = make();
    const token = await newToken();
    expect(await judge(verifier, token)).toBe('status_not_valid');
    await publish([0]);
    time += TTL * 1000;
    expect(await judge(verifier, token)).toBe('accepted');
  });

  it('counts for tokens without a request too, and under a policy that lets anybody in', async () => {
    await publish([1]);
    const verifier = make();
    const token = await newToken();
    expect(await reasonOf(verifier.verifyToken(token))).toBe('status_not_valid');
    const request = requestWith({ authorization: `Bearer ${token}` });
    expect(await reasonOf(verifier.authenticate(request, { optional: true }))).toBe('status_not_valid');
  });
});

describe('how long a list is kept', () => {
  it.each([
    ['as its ttl says', 300, 300],
    ['no shorter than 5 s', 0, 5],
    ['no longer than an hour', 7 * DAY, 3600],
    ['ten minutes where it does not say', undefined, 600],
  ])('%s', async (_name, ttl, seconds) => {
    await publish([0], { ttl });
    const verifier = make();
    await judge(verifier, await newToken());
    await publish([1], { ttl });
    time += seconds * 600 - 1;
    expect(await judge(verifier, await newToken())).toBe('accepted');
    expect(fetches()).toBe(1);
    time = nowMs + seconds * 1000;
    expect(await judge(verifier, await newToken())).toBe('status_not_valid');
    expect(fetches()).toBe(2);
  });

  it('no shorter than 5 s, though it expires at once', async () => {
    const verifier = make();
    const token = await newToken();
    await publish([0], { exp: time / 1000 + 0.001 });
    // Until the time at which a refresh in the background may begin.
    for (; time < nowMs + 3000; time += 100) expect(await judge(verifier, token)).toBe('accepted');
    expect(fetches()).toBe(1);
    await publish([1]);
    time = nowMs + 5000;
    expect(await judge(verifier, token)).toBe('status_not_valid');
  });

  it('and never past its exp', async () => {
    await publish([0], { exp: nowSeconds + 60 });
    const verifier = make();
    await judge(verifier, await newToken());
    await publish([1], { exp: nowSeconds + 120 });
    time += 60_000;
    expect(await judge(verifier, await newToken())).toBe('status_not_valid');
  });
});

describe('events', () => {
  it('show no query of the place, of a list that came and of one that did not', async () => {
    uri = `${stub.url}/status/1?key=TOPSECRET`;
    await publish([0]);
    const verifier = make();
    expect(await judge(verifier, await newToken())).toBe('accepted');
    answerWith('', 500);
    time += DAY * 1000;
    expect(await judge(verifier, await newToken())).toBe('status_unavailable');
    const shown = events.flatMap((event) => ('uri' in event ? [event.uri] : []));
    expect(shown).toEqual([`${stub.url}/status/1`, `${stub.url}/status/1`]);
    expect(JSON.stringify(events)).not.toContain('TOPSECRET');
  });
});

describe('while the list is out of reach', () => {
  const outcomeAt = async (verifier: Verifier, seconds: number, token: string): Promise<string> => {
    time = nowMs + seconds * 1000;
    return judge(verifier, token);
  };

  it('the last good one serves until its exp, then nothing is decided', async () => {
    await publish([0, 1], { exp: nowSeconds + 3600 });
    const verifier = make();
    const [good, revoked] = [await newToken(0), await newToken(1)];
    await judge(verifier, good);
    answerWith('', 500);
    for (const [attempts, seconds] of [TTL, 1800, 3599].entries()) {
      expect(await outcomeAt(verifier, seconds, good)).toBe('accepted');
      expect(await outcomeAt(verifier, seconds, revoked)).toBe('status_not_valid');
      // Each of these moments lies beyond the back-off of the one before, and so brings one more attempt.
      await vi.waitFor(() => expect(failures()).toHaveLength(attempts + 1));
    }
    expect(new Set(failures())).toEqual(new Set(['unexpected_status']));
    for (const seconds of [3600, 7200]) {
      expect(await outcomeAt(verifier, seconds, good)).toBe('status_unavailable');
      expect(await outcomeAt(verifier, seconds, revoked)).toBe('status_unavailable');
    }
    const outcome = await ask(verifier, good);
    if (outcome.ok) throw new Error('accepted');
    expect(outcome.rejection.status).toBe(503);
    expect(Number(outcome.rejection.headers['Retry-After'])).toBeGreaterThanOrEqual(1);
    expect(outcome.rejection.headers).not.toHaveProperty('WWW-Authenticate');
  });

  it('one without exp serves for a day', async () => {
    await publish([0], { exp: undefined });
    const verifier = make();
    const token = await newToken();
    await judge(verifier, token);
    answerWith('', 503);
    expect(await outcomeAt(verifier, TTL + DAY - 1, token)).toBe('accepted');
    expect(await outcomeAt(verifier, TTL + DAY, token)).toBe('status_unavailable');
  });

  it('from the start, nothing is decided, requests do not add up at the other end, and recovery is seen', async () => {
    answerWith('', 503, { 'retry-after': '30' });
    const verifier = make();
    const verdicts = new Set<string>();
    for (let request = 0; request < 200; request++) verdicts.add(await judge(verifier, await newToken()));
    expect(verdicts).toEqual(new Set(['status_unavailable']));
    expect(fetches()).toBe(1);
    const outcome = await ask(verifier, await newToken());
    expect(outcome).toMatchObject({ ok: false, rejection: { headers: { 'Retry-After': '30' } } });
    await publish([0, 1]);
    time += 30_000;
    expect(await judge(verifier, await newToken(0))).toBe('accepted');
    expect(await judge(verifier, await newToken(1))).toBe('status_not_valid');
    expect(fetches()).toBe(2);
  });

  it('requests are answered from memory, not one by one after a timeout', async () => {
    const verifier = make();
    const token = await newToken();
    await judge(verifier, token);
    answerWith('', 500);
    time += TTL * 1000;
    expect(await judge(verifier, token)).toBe('accepted');
    // From now on the outage is known.
    for (let request = 0; request < 100; request++) {
      expect(ask(verifier, token)).toMatchObject({ ok: true });
    }
    expect(fetches()).toBe(2);
  });

  it('tokens of other lists, and those without one, are judged all the same', async () => {
    answerList = (request, response) => {
      if (request.url !== '/status/2') response.writeHead(500).end();
      else void statusListToken(key, `${stub.url}/status/2`, [0, 1]).then((body) => response.end(body));
    };
    const verifier = make();
    const other = `${stub.url}/status/2`;
    expect(await judge(verifier, await newToken(0))).toBe('status_unavailable');
    expect(await judge(verifier, await newToken(0, other))).toBe('accepted');
    expect(await judge(verifier, await newToken(1, other))).toBe('status_not_valid');
    expect(await judge(verifier, await mintWith({}))).toBe('accepted');
  });
});

describe('answers that are no list of this issuer leave the request undecided, never refused', () => {
  const list = (claims: object = {}, header: object = {}, by = key): Promise<string> =>
    statusListToken(by, uri, [0], claims, header);
  const small = deflateSync(new Uint8Array(1)).toString('base64url');

  const malformed: readonly (readonly [string, () => Promise<string | Buffer>])[] = [
    ['the list of another place', () => list({ sub: `${uri}0` })],
    ['one without sub', () => list({ sub: undefined })],
    ['one with a list as sub', () => list({ sub: [uri] })],
    ['one that has expired', () => list({ exp: nowSeconds })],
    ['one whose exp is text', () => list({ exp: `${nowSeconds + 60}` })],
    ['one without iat', () => list({ iat: undefined })],
    ['one that was issued in the future', () => list({ iat: nowSeconds + 301, exp: nowSeconds + 86_400 })],
    ['one whose ttl is below zero', () => list({ ttl: -1 })],
    ['one without a list', () => list({ status_list: undefined })],
    ['one with a list as status_list', () => list({ status_list: [] })],
    ['bits that are none', () => list({ status_list: { bits: 3, lst: small } })],
    ['bits as text', () => list({ status_list: { bits: '1', lst: small } })],
    ['a list that is not deflated', () => list({ status_list: { bits: 1, lst: 'AAAA' } })],
    ['a list with padding', () => list({ status_list: { bits: 1, lst: `${small}==` } })],
    ['an access token', () => mint(key, { iss: stub.url })],
    ['a JWT of another type', () => list({}, { typ: 'JWT' })],
    ['one signed by a stranger with a known kid', () => list({}, { kid: key.kid }, stranger)],
    ['one by an unknown kid', () => list({}, {}, stranger)],
    ['one that is not signed', async () => withPart(await list(), 0, encodeJson({ alg: 'none' }))],
    ['one that was changed', async () => withPart(await list(), 1, encodeJson({ sub: uri }))],
    ['a page', async () => '<html>'],
    ['nothing', async () => ''],
    ['bytes that are no text', async () => Buffer.from([0xff, 0xfe, 0x00])],
  ];

  it.each(malformed)('%s', async (_name, body) => {
    answerWith(await body());
    expect(await judge(make(), await newToken())).toBe('status_unavailable');
    expect(failures()).toEqual(['response_malformed']);
  });

  it('the list of another issuer', async () => {
    answerWith(await list({ iss: 'https://stranger.example' }));
    expect(await judge(make(), await newToken())).toBe('status_unavailable');
    expect(failures()).toEqual(['issuer_mismatch']);
    answerWith(await list({ iss: stub.url }));
    expect(await judge(make(), await newToken())).toBe('accepted');
  });

  it.each([204, 301, 302, 304, 400, 401, 403, 404, 410, 429, 500, 503])('status %d', async (status) => {
    answerWith(await list(), status, status < 400 ? { location: `${stub.url}/status/elsewhere` } : {});
    expect(await judge(make(), await newToken())).toBe('status_unavailable');
    expect(stub.requests).not.toContain('/status/elsewhere');
  });

  it('a body that ends too early', async () => {
    const body = await list();
    answerList = (_request, response) => {
      response.writeHead(200, { 'content-length': `${body.length}` });
      response.write(body.slice(0, 50), () => response.destroy());
    };
    expect(await judge(make(), await newToken())).toBe('status_unavailable');
    expect(failures()).toEqual(['network_failed']);
  });

  it('and with a good list known, that one goes on serving', async () => {
    await publish([0, 1]);
    const verifier = make();
    const [good, revoked] = [await newToken(0), await newToken(1)];
    await judge(verifier, good);
    answerWith(await list({ sub: `${uri}0` }));
    time += TTL * 1000;
    expect(await judge(verifier, good)).toBe('accepted');
    expect(await judge(verifier, revoked)).toBe('status_not_valid');
  });
});

describe('size', () => {
  const MEBIBYTE = 1024 * 1024;

  it('a list that unpacks to a gigabyte is given up, and asked for once', async () => {
    const lst = zerosOfOneGibibyte().toString('base64url');
    answerWith(await statusListToken(key, uri, [], { status_list: { bits: 1, lst } }));
    const verifier = make();
    const before = process.memoryUsage.rss();
    expect(await judge(verifier, await newToken())).toBe('status_unavailable');
    expect(process.memoryUsage.rss() - before).toBeLessThan(256 * MEBIBYTE);
    for (let request = 0; request < 50; request++) await judge(verifier, await newToken());
    expect(fetches()).toBe(1);
    expect(failures()).toEqual(['response_malformed']);
  });

  it('a list of a million services is read', async () => {
    const bytes = new Uint8Array(125_000);
    bytes[124_999] = 0x80;
    const lst = deflateSync(bytes).toString('base64url');
    answerWith(await statusListToken(key, uri, [], { status_list: { bits: 1, lst } }));
    const verifier = make();
    expect(await judge(verifier, await newToken(999_998))).toBe('accepted');
    expect(await judge(verifier, await newToken(999_999))).toBe('status_not_valid');
    expect(await judge(verifier, await newToken(1_000_000))).toBe('status_out_of_range');
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'status_list.refreshed', statuses: 1_000_000 }),
    );
  });

  it('an answer without end is cut off', async () => {
    let sent = 0;
    let isClosed = false;
    answerList = (_request, response) => {
      const piece = 'A'.repeat(64 * 1024);
      response.on('close', () => {
        isClosed = true;
      });
      const more = (): void => {
        while (!isClosed && response.write(piece)) sent += piece.length;
        sent += piece.length;
        if (!isClosed) response.once('drain', more);
      };
      more();
    };
    expect(await judge(make(), await newToken())).toBe('status_unavailable');
    await vi.waitFor(() => expect(isClosed).toBe(true));
    expect(sent).toBeLessThan(32 * MEBIBYTE);
    expect(failures()).toEqual(['response_too_large']);
  });

  it('hundreds of lists cost a fetch each, however often they are asked for in turn', async () => {
    answerList = (request, response) => {
      void statusListToken(key, `${stub.url}${request.url}`, [0]).then((body) => response.end(body));
    };
    const verifier = make();
    const places = Array.from({ length: 300 }, (_, at) => `${stub.url}/status/${at}`);
    const tokens = await Promise.all(places.map((place) => newToken(0, place)));
    for (let round = 0; round < 3; round++) {
      for (const token of tokens) expect(await judge(verifier, token)).toBe('accepted');
    }
    expect(fetches()).toBe(300);
  });

  it('lists beyond the bytes of all together push out those that were not asked for longest', async () => {
    const fetched: string[] = [];
    const bytes = new Uint8Array(MEBIBYTE);
    const lst = deflateSync(bytes).toString('base64url');
    const lists = createStatusLists({
      issuer,
      keys: createStaticKeySet(parseKeySet({ keys: [key.publicJwk] }, keyAlgorithms)),
      algorithms: new Set(keyAlgorithms),
      transport: fetchTransport(async (url) => {
        fetched.push(`${url}`);
        return new Response(
          await statusListToken(key, `${url}`, [], { iss: undefined, status_list: { bits: 1, lst } }),
        );
      }),
      now: () => time,
      emit: undefined,
      timeoutMs: 5000,
      maxKeptBytes: 3.5 * MEBIBYTE,
    });
    const fetchesFor = async (list: number): Promise<number> => {
      const before = fetched.length;
      const check = lists.check({
        status: { status_list: { idx: 0, uri: `https://issuer.example/${list}` } },
      });
      if (check === undefined || check instanceof Fault) throw new Error('no check');
      expect(await check.judge()).toBeUndefined();
      return fetched.length - before;
    };
    for (const list of [0, 1, 2]) expect(await fetchesFor(list)).toBe(1);
    expect([await fetchesFor(0), await fetchesFor(1), await fetchesFor(2)]).toEqual([0, 0, 0]);
    expect(await fetchesFor(0)).toBe(0);
    // One more, and the second goes: the first was asked for just now.
    expect(await fetchesFor(3)).toBe(1);
    expect([await fetchesFor(2), await fetchesFor(0), await fetchesFor(1)]).toEqual([0, 0, 1]);
  });
});

/** ZLIB data of a gibibyte of zeros: one compressed piece, again and again. */
function zerosOfOneGibibyte(): Buffer {
  const piece = deflateRawSync(new Uint8Array(16 * 1024 * 1024), { finishFlush: constants.Z_FULL_FLUSH });
  return Buffer.concat([Buffer.from([0x78, 0x9c]), ...Array.from({ length: 64 }, () => piece)]);
}

describe('what a token says of its status', () => {
  it.each<[string, object]>([
    ['nothing', {}],
    ['nothing of a list', { status: {} }],
    ['something else', { status: { identifier_list: { id: 'a', uri: 'https://example.com' } } }],
  ])('%s: the token is good, and no list is asked for', async (_name, claims) => {
    expect(await judge(make(), await mintWith(claims))).toBe('accepted');
    expect(fetches()).toBe(0);
  });

  const place = 'https://issuer.example/status/1';
  it.each<[string, unknown]>([
    ['text', 'valid'],
    ['null', null],
    ['a list', []],
    ['a status_list that is text', { status_list: place }],
    ['a status_list that is null', { status_list: null }],
    ['no idx', { status_list: { uri: place } }],
    ['idx as text', { status_list: { idx: '0', uri: place } }],
    ['idx below zero', { status_list: { idx: -1, uri: place } }],
    ['half an idx', { status_list: { idx: 0.5, uri: place } }],
    ['an idx that is not exact', { status_list: { idx: 2 ** 53, uri: place } }],
    ['no uri', { status_list: { idx: 0 } }],
    ['a uri without TLS', { status_list: { idx: 0, uri: 'http://issuer.example/status/1' } }],
    ['a file', { status_list: { idx: 0, uri: 'file:///etc/passwd' } }],
    ['a path', { status_list: { idx: 0, uri: '/status/1' } }],
    ['a uri that is a list', { status_list: { idx: 0, uri: [place] } }],
    ['a uri that is far too long', { status_list: { idx: 0, uri: `${place}?${'a'.repeat(2048)}` } }],
    ['a prototype', { status_list: { idx: 0, uri: '__proto__' } }],
  ])('%s: the token is refused, and nothing is asked for', async (_name, status) => {
    const asked: string[] = [];
    const verifier = make({
      issuer: { issuer: stub.url, jwks: { keys: [key.publicJwk] }, statusList: true },
      async fetch(url) {
        asked.push(url);
        return new Response(null, { status: 404 });
      },
    });
    expect(await judge(verifier, await mintWith({ status }))).toBe('invalid_claim');
    expect(asked).toEqual([]);
  });

  it('an index beyond the end: refused, since the list is known', async () => {
    const verifier = make();
    // Four statuses fill one byte.
    expect(await judge(verifier, await newToken(4))).toBe('status_out_of_range');
    expect(await judge(verifier, await newToken(Number.MAX_SAFE_INTEGER))).toBe('status_out_of_range');
    expect(await ask(verifier, await newToken(4))).toMatchObject({ ok: false, rejection: { status: 401 } });
  });

  it.each([{ statusList: false }, {}])('does not count where the issuer says %j', async (option) => {
    await publish([1]);
    const verifier = make({ issuer: { issuer: stub.url, ...option } });
    expect(await judge(verifier, await newToken())).toBe('accepted');
    expect(await judge(verifier, await mintWith({ status: 'nonsense' }))).toBe('accepted');
    expect(fetches()).toBe(0);
  });

  it('a token that is not good names no list: nobody can make this service call anywhere', async () => {
    const verifier = make();
    const claims = { iss: stub.url, status: { status_list: { idx: 0, uri } } };
    expect(await judge(verifier, await mint(stranger, claims, { kid: key.kid }))).toBe('bad_signature');
    expect(await judge(verifier, await mintWith({ ...claims, exp: nowSeconds - 60 }))).toBe('expired');
    expect(await judge(verifier, await mintWith({ ...claims, aud: 'elsewhere' }))).toBe('wrong_audience');
    expect(fetches()).toBe(0);
  });
});
