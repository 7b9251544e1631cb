import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthedFetch } from '../../../src/index.ts';
import { ISSUER, ORDERS, START_MS } from '../issuer/harness.ts';
import { createWorld, TestContextManager } from './otel-support.ts';

const parent = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.SAMPLED,
};
const inRequest = trace.setSpanContext(ROOT_CONTEXT, parent);

beforeEach(() => {
  context.setGlobalContextManager(new TestContextManager());
});
afterEach(() => {
  context.disable();
  propagation.disable();
});

const named = (spans: readonly ReadableSpan[], name: string): readonly ReadableSpan[] =>
  spans.filter((span) => span.name === `service_auth.${name}`);
const milliseconds = ([seconds, nanos]: readonly [number, number]): number => seconds * 1000 + nanos / 1e6;

describe('a protected request', () => {
  it('has a span where its token had to be verified, under the span of the request', async () => {
    const { harness, verifier, spans } = createWorld();
    const token = await harness.token(await harness.register());
    await verifier.ready();
    spans.reset();
    await context.with(inRequest, () => verifier.verifyToken(token));
    const [span, ...more] = spans.getFinishedSpans();
    expect(more).toEqual([]);
    expect(span).toMatchObject({
      name: 'service_auth.authenticate',
      kind: SpanKind.INTERNAL,
      parentSpanContext: { spanId: parent.spanId },
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        'service_auth.outcome': 'accepted',
        'service_auth.issuer': ISSUER,
        'service_auth.cache': 'miss',
      },
    });
    expect(span?.spanContext().traceId).toBe(parent.traceId);
    expect(milliseconds(span?.endTime ?? [0, 0])).toBeCloseTo(START_MS, 3);
    expect(milliseconds(span?.duration ?? [0, 0])).toBeGreaterThan(0);
  });

  it('has none where the token was known: that takes microseconds', async () => {
    const { harness, verifier, spans } = createWorld();
    const token = await harness.token(await harness.register());
    await verifier.verifyToken(token);
    spans.reset();
    await verifier.verifyToken(token);
    expect(spans.getFinishedSpans()).toEqual([]);
  });

  it('that was turned away says why, and is no failure of the service', async () => {
    const { harness, verifier, spans } = createWorld();
    const token = await harness.token(await harness.register());
    await verifier.verifyToken(token, { policy: { scope: 'admin' } });
    expect(named(spans.getFinishedSpans(), 'authenticate')).toMatchObject([
      {
        status: { code: SpanStatusCode.UNSET },
        attributes: {
          'service_auth.outcome': 'rejected',
          'service_auth.step': 'policy',
          'error.type': 'insufficient_scope',
          'http.response.status_code': 403,
        },
      },
    ]);
  });

  it('that could not be decided is a failure', async () => {
    const world = createWorld();
    const token = await world.harness.token(await world.harness.register());
    world.down = true;
    await world.verifier.verifyToken(token);
    expect(named(world.spans.getFinishedSpans(), 'authenticate')).toMatchObject([
      {
        status: { code: SpanStatusCode.ERROR },
        attributes: {
          'service_auth.outcome': 'undecided',
          'error.type': 'keys_unavailable',
          'http.response.status_code': 503,
        },
      },
    ]);
  });
});

