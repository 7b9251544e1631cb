/** Bound tokens: what an operator hears of stores, replays and late proofs, and what holds a token to its binding. */
import { describe, expect, it } from 'vitest';
import {
  type AuthOutcome,
  type AuthRequest,
  createMemoryReplayStore,
  createVerifier,
  type MaybePromise,
  type ReplayStore,
  type ServiceAuthEvent,
  type VerifierOptions,
} from '../../../src/index.ts';
import { certificatePem, certificateThumbprint, otherThumbprint } from '../../helpers/certificates.ts';
import { createDpopClient, hashOf, requestWith } from '../../helpers/dpop.ts';
import { reasonOf } from '../../helpers/judge.ts';
import { statusListToken } from '../../helpers/status-lists.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const client = await createDpopClient();
const bound = await mint(key, { cnf: { jkt: client.jkt } });

/** A verifier with a clock of its own, and what it said. */
function setUp(options: Partial<VerifierOptions> = {}) {
  const events: ServiceAuthEvent[] = [];
  const clock = { time: nowMs };
  const verifier = createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => clock.time,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { events, clock, verifier };
}

async function requestOf(
  token = bound,
  scheme = 'DPoP',
  more: Partial<AuthRequest> = {},
): Promise<AuthRequest> {
  const dpop = await client.prove({ ath: hashOf(token) });
  return requestWith({ authorization: `${scheme} ${token}`, dpop }, more);
}

async function rejectionOf(outcome: MaybePromise<AuthOutcome>) {
  const settled = await outcome;
  if (settled.ok) throw new Error('it was accepted');
  return settled.rejection;
}

describe('a replay store', () => {
  it.each<[string, ReplayStore['record'], string]>([
    [
      'that throws',
      () => {
        throw new Error('a secret of the store');
      },
      'failed',
    ],
    ['that rejects', () => Promise.reject(new Error('a secret of the store')), 'failed'],
    ['that is full', () => 'full', 'full'],
    ['that is full later', async () => 'full' as const, 'full'],
  ])('%s leaves the request undecided', async (_, record, said) => {
    const { events, verifier } = setUp({ dpop: { replayStore: { record } } });
    const rejection = await rejectionOf(verifier.authenticate(await requestOf()));
    expect(rejection).toMatchObject({ status: 503, reason: 'replay_store_unavailable' });
    expect(rejection.headers['Retry-After']).toBe('1');
    expect(events).toEqual([
      {
        at: nowMs,
        type: 'request.undecided',
        reason: 'replay_store_unavailable',
        issuer,
        retryAfterMs: 1000,
        message: `the replay store is ${said}`,
        durationMs: expect.any(Number),
      },
    ]);
  });

  it('is told the key, the id and the end of a proof, and nothing of those that do not hold', async () => {
    const recorded: object[] = [];
    const record = (proof: object) => {
      recorded.push({ ...proof });
      return 'recorded' as const;
    };
    const { verifier } = setUp({ dpop: { replayStore: { record } } });
    const authorization = `DPoP ${bound}`;
    const dpop = await client.prove({ ath: hashOf(bound), jti: 'one' });
    const refused = await client.prove({ ath: 'other', jti: 'two' });
    expect(await reasonOf(verifier.authenticate(requestWith({ authorization, dpop: refused })))).toBe(
      'proof_token_mismatch',
    );
    const ask = (policy: object) => verifier.authenticate(requestWith({ authorization, dpop }), policy);
    expect(await reasonOf(ask({ scope: 'admin' }))).toBe('insufficient_scope');
    expect(await reasonOf(ask({ scope: 'orders:read' }))).toBe('accepted');
    expect(recorded).toEqual([{ jkt: client.jkt, jti: 'one', expiresAt: nowMs + 65_001 }]);
  });

  it('that has seen a proof before is a replay, of which an event tells', async () => {
    const { events, verifier } = setUp({
      dpop: { replayStore: createMemoryReplayStore({ now: () => nowMs }) },
    });
    const request = await requestOf();
    expect(await reasonOf(verifier.authenticate(request))).toBe('accepted');
    expect(await reasonOf(verifier.authenticate(request))).toBe('replayed_proof');
    expect(events.slice(1)).toEqual([
      { at: nowMs, type: 'dpop.replay', issuer, clientId: 'billing', jkt: client.jkt },
      {
        at: nowMs,
        type: 'request.rejected',
        reason: 'replayed_proof',
        status: 401,
        step: 'proof',
        expected: 'a proof that was not used before',
        actual: undefined,
        hint: undefined,
        issuer,
        clientId: 'billing',
        durationMs: expect.any(Number),
      },
    ]);
  });

  it('forgets no proof for another one of the same key', async () => {
    const { verifier } = setUp();
    const source = {};
    const [first, second] = [await requestOf(bound, 'DPoP', { source }), await requestOf()];
    for (const request of [first, second]) {
      expect(await reasonOf(verifier.authenticate(request))).toBe('accepted');
    }
    expect(await reasonOf(verifier.authenticate(second))).toBe('replayed_proof');
    expect(await reasonOf(verifier.authenticate(first))).toBe('accepted');
  });
});

