/** What the documents, the dashboard and the alerts say of metrics is what the real exporter shows. */
import { readFileSync } from 'node:fs';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { DataPointType, MeterProvider, type MetricData } from '@opentelemetry/sdk-metrics';
import { beforeAll, describe, expect, it } from 'vitest';
import { createTelemetry } from '../../../adapters/otel.ts';
import type { ServiceAuthEvent } from '../../../src/index.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

const issuer = 'https://idp.example';
const at = 1000;
const took = { issuer, jwksUri: `${issuer}/jwks`, durationMs: 5, at };
const failed = { code: 'timeout', message: 'late', retryInMs: 1000 };
const asked = {
  type: 'token.requested',
  clientId: 'billing',
  tokenEndpoint: `${issuer}/token`,
  grantType: 'client_credentials',
  durationMs: 5,
  at,
} as const;

/** What moves every metric with every attribute that it has. */
const events: readonly ServiceAuthEvent[] = [
  { type: 'request.accepted', issuer, clientId: 'billing', cached: true, durationMs: undefined, at },
  {
    type: 'request.rejected',
    reason: 'expired',
    status: 401,
    step: 'claims',
    expected: undefined,
    actual: undefined,
    hint: undefined,
    issuer,
    clientId: 'billing',
    durationMs: 1,
    at,
  },
  { type: 'keys.refreshed', keys: 1, ignored: 0, ...took },
  { type: 'keys.refresh_failed', ...failed, ...took },
  { type: 'keys.stale', issuer, ageMs: 1, at },
  { type: 'keys.unknown_kid', issuer, kid: 'k', refetched: true, at },
  { type: 'introspection.call', issuer, endpoint: issuer, durationMs: 5, active: true, attempts: 1, at },
  {
    type: 'introspection.failed',
    issuer,
    endpoint: issuer,
    durationMs: 5,
    code: 'timeout',
    message: 'late',
    breakerOpen: false,
    at,
  },
  { type: 'dpop.replay', issuer, clientId: 'billing', jkt: 'thumbprint', at },
  { type: 'status_list.refreshed', uri: `${issuer}/list`, statuses: 8, durationMs: 5, at },
  { type: 'status_list.refresh_failed', uri: `${issuer}/list`, ...failed, durationMs: 5, at },
  { ...asked, code: undefined, status: undefined, oauthError: undefined },
  { ...asked, code: 'token_request_rejected', status: 400, oauthError: 'invalid_scope' },
  { type: 'token.refreshed', clientId: 'billing', scope: 'a', expiresAt: 1, background: true, leadMs: 9, at },
  {
    type: 'token.refresh_failed',
    clientId: 'billing',
    code: 'timeout',
    status: undefined,
    oauthError: undefined,
    message: 'late',
    at,
  },
  { type: 'token.reused_stale', clientId: 'billing', expiresAt: 1, at },
  { type: 'token.store_failed', operation: 'get', at },
  { type: 'retry', reason: 'invalid_token', origin: 'https://orders.example', at },
  { type: 'retry.refused', reason: 'body_not_replayable', origin: 'https://orders.example', at },
  {
    type: 'issuer.token_issued',
    clientId: 'billing',
    grantType: 'client_credentials',
    scope: 'a',
    audience: [],
    tokenId: 'id',
    expiresAt: 1,
    at,
  },
  {
    type: 'issuer.request_refused',
    endpoint: 'token',
    error: 'invalid_scope',
    description: 'no',
    clientId: 'billing',
    at,
  },
  { type: 'issuer.client_refused', clientId: 'billing', presented: 'secret', reason: 'wrong_secret', at },
  { type: 'issuer.limited', limit: 'client', endpoint: 'token', clientId: 'billing', address: undefined, at },
  { type: 'issuer.request_failed', method: 'POST', path: '/token', errorName: 'Error', at },
  { type: 'issuer.service_created', clientId: 'billing', at },
];

const exporter = new PrometheusExporter({ preventServerStart: true });
let metrics: readonly MetricData[];
let scraped: string;

beforeAll(async () => {
  const meter = new MeterProvider({ readers: [exporter] }).getMeter('service-auth');
  const telemetry = createTelemetry({ meter, tracer: false, clientIds: 10 });
  for (const event of events) telemetry.onEvent(event);
  const keys = {
    loaded: true,
    ageMs: 1,
    stale: false,
    failures: 0,
    retryAt: undefined,
    lastError: undefined,
  };
  const introspection = { state: 'closed', failures: 0, retryAt: undefined } as const;
  telemetry.watch({ health: () => ({ issuers: [{ issuer, keys, introspection }], cachedTokens: 1 }) });
  const { resourceMetrics } = await exporter.collect();
  metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  scraped = new PrometheusSerializer().serialize(resourceMetrics);
});

const kinds = { [DataPointType.SUM]: 'counter', [DataPointType.GAUGE]: 'gauge' };

