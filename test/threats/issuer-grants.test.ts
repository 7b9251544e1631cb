/** The grants of the issuer: an exchange never widens scope, lifetime or audience, and never drops a binding. */
import { X509Certificate } from 'node:crypto';
import { request } from 'node:http';
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { memoryStorage, serveIssuer } from '../../src/issuer/index.ts';
import { certificatePem, certificateThumbprint } from '../helpers/certificates.ts';
import { createDpopClient } from '../helpers/dpop.ts';
import { ask, exchangeOf, proofFor } from '../unit/issuer/grants/support.ts';
import {
  basic,
  type Credentials,
  createHarness,
  type Harness,
  type Parameters,
} from '../unit/issuer/harness.ts';
import { addSecretService, SECRET_KEY } from '../unit/issuer/service-records.ts';

const SCOPES = ['a', 'b', 'c', 'd'];
const RESOURCES = ['https://r0.example', 'https://r1.example', 'https://r2.example'];
const NAMES = ['s0', 's1', 's2'];
const certificate = new Uint8Array(new X509Certificate(certificatePem).raw);
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** Most of them, so that requests are granted often enough to be worth looking at. */
const most = (all: string[], least: number) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(all) }, fc.subarray(all, { minLength: least }));
const nowAndThen = fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, fc.constant(true));

const registration = fc.record({
  scopes: most(SCOPES, 0),
  resources: most(RESOURCES, 0),
  serves: most(RESOURCES, 0),
  tokenFormat: fc.constantFrom('jwt' as const, 'jwt' as const, 'opaque' as const),
  accessTokenSeconds: fc.option(fc.integer({ min: 1, max: 2000 }), { nil: undefined }),
  dpopBound: nowAndThen,
  certificateBound: nowAndThen,
});

const hop = fc.record({
  service: fc.nat({ max: NAMES.length - 1 }),
  scope: fc.option(fc.subarray([...SCOPES, 'z'], { minLength: 1, maxLength: 2 }), {
    nil: undefined,
    freq: 1,
  }),
  resources: fc.oneof(fc.subarray(RESOURCES, { minLength: 1, maxLength: 1 }), fc.subarray(RESOURCES)),
  audience: fc.option(fc.constantFrom(...NAMES, 'nobody'), { nil: undefined, freq: 1 }),
  proves: fc.boolean(),
  presents: fc.boolean(),
  acts: fc.option(fc.nat({ max: NAMES.length - 1 }), { nil: undefined, freq: 1 }),
  waitSeconds: fc.constantFrom(0, 0, 1, 100, 700),
});

const world = fc.record({
  /** What each resource takes; anything where nothing is said. */
  taken: fc.tuple(...RESOURCES.map(() => fc.option(most(SCOPES, 1), { nil: undefined }))),
  services: fc.tuple(registration, registration, registration),
  /** Whether the first token is bound, to a key and to a certificate. */
  proves: fc.boolean(),
  hops: fc.array(hop, { minLength: 1, maxLength: 8 }),
});

type Registration = typeof registration extends fc.Arbitrary<infer T> ? T : never;
type Hop = typeof hop extends fc.Arbitrary<infer T> ? T : never;
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

interface Claims {
  readonly sub: string;
  readonly client_id: string;
  readonly aud: readonly string[];
  readonly scopes: readonly string[];
  readonly exp: number;
  readonly cnf?: object | undefined;
  readonly act?: object | undefined;
}

/** A token as whoever may introspect it sees it. */
async function readClaims(harness: Harness, as: Credentials, token: string): Promise<Claims> {
  const { body } = token.includes('.')
    ? { body: decodeJwt(token) }
    : await harness.post('/introspect', { token }, as);
  const { sub, client_id, aud, scope = '', exp, cnf, act } = body;
  return { sub, client_id, aud: [aud].flat(), scopes: scope.split(' ').filter(Boolean), exp, cnf, act };
}

const isWithin = (some: readonly string[], all: readonly string[]): boolean =>
  some.every((one) => all.includes(one));

function depthOf(act: object | undefined): number {
  return act === undefined ? 0 : 1 + depthOf('act' in act ? Object(act.act) : undefined);
}

