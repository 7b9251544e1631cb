import { type Meter, metrics, type Tracer } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { createTelemetry } from '../../../adapters/otel.ts';
import type { ServiceAuthEvent } from '../../../src/index.ts';
import { ISSUER, ORDERS } from '../issuer/harness.ts';
import { createSdk, createWorld } from './otel-support.ts';

const issuer = `issuer=${ISSUER}`;

describe('requests', () => {
  it('count by outcome, reason and cache', async () => {
    const { harness, verifier, values, verifierOf } = createWorld();
    const token = await harness.token(await harness.register());
    await verifier.verifyToken(token);
    await verifier.verifyToken(token);
    await verifier.verifyToken(token);
    await verifier.verifyToken(token, { policy: { scope: 'admin' } });
    await verifier.authenticate(new Request(ORDERS));
    harness.advance(3600);
    await verifier.verifyToken(token);
    const unreachable = verifierOf({ fetch: () => Promise.reject(new TypeError('fetch failed')) });
    await unreachable.verifyToken(await harness.token(await harness.register()));
    expect(await values('requests')).toEqual({
      [`cache=miss ${issuer} outcome=accepted`]: 1,
      [`cache=hit ${issuer} outcome=accepted`]: 2,
      [`error.type=insufficient_scope ${issuer} outcome=rejected`]: 1,
      'error.type=no_credentials outcome=rejected': 1,
      [`error.type=expired ${issuer} outcome=rejected`]: 1,
      [`error.type=keys_unavailable ${issuer} outcome=undecided`]: 1,
    });
  });

  it('are counters that never fall, however often they are read', async () => {
    const { harness, verifier, values } = createWorld();
    await verifier.verifyToken(await harness.token(await harness.register()));
    await values('requests');
    expect(await values('requests')).toEqual({ [`cache=miss ${issuer} outcome=accepted`]: 1 });
  });
});

describe('keys', () => {
  it('have an age, and are stale once a refresh fails beyond their time', async () => {
    const world = createWorld();
    const { harness, verifier, telemetry, values, recorded } = world;
    telemetry.watch(verifier);
    const service = await harness.register();
    await verifier.ready();
    harness.advance(30);
    expect(await values('keys.age')).toEqual({ [issuer]: 30 });
    expect(await values('keys.stale')).toEqual({ [issuer]: 0 });
    expect(await values('keys.failures')).toEqual({ [issuer]: 0 });
    harness.advance(3 * 3600);
    const token = await harness.token(service);
    world.down = true;
    expect((await verifier.verifyToken(token)).ok).toBe(true);
    expect(await values('keys.age')).toEqual({ [issuer]: 3 * 3600 + 30 });
    expect(await values('keys.stale')).toEqual({ [issuer]: 1 });
    expect(await values('keys.failures')).toEqual({ [issuer]: 1 });
    expect(await values('keys.stale_served')).toEqual({ [issuer]: 1 });
    expect(await recorded('keys.refresh.duration')).toEqual({
      [issuer]: { count: 1, sum: 0 },
      [`error.type=network_failed ${issuer}`]: { count: 1, sum: 0 },
    });
  });

  it('are not stale after an idle night, when nobody has asked for others yet', async () => {
    const { harness, verifier, telemetry, values } = createWorld();
    telemetry.watch(verifier);
    await verifier.ready();
    harness.advance(12 * 3600);
    expect(verifier.health().issuers[0]?.keys).toMatchObject({ stale: true, failures: 0 });
    expect(await values('keys.stale')).toEqual({ [issuer]: 0 });
  });

  it('unknown ones are counted, and never shown', async () => {
    const { harness, verifier, values, metrics: collect } = createWorld();
    const token = await harness.token(await harness.register());
    const [header = '', ...rest] = token.split('.');
    const { kid, ...others } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const forged = Buffer.from(JSON.stringify({ ...others, kid: `${kid}-canary` })).toString('base64url');
    await verifier.ready();
    await verifier.verifyToken([forged, ...rest].join('.'));
    await verifier.verifyToken([forged, ...rest].join('.'));
    expect(await values('keys.unknown_kid')).toEqual({
      [`${issuer} refetched=true`]: 1,
      [`${issuer} refetched=false`]: 1,
    });
    expect(JSON.stringify(await collect())).not.toContain('canary');
  });

  it('of several verifiers the oldest count, and none once it is no longer watched', async () => {
    const { harness, telemetry, verifierOf, values } = createWorld();
    const [older, newer] = [verifierOf(), verifierOf()];
    const stop = telemetry.watch(older);
    telemetry.watch(newer);
    await older.ready();
    harness.advance(10);
    await newer.ready();
    harness.advance(5);
    expect(await values('keys.age')).toEqual({ [issuer]: 15 });
    stop();
    expect(await values('keys.age')).toEqual({ [issuer]: 5 });
  });
});