it('the table of metrics names all of them, with type, unit and attributes', () => {
  const [, section = ''] = read('docs/observability.md').split(/^## Metrics$/m);
  const rows = [...section.matchAll(/^\| `([\w.]+)` \| (\w+) \| (.+?) \| (.*?) \| .+ \|$/gm)].map(
    ([, name, type, unit, attributes = '']) => ({
      name,
      type,
      unit,
      attributes: [...attributes.matchAll(/`([\w.]+)`/g)].map(([, attribute]) => attribute).sort(),
    }),
  );
  const shown = metrics.map(({ descriptor, dataPointType, dataPoints }) => ({
    name: descriptor.name,
    type: kinds[dataPointType as keyof typeof kinds] ?? 'histogram',
    unit: descriptor.unit,
    attributes: [...new Set(dataPoints.flatMap(({ attributes }) => Object.keys(attributes)))].sort(),
  }));
  const byName = (one: { name?: string | undefined }, other: { name?: string | undefined }): number =>
    (one.name ?? '').localeCompare(other.name ?? '');
  expect(shown.length).toBeGreaterThan(20);
  expect(rows.sort(byName)).toEqual(shown.sort(byName));
});

/** The metrics of an expression with the labels that it names, `le` and those that Prometheus adds left out. */
function namesIn(text: string): { metrics: readonly string[]; labels: readonly string[] } {
  const found = text.match(/\bservice_auth_\w+/g) ?? [];
  const isMetric = (name: string): boolean => scraped.includes(`\n${name}{`);
  const selected = [...text.matchAll(/\b(service_auth_\w+|error_type|server_\w+)\s*(?:=|!=|=~|!~|[,)])/g)];
  return {
    metrics: found.filter(isMetric),
    labels: [...found, ...selected.map(([, label = '']) => label)].filter((name) => !isMetric(name)),
  };
}

const labels = (): ReadonlySet<string> =>
  new Set([...scraped.matchAll(/[{,](\w+)="/g)].map(([, label = '']) => label));

/** Values that labels are compared with are words of events; says how many there are. Those of Grafana are its own. */
function expectKnownValues(expressions: readonly string[]): number {
  const words = new Set(
    [...read('src/events.ts').matchAll(/'(?:request\.)?(\w+)'/g)].map(([, word = '']) => word),
  );
  const compared = expressions.flatMap((expression) => [
    ...expression.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([^"$]+)"/g),
  ]);
  for (const [text, label = '', value = ''] of compared) {
    for (const one of value.split('|')) {
      const isKnown = words.has(one) || scraped.includes(`${label}="${one}"`);
      expect([text, one, isKnown]).toEqual([text, one, true]);
    }
  }
  return compared.length;
}

describe('the dashboard', () => {
  const { panels } = JSON.parse(read('examples/observability/grafana-dashboard.json')) as {
    panels: { id: number; targets?: { expr: string; legendFormat: string }[] }[];
  };
  const targets = panels.flatMap(({ targets = [] }) => targets);

  it('has a panel for every metric', () => {
    const shown = new Set(
      targets
        .flatMap(({ expr }) => namesIn(expr).metrics)
        .map((name) => name.replace(/_(bucket|count)$/, '')),
    );
    const names = [...scraped.matchAll(/^# TYPE (service_auth_\w+) /gm)].map(([, name = '']) => name);
    expect(names).toHaveLength(metrics.length);
    expect(names.filter((name) => !shown.has(name))).toEqual([]);
  });

  it('asks for nothing that there is not', () => {
    for (const { expr, legendFormat } of targets) {
      expect(namesIn(expr).metrics.length, expr).toBeGreaterThan(0);
      const legend = [...legendFormat.matchAll(/{{(\w+)}}/g)].map(([, label = '']) => label);
      for (const label of [...namesIn(expr).labels, ...legend]) {
        if (label !== 'instance') expect(labels(), expr).toContain(label);
      }
    }
  });

  it('compares with values that labels can have', () => {
    expect(expectKnownValues(targets.map(({ expr }) => expr))).toBeGreaterThan(0);
  });

  it('gives each panel an id of its own', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});

describe('alerts', () => {
  const rules = read('examples/observability/alerts.yml').split('- alert: ').slice(1);
  const expressionOf = (rule: string): string =>
    /expr: ([\s\S]*?)\n {8}(?:for|labels):/.exec(rule)?.[1] ?? '';

  it('ask for nothing that there is not', () => {
    expect(rules.length).toBeGreaterThan(8);
    for (const rule of rules) {
      const { metrics, labels: named } = namesIn(expressionOf(rule));
      expect(metrics.length, rule).toBeGreaterThan(0);
      for (const label of named) expect(labels(), rule).toContain(label);
    }
  });

  it('compare with values that labels can have', () => {
    expect(expectKnownValues(rules.map(expressionOf))).toBeGreaterThan(4);
  });

  it('notice the first of what never happened before, whose series has no value to grow from', () => {
    for (const rule of rules.filter((one) => expressionOf(one).includes('increase('))) {
      const [, metric = ''] = /increase\((\w+)\[10m\]\)/.exec(rule) ?? [];
      // In this order: `or` takes from the second what the first has not, and no increase is one of zero.
      expect(rule.replaceAll(/\s+/g, ' ')).toContain(
        `(${metric} unless ${metric} offset 10m) or increase(${metric}[10m])`,
      );
    }
    expect(rules.filter((rule) => rule.includes('increase(')).length).toBeGreaterThan(0);
  });

  it('about the age of keys are about issuers that cannot be asked, not about services that nobody asks', () => {
    for (const rule of rules.filter((one) => expressionOf(one).includes('service_auth_keys_age'))) {
      expect(expressionOf(rule)).toMatch(
        /and\s+max by \(job, service_auth_issuer\) \(service_auth_keys_failures\) > 0/,
      );
    }
  });
});