/** What the rules say of an exchange, each for itself; the target is `undefined` where there is none. */
function judge(services: readonly Registration[], taken: World['taken'], step: Hop, subject: Claims) {
  const name = `s${step.service}`;
  const own = services[step.service];
  if (own === undefined) throw new Error('there is no such service');
  const served = step.audience === undefined ? [] : (services[NAMES.indexOf(step.audience)]?.serves ?? []);
  const named = [...new Set([...step.resources, ...served])];
  const sole = own.resources.length === 1 ? own.resources : undefined;
  const isNamed = step.resources.length > 0 || step.audience !== undefined;
  const hasTarget = isNamed ? named.length > 0 && isWithin(named, own.resources) : sole !== undefined;
  const target =
    hasTarget && (step.audience === undefined || served.length > 0) ? (sole ?? named) : undefined;
  const takes = (scope: string): boolean =>
    (target ?? []).some((uri) => taken[RESOURCES.indexOf(uri)]?.includes(scope) ?? true);
  const allowed = subject.scopes.filter((scope) => own.scopes.includes(scope) && takes(scope));
  const binds = step.proves || step.presents;
  return {
    allowed,
    isHeld: subject.client_id === name || subject.aud.some((uri) => own.serves.includes(uri)),
    isProven: (step.proves || !own.dpopBound) && (step.presents || !own.certificateBound),
    isBound: subject.cnf === undefined || binds || subject.client_id === name,
    isShort: depthOf(subject.act) < 5,
    hasTarget: target !== undefined,
    hasScope:
      step.scope === undefined
        ? allowed.length > 0 || subject.scopes.length === 0
        : isWithin(step.scope, allowed),
  };
}

async function run({ taken, services, proves, hops }: World, count: (outcome: string) => void) {
  const resources = RESOURCES.map((resource, at) => ({ resource, scopes: taken[at] }));
  const harness = createHarness({ resources, secretKey: SECRET_KEY, limits: false });
  const credentials: Credentials[] = [];
  for (const [at, members] of services.entries()) {
    const clientId = `s${at}`;
    const clientSecret = await addSecretService(harness.storage, { clientId, ...members });
    credentials.push({ clientId, clientSecret });
  }
  const key = await createDpopClient();
  const send = async (step: Pick<Hop, 'service' | 'proves' | 'presents'>, parameters: Parameters) => {
    const as = credentials[step.service];
    if (as === undefined) throw new Error('there is no such service');
    const proof = step.proves ? await proofFor(harness, key) : undefined;
    const proven = { dpop: proof, certificate: step.presents ? certificate : undefined };
    const answer = await ask(harness, as, parameters, proven);
    const { access_token: token } = answer.body;
    return { answer, token, claims: token && (await readClaims(harness, as, token)) };
  };

  const [{ resources: resource, dpopBound, certificateBound: presents }] = services;
  const start = await send(
    { service: 0, proves: proves || dpopBound, presents },
    { grant_type: 'client_credentials', resource },
  );
  if (start.token === undefined) return count('no subject');
  let { token, claims: subject } = start as { token: string; claims: Claims };
  for (const step of hops) {
    harness.advance(step.waitSeconds);
    const actor = step.acts === undefined ? undefined : await actorToken(harness, credentials[step.acts]);
    const verdict = judge(services, taken, step, subject);
    const isLive = subject.exp > harness.nowSeconds();
    const { answer, ...given } = await send(
      step,
      exchangeOf(token, {
        ...(step.scope !== undefined && { scope: step.scope.join(' ') }),
        resource: step.resources,
        ...(step.audience !== undefined && { audience: step.audience }),
        ...(actor !== undefined && { actor_token: actor, actor_token_type: ACCESS_TOKEN }),
      }),
    );
    const rules = { ...verdict, isLive };
    const isActor = actor === undefined || step.acts === step.service;
    const isRight = Object.values(rules).every((rule) => rule !== false) && isActor;
    expect([answer.status, answer.body.error], JSON.stringify(rules)).toEqual(
      isRight
        ? [200, undefined]
        : [400, expect.stringMatching(/^invalid_(request|scope|target|dpop_proof)$/)],
    );
    count(isRight ? 'granted' : 'refused');
    if (!isRight) continue;
    if (subject.cnf !== undefined) count('granted for a bound one');
    if (subject.act !== undefined) count('granted after another');
    const claims: Claims = given.claims;
    checkExchange(harness, services, step, subject, claims, verdict.allowed);
    if (step.proves) expect(claims.cnf).toMatchObject({ jkt: key.jkt });
    ({ token } = given);
    subject = claims;
  }
}