describe('introspection', () => {
  it('is timed, by what came of it; the breaker and the cache are gauges', async () => {
    const world = createWorld();
    const { harness, telemetry, values, recorded, verifierOf, fetch } = world;
    const { clientId, clientSecret } = await harness.register({ serves: [ORDERS] });
    const opaque = await harness.register({ tokenFormat: 'opaque' });
    const clock = { slow: 0 };
    const verifier = verifierOf({
      issuer: { issuer: ISSUER, introspection: { clientId, clientSecret, retries: 0 } },
      async fetch(input, init) {
        harness.advance(clock.slow);
        return fetch(input, init);
      },
    });
    telemetry.watch(verifier);
    await verifier.ready();
    const token = await harness.token(opaque);
    clock.slow = 2;
    await verifier.verifyToken(token);
    await verifier.verifyToken(token);
    clock.slow = 0;
    await verifier.verifyToken('unknown-token');
    expect(await recorded('introspection.duration')).toEqual({
      [`active=true ${issuer}`]: { count: 1, sum: 2 },
      [`active=false ${issuer}`]: { count: 1, sum: 0 },
    });
    expect(await values('introspection.breaker_open')).toEqual({ [issuer]: 0 });
    expect(await values('token_cache.tokens')).toEqual({ '': 1 });
    world.down = true;
    for (let at = 0; at < 10; at++) await verifier.verifyToken(`token-${at}`);
    expect(await values('introspection.breaker_open')).toEqual({ [issuer]: 1 });
    const failed = await recorded('introspection.duration');
    expect(failed[`error.type=network_failed ${issuer}`]?.count).toBeGreaterThan(1);
  });
});

describe('tokens', () => {
  it('requests are timed by their outcome; refreshes say how early they were', async () => {
    const world = createWorld();
    const { harness, values, recorded, client } = world;
    const tokens = client(await harness.register());
    await tokens.getToken();
    harness.advance(900 - 50);
    await tokens.getToken();
    await expect
      .poll(() => recorded('token.refresh_lead'))
      .toEqual({
        'background=true': { count: 1, sum: 50 },
      });
    expect(await recorded('token_request.duration')).toEqual({
      'grant_type=client_credentials server.address=idp.example': { count: 2, sum: 0 },
    });
    expect(await values('token.refreshes')).toEqual({ 'background=false': 1, 'background=true': 1 });
    harness.advance(900 - 50);
    world.down = true;
    await tokens.getToken();
    await expect.poll(() => values('token.reused_stale')).toEqual({ '': 1 });
    expect(await values('token.refreshes')).toMatchObject({ 'error.type=network_failed': 1 });
    expect(await recorded('token_request.duration')).toMatchObject({
      'error.type=network_failed grant_type=client_credentials server.address=idp.example': { count: 1 },
    });
  });

  it('a refusal counts by the word of OAuth; one that a server made up does not become an attribute', async () => {
    const { harness, recorded, client } = createWorld();
    const { clientId } = await harness.register();
    await expect(client({ clientId, clientSecret: 'wrong' }).getToken()).rejects.toThrow();
    const odd = client(
      { clientId, clientSecret: 'wrong' },
      {
        tokenEndpoint: 'https://odd.example/token',
        fetch: async () => Response.json({ error: 'made_up_canary' }, { status: 400 }),
      },
    );
    await expect(odd.getToken()).rejects.toThrow();
    expect(Object.keys(await recorded('token_request.duration'))).toEqual([
      'error.type=invalid_client grant_type=client_credentials server.address=idp.example',
      'error.type=token_request_rejected grant_type=client_credentials server.address=odd.example',
    ]);
  });

  it('a failing shared store is counted', async () => {
    const { harness, values, client } = createWorld();
    const down = (): never => {
      throw new Error('down');
    };
    const store = { get: down, set: down, delete: down, lease: down };
    const storeKey = 'a key of more than thirty-two bytes!!';
    await client(await harness.register(), { store, storeKey }).getToken();
    expect(await values('token_store.failures')).toMatchObject({ 'operation=get': 1 });
  });
});