describe('requests to the issuer', () => {
  it('have spans from their beginning to their end, with where they went', async () => {
    const { harness, fetch, client, spans } = createWorld();
    const service = await harness.register();
    const slow: typeof fetch = (input, init) => {
      if (String(input).endsWith('/token')) harness.advance(2);
      return fetch(input, init);
    };
    await context.with(inRequest, () => client(service, { fetch: slow }).getToken());
    const [span] = named(spans.getFinishedSpans(), 'token_request');
    expect(span).toMatchObject({
      kind: SpanKind.CLIENT,
      parentSpanContext: { spanId: parent.spanId },
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        'server.address': 'idp.example',
        'server.port': 443,
        'http.request.method': 'POST',
        'service_auth.grant_type': 'client_credentials',
      },
    });
    expect(Object.keys(span?.attributes ?? {})).not.toContain('error.type');
    expect(milliseconds(span?.startTime ?? [0, 0])).toBe(START_MS);
    expect(milliseconds(span?.endTime ?? [0, 0])).toBe(START_MS + 2000);
  });

  it('that failed have the word for it', async () => {
    const world = createWorld();
    const { harness, spans, client, verifierOf } = world;
    const { clientId } = await harness.register();
    await expect(client({ clientId, clientSecret: 'wrong' }).getToken()).rejects.toThrow();
    const verifier = verifierOf({
      issuer: { issuer: ISSUER, introspection: { clientId, clientSecret: 'wrong', retries: 0 } },
    });
    await verifier.ready();
    await verifier.verifyToken('opaque');
    world.down = true;
    await verifierOf()
      .ready()
      .catch(() => {});
    const failed = { code: SpanStatusCode.ERROR };
    expect(named(spans.getFinishedSpans(), 'token_request')).toMatchObject([
      { status: failed, attributes: { 'error.type': 'invalid_client', 'http.response.status_code': 401 } },
    ]);
    expect(named(spans.getFinishedSpans(), 'introspection')).toMatchObject([
      { kind: SpanKind.CLIENT, status: failed, attributes: { 'server.address': 'idp.example' } },
    ]);
    expect(named(spans.getFinishedSpans(), 'keys_refresh')).toMatchObject([
      {
        attributes: { 'http.request.method': 'GET', 'server.address': 'idp.example', 'service_auth.keys': 1 },
      },
      { status: failed, attributes: { 'error.type': 'network_failed', 'service_auth.issuer': ISSUER } },
    ]);
  });

  it('a clock that is set back meanwhile makes no span that ends before it begins', () => {
    const { telemetry, spans } = createWorld();
    telemetry.onEvent({
      type: 'keys.refreshed',
      at: START_MS,
      issuer: ISSUER,
      keys: 1,
      ignored: 0,
      jwksUri: `${ISSUER}/jwks`,
      durationMs: -5000,
    });
    const [span] = spans.getFinishedSpans();
    expect(milliseconds(span?.startTime ?? [0, 0])).toBe(START_MS);
    expect(milliseconds(span?.duration ?? [0, 0])).toBe(0);
  });
});

describe('the trace of the caller', () => {
  const traceparent = `00-${parent.traceId}-${parent.spanId}-01`;

  /** A service that refuses the first token that comes; what stands in the requests is remembered. */
  function createService() {
    const world = createWorld();
    const calls: { traceparent: string | null; active: string | undefined }[] = [];
    let refusals = 1;
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const request = new Request(input, init);
      if (!request.url.startsWith(ORDERS)) return world.fetch(request);
      const active = trace.getSpanContext(context.active())?.traceId;
      calls.push({ traceparent: request.headers.get('traceparent'), active });
      if (refusals-- > 0) {
        const headers = { 'www-authenticate': 'Bearer error="invalid_token"' };
        return new Response(null, { status: 401, headers });
      }
      return new Response('ok');
    };
    return { ...world, calls, fetch };
  }

  it.each([false, true])('goes along with every attempt, with DPoP %s', async (dpop) => {
    const { harness, fetch, calls, telemetry } = createService();
    const authedFetch = createAuthedFetch({
      issuer: ISSUER,
      ...(await harness.register()),
      resource: ORDERS,
      dpop,
      fetch,
      now: () => harness.nowSeconds() * 1000,
      onEvent: telemetry.onEvent,
    });
    const headers = { traceparent };
    const response = await context.with(inRequest, () => authedFetch(`${ORDERS}/1`, { headers }));
    expect(response.status).toBe(200);
    expect(calls).toEqual([
      { traceparent, active: parent.traceId },
      { traceparent, active: parent.traceId },
    ]);
  });

  it('is each caller’s own, although they wait for the same token', async () => {
    const { harness, fetch, calls, spans, telemetry } = createService();
    const authedFetch = createAuthedFetch({
      issuer: ISSUER,
      ...(await harness.register()),
      resource: ORDERS,
      fetch,
      now: () => harness.nowSeconds() * 1000,
      onEvent: telemetry.onEvent,
    });
    const traces = ['1', '2', '3'].map((digit) => digit.repeat(32));
    await Promise.all(
      traces.map((traceId) =>
        context.with(trace.setSpanContext(ROOT_CONTEXT, { ...parent, traceId }), () =>
          authedFetch(`${ORDERS}/${traceId}`),
        ),
      ),
    );
    expect(new Set(calls.map(({ active }) => active))).toEqual(new Set(traces));
    const requests = named(spans.getFinishedSpans(), 'token_request');
    expect(requests[0]?.spanContext().traceId).toBe(traces[0]);
  });
});
