/** What a test kit must never do: let a test hang, leak into the next one, or lose what it was told. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createTestIssuer } from '../../../adapters/testing.ts';
import { createAuthedFetch, createTokenClient, createVerifier } from '../../../src/index.ts';
import { rejection } from '../outbound/support.ts';

const real = globalThis.fetch;

afterEach(() => {
  globalThis.fetch = real;
  vi.useRealTimers();
});

describe('the global fetch', () => {
  it('is put back whichever of two issuers is restored first', async () => {
    const [first, second] = [
      createTestIssuer({ issuer: 'https://one.test' }),
      createTestIssuer({ issuer: 'https://two.test' }),
    ];
    const [one, two] = [first.replaceGlobalFetch(), second.replaceGlobalFetch()];
    expect((await fetch('https://one.test/jwks')).status).toBe(200);
    expect((await fetch('https://two.test/jwks')).status).toBe(200);
    one.restore();
    expect((await fetch('https://two.test/jwks')).status).toBe(200);
    two.restore();
    expect(globalThis.fetch).toBe(real);
  });

  it('answers for nobody any more, once restored, where somebody has wrapped it meanwhile', async () => {
    const base = vi.fn(async () => new Response('from outside'));
    globalThis.fetch = base;
    const issuer = createTestIssuer();
    const replaced = issuer.replaceGlobalFetch();
    const inner = globalThis.fetch;
    globalThis.fetch = (input, init) => inner(input, init);
    replaced.restore();
    expect(await (await fetch(`${issuer.issuer}/jwks`)).text()).toBe('from outside');
    expect(issuer.requests.jwks).toEqual([]);
  });

  it('is put back when the issuer is closed', async () => {
    const issuer = createTestIssuer();
    issuer.replaceGlobalFetch();
    await issuer.close();
    expect(globalThis.fetch).toBe(real);
  });
});

describe('a caller that gives up', () => {
  it('has its error though the service never answers', async () => {
    const issuer = createTestIssuer({ services: { 'https://slow.test': () => new Promise(() => {}) } });
    const authedFetch = createAuthedFetch(
      issuer.clientOptions({ targets: [{ origin: 'https://slow.test', resource: 'https://service.test' }] }),
    );
    const giveUp = new AbortController();
    const call = authedFetch('https://slow.test/', { signal: giveUp.signal });
    await vi.waitFor(() => expect(issuer.requests.services).toHaveLength(1));
    giveUp.abort();
    expect(await rejection(call)).toMatchObject({ name: 'AbortError' });
  });

  it('has its error though a fault never answers', async () => {
    const issuer = createTestIssuer();
    const fault = issuer.fail('jwks', () => new Promise(() => {}));
    const giveUp = new AbortController();
    const call = issuer.fetch(`${issuer.issuer}/jwks`, { signal: giveUp.signal });
    await fault.hit;
    giveUp.abort();
    expect(await rejection(call)).toMatchObject({ name: 'AbortError' });
  });

  it('leaves no timer of a delay behind', async () => {
    vi.useFakeTimers();
    const issuer = createTestIssuer();
    const fault = issuer.fail('jwks', { delayMs: 600_000 });
    const giveUp = new AbortController();
    const call = issuer.fetch(`${issuer.issuer}/jwks`, { signal: giveUp.signal });
    await fault.hit;
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    giveUp.abort();
    expect(await rejection(call)).toMatchObject({ name: 'AbortError' });
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('a delay ends with its fault', async () => {
  const issuer = createTestIssuer();
  const fault = issuer.fail('jwks', { delayMs: 600_000 });
  const call = issuer.fetch(`${issuer.issuer}/jwks`);
  await fault.hit;
  issuer.recover();
  expect((await call).status).toBe(200);
});

it('a client is registered for what it wishes while it is being registered', async () => {
  const issuer = createTestIssuer();
  const turns = Array.from({ length: 40 }, (_, at) => at);
  for (const turn of turns) {
    const clientId = `client-${turn}`;
    const minted = issuer.mint({ clientId });
    for (let wait = 0; wait < turn; wait++) await Promise.resolve();
    const client = createTokenClient(issuer.clientOptions({ clientId, scope: 'orders:read' }));
    await minted;
    expect((await client.getToken()).scope, `after ${turn} turns`).toBe('orders:read');
  }
});

describe('under fake timers', () => {
  it.each(['ES256', 'RS256', 'EdDSA'] as const)(
    'all goes its way, signed with %s',
    async (signingAlgorithm) => {
      vi.useFakeTimers();
      const service = 'https://orders.test';
      const issuer = createTestIssuer({
        signingAlgorithm,
        services: {
          [service]: async (request) =>
            new Response(null, { status: (await verifier.authenticate(request)).ok ? 200 : 401 }),
        },
      });
      const verifier = createVerifier(issuer.verifierOptions({ introspection: true, statusList: true }));
      const targets = [{ origin: service, resource: issuer.audience }];
      const authedFetch = createAuthedFetch(issuer.clientOptions({ dpop: true, targets }));
      expect((await authedFetch(`${service}/`)).status).toBe(200);
      issuer.advance({ minutes: 16 });
      expect((await authedFetch(`${service}/`)).status).toBe(200);
      expect(issuer.requests.token).toHaveLength(2);
    },
  );
});

it('two issuers of one name know nothing of each other', async () => {
  const issuers = [createTestIssuer(), createTestIssuer()];
  const tokens = await Promise.all(issuers.map((issuer) => issuer.mint()));
  const answers = issuers.map(async (issuer) => {
    const verifier = createVerifier(issuer.verifierOptions());
    const asked = tokens.map(async (token) => verifier.authenticate(token.request(issuer.audience)));
    return (await Promise.all(asked)).map(({ ok }) => ok);
  });
  expect(await Promise.all(answers)).toEqual([
    [true, false],
    [false, true],
  ]);
});

it('tokens that are made while keys rotate are good', async () => {
  const issuer = createTestIssuer();
  const verifier = createVerifier(issuer.verifierOptions());
  const make = () => Array.from({ length: 20 }, () => issuer.mint({ claims: { tenant: 'a' } }));
  const before = make();
  const rotated = issuer.rotateKeys({ immediately: true });
  const tokens = await Promise.all([...before, ...make()]);
  await rotated;
  for (const token of tokens) {
    expect(await verifier.authenticate(token.request(issuer.audience))).toMatchObject({ ok: true });
  }
});

it.each(['scp', 'scopes', 'permissions', 'roles'])('no scope is none in %s either', async (claim) => {
  const issuer = createTestIssuer();
  const options = issuer.verifierOptions();
  const verifier = createVerifier({
    ...options,
    issuer: { ...Object(options.issuer), ...(claim === 'roles' && { claims: 'entra' }) },
  });
  const scope = 'orders:read';
  const claims = { [claim]: [scope], azp: 'billing' };
  const judge = async (fault?: 'missing_scope') => {
    const token = await issuer.mint({ claims: { scope: undefined, ...claims }, ...(fault && { fault }) });
    const outcome = await verifier.authenticate(token.request(issuer.audience), { scope });
    return outcome.ok || outcome.rejection.reason;
  };
  expect([await judge(), await judge('missing_scope')]).toEqual([true, 'insufficient_scope']);
});