describe('proofs', () => {
  it('that come twice are counted', async () => {
    const { harness, verifier, values, client } = createWorld();
    const tokens = client(await harness.register(), { dpop: true });
    const { accessToken } = await tokens.getToken();
    const proof = await tokens.dpopProof({ method: 'GET', url: ORDERS, accessToken });
    const request = (): Request =>
      new Request(ORDERS, { headers: { authorization: `DPoP ${accessToken}`, dpop: proof } });
    expect((await verifier.authenticate(request())).ok).toBe(true);
    expect((await verifier.authenticate(request())).ok).toBe(false);
    expect(await values('dpop.replays')).toEqual({ [issuer]: 1 });
  });
});

describe('the issuer', () => {
  it('counts what it gave and whom it refused, and all other events by their type', async () => {
    const { harness, values } = createWorld();
    const service = await harness.register();
    const token = await harness.token(service);
    await harness.post('/token', { grant_type: 'client_credentials' }, { ...service, clientSecret: 'wrong' });
    await harness.post('/token', { grant_type: 'client_credentials', scope: 'unknown' }, service);
    await harness.post('/revoke', { token }, service);
    expect(await values('issuer.tokens')).toEqual({ 'grant_type=client_credentials': 1 });
    expect(await values('issuer.refusals')).toEqual({
      'endpoint=token error.type=invalid_client': 1,
      'endpoint=token error.type=invalid_scope': 1,
    });
    expect(await values('issuer.client_refusals')).toEqual({ 'error.type=wrong_secret presented=secret': 1 });
    expect(await values('events')).toMatchObject({
      'event=issuer.service_created': 1,
      'event=issuer.token_revoked': 1,
    });
  });
});

describe('how many series there are', () => {
  it('clients are not told apart unless that is asked for', async () => {
    const { harness, verifier, metrics: collect, spans } = createWorld();
    const service = await harness.register({ clientId: 'client-canary' });
    await verifier.verifyToken(await harness.token(service));
    expect(JSON.stringify(await collect())).not.toContain('canary');
    expect(JSON.stringify(spans.getFinishedSpans().map(({ attributes }) => attributes))).not.toContain(
      'canary',
    );
  });

  it('with a cap the first clients are named, all others are _OTHER', async () => {
    const { harness, verifier, values } = createWorld({ clientIds: 2 });
    for (const clientId of ['billing', 'stock', 'orders', 'mail']) {
      await verifier.verifyToken(await harness.token(await harness.register({ clientId })));
    }
    expect(await values('requests')).toEqual({
      [`cache=miss client_id=billing ${issuer} outcome=accepted`]: 1,
      [`cache=miss client_id=stock ${issuer} outcome=accepted`]: 1,
      [`cache=miss client_id=_OTHER ${issuer} outcome=accepted`]: 2,
    });
  });

  it('whatever a service calls, at most 100 places are told apart', async () => {
    const { telemetry, values } = createSdk();
    for (let at = 0; at < 1000; at++) {
      telemetry.onEvent({ type: 'retry', at: 0, reason: 'invalid_token', origin: `https://s${at}.example` });
    }
    const series = await values('call.retries');
    expect(Object.keys(series)).toHaveLength(101);
    expect(series['reason=invalid_token server.address=_OTHER']).toBe(900);
  });
});