/** A token of a service about itself, where it gets one without saying for what. */
async function actorToken(harness: Harness, as: Credentials | undefined): Promise<string | undefined> {
  const service = await harness.storage.findService(as?.clientId ?? '');
  if (as === undefined || service?.dpopBound || service?.certificateBound) return undefined;
  const { body } = await harness.post('/token', { grant_type: 'client_credentials' }, as);
  return body.access_token;
}

function checkExchange(
  harness: Harness,
  services: readonly Registration[],
  step: Hop,
  subject: Claims,
  claims: Claims,
  allowed: readonly string[],
): void {
  const own = services[step.service];
  const now = harness.nowSeconds();
  expect(claims.sub).toBe(subject.sub);
  expect(claims.client_id).toBe(`s${step.service}`);
  expect(isWithin(claims.scopes, subject.scopes) && isWithin(claims.scopes, own?.scopes ?? [])).toBe(true);
  expect(claims.scopes).toEqual(step.scope ?? allowed);
  expect(claims.aud.length > 0 && isWithin(claims.aud, own?.resources ?? [])).toBe(true);
  expect(claims.exp).toBe(Math.min(subject.exp, now + 600, now + (own?.accessTokenSeconds ?? 900)));
  const actor = { sub: `s${step.acts ?? step.service}` };
  if (step.acts === undefined) {
    expect(claims.act).toEqual(subject.act === undefined ? actor : { ...actor, act: subject.act });
  } else {
    expect(depthOf(claims.act)).toBe(depthOf(subject.act) + 1);
  }
  if (subject.cnf !== undefined) expect(Object.keys(claims.cnf ?? {})).not.toEqual([]);
  if (subject.cnf !== undefined && !step.proves) {
    expect(claims.cnf).toEqual(step.presents ? { 'x5t#S256': certificateThumbprint } : subject.cnf);
  }
  if (own?.certificateBound) expect(claims.cnf).toMatchObject({ 'x5t#S256': certificateThumbprint });
}

/** Posts a form over a socket, with whatever headers, `Host` too. */
function postRaw(url: string, headers: Record<string, string>, body: string): Promise<[unknown, unknown]> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve([response.statusCode, JSON.parse(Buffer.concat(chunks).toString()).error]);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

it('threat 20: over a real connection, neither Host nor forwarded headers move htu', async () => {
  const storage = memoryStorage();
  const clientSecret = await addSecretService(storage);
  const { url, close } = await serveIssuer({ port: 0, storage, secretKey: SECRET_KEY });
  onTestFinished(close);
  const key = await createDpopClient();
  const post = async (htu: string) => {
    const dpop = await key.prove({ htm: 'POST', htu, iat: Math.floor(Date.now() / 1000) });
    const headers = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      forwarded: 'host=evil.example;proto=https',
      'content-type': 'application/x-www-form-urlencoded',
      authorization: basic({ clientId: 'billing', clientSecret }),
      dpop,
    };
    return postRaw(`${url}/token`, headers, 'grant_type=client_credentials');
  };
  expect(await post('http://evil.example/token')).toEqual([400, 'invalid_dpop_proof']);
  expect(await post('https://evil.example/token')).toEqual([400, 'invalid_dpop_proof']);
  expect(await post(`${url}/token`)).toEqual([200, undefined]);
});

describe('threat 26: exchange', () => {
  it('gives what the rules give and not a bit more, whatever is registered and asked', async () => {
    const outcomes = new Map<string, number>();
    const count = (outcome: string): void => {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    };
    await fc.assert(
      fc.asyncProperty(world, (given) => run(given, count)),
      { numRuns: 300 },
    );
    // None of these must be rare, or it was not looked at.
    for (const outcome of ['granted', 'refused', 'granted for a bound one', 'granted after another']) {
      expect(outcomes.get(outcome), outcome).toBeGreaterThan(20);
    }
  }, 120_000);
});