describe('a proof that was waited for', () => {
  const expiresAt = nowMs + 65_001;
  it.each([
    [65_000, 'accepted'],
    [65_001, 'proof_too_old'],
  ])('%i ms: %s', async (ms, verdict) => {
    const { clock, verifier } = setUp();
    const check = (): boolean => {
      clock.time += ms;
      return true;
    };
    const outcome = await verifier.authenticate(await requestOf(), { check });
    expect(await reasonOf(outcome)).toBe(verdict);
    if (outcome.ok) return;
    expect(outcome.rejection.detail).toEqual({
      step: 'proof',
      expected: `use before ${expiresAt}`,
      actual: `${expiresAt}`,
    });
  });

  it('is reported with its client', async () => {
    const { clock, events, verifier } = setUp();
    const check = async (): Promise<boolean> => {
      clock.time += 65_001;
      return true;
    };
    await verifier.authenticate(await requestOf(), { check });
    expect(events).toMatchObject([{ reason: 'proof_too_old', issuer, clientId: 'billing' }]);
  });
});

describe('the scheme', () => {
  it('of a bound token is DPoP', async () => {
    const { verifier } = setUp();
    const rejection = await rejectionOf(verifier.authenticate(await requestOf(bound, 'Bearer')));
    expect(rejection.detail).toEqual({ step: 'binding', expected: 'the DPoP scheme', actual: 'Bearer' });
  });

  it('of a token without a request is what the program says', async () => {
    const { verifier } = setUp();
    expect(await reasonOf(verifier.verifyToken(bound))).toBe('bound_token_as_bearer');
    expect(await reasonOf(verifier.verifyToken(bound, { scheme: 'DPoP' }))).toBe('accepted');
    const unbound = await mint(key);
    expect(await reasonOf(verifier.verifyToken(unbound, { scheme: 'DPoP' }))).toBe('token_not_bound');
    expect(await reasonOf(verifier.verifyToken(unbound, { scheme: 'Bearer' }))).toBe('accepted');
    const { verifier: strict } = setUp({ dpop: 'required' });
    expect(await reasonOf(strict.verifyToken(unbound))).toBe('token_not_bound');
    expect(await reasonOf(strict.verifyToken(bound, { scheme: 'DPoP' }))).toBe('accepted');
  });

  it.each<[Partial<VerifierOptions>, string, string]>([
    [{}, 'Bearer', 'bound_token_as_bearer'],
    [{ dpop: false }, 'Bearer', 'unsupported_binding'],
  ])('with %j is reported with its client', async (options, scheme, reason) => {
    const { events, verifier } = setUp(options);
    await verifier.authenticate(await requestOf(bound, scheme));
    expect(events).toMatchObject([{ reason, issuer, clientId: 'billing', durationMs: expect.any(Number) }]);
  });
});