it('nothing of a token, a secret, a proof or a key is in any attribute', async () => {
  const { harness, verifier, metrics: collect, spans, client } = createWorld({ clientIds: 10 });
  const service = await harness.register();
  const tokens = client(service, { dpop: true });
  const { accessToken } = await tokens.getToken();
  const proof = await tokens.dpopProof({ method: 'GET', url: ORDERS, accessToken });
  const headers = { authorization: `DPoP ${accessToken}`, dpop: proof };
  await verifier.authenticate(new Request(ORDERS, { headers }));
  await verifier.authenticate(new Request(ORDERS, { headers }));
  await verifier.verifyToken(`${accessToken}x`);
  await verifier.verifyToken('opaque-canary');
  await harness.post(
    '/token',
    { grant_type: 'client_credentials' },
    { ...service, clientSecret: 'wrong-canary' },
  );
  const [claims, proved] = [accessToken, proof].map((jwt) =>
    JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()),
  );
  const shown = JSON.stringify([
    await collect(),
    spans
      .getFinishedSpans()
      .map(({ name, attributes, events, status }) => [name, attributes, events, status]),
  ]);
  expect(shown).toContain(service.clientId);
  const parts = [...accessToken.split('.'), ...proof.split('.')];
  for (const secret of [...parts, claims.jti, proved.jti, claims.cnf.jkt, service.clientSecret, 'canary']) {
    expect(secret.length).toBeGreaterThan(5);
    expect(shown).not.toContain(secret);
  }
});

describe('telemetry that is broken', () => {
  const broken = (): never => {
    throw new Error('telemetry is broken');
  };

  it('breaks no request and keeps no event from the log', async () => {
    const instrument = { add: broken, record: broken, addCallback() {}, removeCallback() {} };
    const meter = new Proxy({} as Meter, { get: () => () => instrument });
    const tracer = { startSpan: broken, startActiveSpan: broken } as Tracer;
    const { harness, verifier, events, client } = createWorld({ meter, tracer });
    const { accessToken } = await client(await harness.register()).getToken();
    expect(await verifier.verifyToken(accessToken)).toMatchObject({ ok: true });
    const types = events.map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['keys.refreshed', 'token.requested', 'request.accepted']));
  });

  it('a listener after it may break as well', async () => {
    const { harness, verifier, values } = createWorld({ next: broken });
    expect(await verifier.verifyToken(await harness.token(await harness.register()))).toMatchObject({
      ok: true,
    });
    expect(await values('requests')).toEqual({ [`cache=miss ${issuer} outcome=accepted`]: 1 });
  });
});

describe('createTelemetry', () => {
  it('is harmless without an SDK', () => {
    const seen: ServiceAuthEvent[] = [];
    const telemetry = createTelemetry({ next: (event) => seen.push(event) });
    const event: ServiceAuthEvent = { type: 'token.reused_stale', at: 0, clientId: 'a', expiresAt: 1 };
    telemetry.onEvent(event);
    expect(seen).toEqual([event]);
  });

  it('takes the global meter', async () => {
    const { onEvent } = createTelemetry();
    expect(metrics.getMeter('service-auth')).toBeDefined();
    expect(() => onEvent({ type: 'token.reused_stale', at: 0, clientId: 'a', expiresAt: 1 })).not.toThrow();
  });

  it('goes without metrics or spans where that is said', async () => {
    const { harness, verifier, metrics: collect, spans } = createWorld({ meter: false, tracer: false });
    await verifier.verifyToken(await harness.token(await harness.register()));
    expect(await collect()).toEqual([]);
    expect(spans.getFinishedSpans()).toEqual([]);
  });

  it('shows nothing more once it is closed, and still hands events on', async () => {
    const { harness, verifier, telemetry, metrics: collect, spans, events } = createWorld();
    telemetry.watch(verifier);
    telemetry.close();
    await verifier.verifyToken(await harness.token(await harness.register()));
    expect((await collect()).flatMap(({ dataPoints }) => dataPoints as unknown[])).toEqual([]);
    expect(spans.getFinishedSpans()).toEqual([]);
    expect(events.map(({ type }) => type)).toContain('request.accepted');
  });

  it.each([
    ['meter', { meter: {} }],
    ['tracer', { tracer: 'yes' }],
    ['next', { next: 'log' }],
    ['clientIds', { clientIds: -1 }],
  ])('a wrong %s is a TypeError that names it', (option, options) => {
    // @ts-expect-error: what the types forbid
    expect(() => createTelemetry(options)).toThrow(new RegExp(`^createTelemetry: ${option} must be`));
  });

  it('an option that there is not is a TypeError', () => {
    // @ts-expect-error: what the types forbid
    expect(() => createTelemetry({ clientId: 5 })).toThrow(
      'createTelemetry: unknown option clientId; options are',
    );
  });

  it('watches only what has a health', () => {
    // @ts-expect-error: what the types forbid
    expect(() => createTelemetry().watch({})).toThrow('watch: verifier must be');
  });
});