describe('a certificate', () => {
  const both = (thumbprint: string) => mint(key, { cnf: { jkt: client.jkt, 'x5t#S256': thumbprint } });
  const withCertificate = { clientCertificate: () => certificatePem };

  it('and a proof are both asked for, the certificate first', async () => {
    const { verifier } = setUp(withCertificate);
    const good = await both(certificateThumbprint);
    const other = await both(otherThumbprint);
    const ask = async (request: AuthRequest) => reasonOf(verifier.authenticate(request));
    expect(await ask(await requestOf(good))).toBe('accepted');
    expect(await ask(requestWith({ authorization: `DPoP ${good}` }))).toBe('missing_proof');
    expect(await ask(requestWith({ authorization: `DPoP ${other}` }))).toBe('certificate_mismatch');
    expect(await ask(await requestOf(other))).toBe('certificate_mismatch');
    expect(await ask(await requestOf(good, 'Bearer'))).toBe('bound_token_as_bearer');
  });

  it('cannot come without a request', async () => {
    const { verifier } = setUp(withCertificate);
    const token = await mint(key, { cnf: { 'x5t#S256': certificateThumbprint } });
    expect(await reasonOf(verifier.verifyToken(token))).toBe('missing_certificate');
  });

  it.each<[string, () => unknown, string]>([
    ['a promise of one', async () => certificatePem, 'accepted'],
    ['null', () => null, 'missing_certificate'],
    ['a number', () => 7, 'missing_certificate'],
    ['an object', () => ({ raw: certificatePem }), 'missing_certificate'],
    ['a promise that rejects', () => Promise.reject(new Error('none')), 'missing_certificate'],
    ['a text that is none', () => 'certificate', 'missing_certificate'],
  ])('%s: %s', async (_, clientCertificate, verdict) => {
    const { verifier } = setUp({ clientCertificate: clientCertificate as () => string });
    const token = await mint(key, { cnf: { 'x5t#S256': certificateThumbprint } });
    expect(await reasonOf(verifier.authenticate(requestWith({ authorization: `Bearer ${token}` })))).toBe(
      verdict,
    );
  });

  it('is that of the connection where nothing else is said', async () => {
    const { verifier } = setUp();
    const base64 = certificatePem.replaceAll(/-----[A-Z ]+-----|\s/g, '');
    const peerCertificate = Uint8Array.from(Buffer.from(base64, 'base64'));
    const token = await mint(key, { cnf: { 'x5t#S256': certificateThumbprint } });
    const authorization = `Bearer ${token}`;
    const over = (connection: AuthRequest['connection']) =>
      reasonOf(verifier.authenticate(requestWith({ authorization }, { connection })));
    const plain = { encrypted: true, remoteAddress: '10.0.0.1' };
    expect(await over({ ...plain, peerCertificate })).toBe('accepted');
    expect(await over({ ...plain, peerCertificate: undefined })).toBe('missing_certificate');
    expect(await over(undefined)).toBe('missing_certificate');
    const request = requestWith({ authorization }, { connection: { ...plain, peerCertificate } });
    expect(await verifier.authenticate(request)).toMatchObject({ caller: { scheme: 'Bearer' } });
  });
});

describe('a policy that asks for a binding', () => {
  const dpop = { jkt: client.jkt };
  const mtls = { 'x5t#S256': certificateThumbprint };
  it.each<[boolean | 'dpop' | 'mtls', string, object | undefined, string]>([
    [true, 'DPoP', dpop, 'accepted'],
    [true, 'a certificate', mtls, 'accepted'],
    [true, 'both', { ...dpop, ...mtls }, 'accepted'],
    [true, 'nothing', undefined, 'token_not_bound'],
    ['dpop', 'DPoP', dpop, 'accepted'],
    ['dpop', 'a certificate', mtls, 'token_not_bound'],
    ['dpop', 'both', { ...dpop, ...mtls }, 'accepted'],
    ['mtls', 'DPoP', dpop, 'token_not_bound'],
    ['mtls', 'a certificate', mtls, 'accepted'],
    ['mtls', 'both', { ...dpop, ...mtls }, 'accepted'],
    ['mtls', 'nothing', undefined, 'token_not_bound'],
    [false, 'nothing', undefined, 'accepted'],
  ])('%s, of a token bound by %s', async (senderConstrained, _, cnf, verdict) => {
    const { verifier } = setUp({ clientCertificate: () => certificatePem });
    const scheme = cnf !== undefined && 'jkt' in cnf ? 'DPoP' : 'Bearer';
    const request = await requestOf(await mint(key, { cnf }), scheme);
    expect(await reasonOf(verifier.guard({ senderConstrained })(request))).toBe(verdict);
  });
});

it('a token that is not bound needs no DPoP, also where it has a status', async () => {
  const uri = `${issuer}/status/1`;
  const token = await mint(key, { status: { status_list: { idx: 0, uri } } });
  const jwks = { keys: [key.publicJwk] };
  const fetch = async () => new Response(await statusListToken(key, uri, [0]));
  for (const dpop of [false, 'optional'] as const) {
    for (const statusList of [false, true]) {
      const { verifier } = setUp({ issuer: { issuer, jwks, statusList }, dpop, fetch });
      const request = requestWith({ authorization: `Bearer ${token}` });
      expect(await reasonOf(verifier.authenticate(request))).toBe('accepted');
    }
  }
});

it('proofs are young by the options of the verifier', async () => {
  const { verifier } = setUp({ dpop: { maxAgeSeconds: 10, toleranceSeconds: 2 } });
  const ask = async (iat: number) => {
    const dpop = await client.prove({ ath: hashOf(bound), iat });
    return reasonOf(verifier.authenticate(requestWith({ authorization: `DPoP ${bound}`, dpop })));
  };
  expect(await ask(nowSeconds - 12)).toBe('accepted');
  expect(await ask(nowSeconds - 13)).toBe('proof_too_old');
  expect(await ask(nowSeconds + 2)).toBe('accepted');
  expect(await ask(nowSeconds + 3)).toBe('proof_in_future');
});
