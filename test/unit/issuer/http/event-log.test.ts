import { describe, expect, it } from 'vitest';
import type { ServiceAuthEvent } from '../../../../src/index.ts';
import { createEventLog, type EventLogOptions } from '../../../../src/issuer/index.ts';
import { createHarness } from '../harness.ts';

const AT = Date.UTC(2026, 0, 1);
const refused = (at: number): ServiceAuthEvent => ({
  type: 'issuer.request_refused',
  at,
  endpoint: 'token',
  error: 'invalid_client',
  description: 'wrong',
  clientId: undefined,
});
const created = (at: number): ServiceAuthEvent => ({
  type: 'issuer.service_created',
  at,
  clientId: 'billing',
});
const failed = (at: number): ServiceAuthEvent => ({
  type: 'issuer.request_failed',
  at,
  method: 'POST',
  path: '/token',
  errorName: 'Error',
});

function createTestLog(options: EventLogOptions = {}) {
  const texts: string[] = [];
  const log = createEventLog({ write: (line) => texts.push(line), ...options });
  return { log, texts, lines: () => texts.map((text) => JSON.parse(text)) };
}

describe('a line', () => {
  it('has time, level, event and what the event holds', () => {
    const { log, texts } = createTestLog();
    log(created(AT));
    expect(texts).toEqual([
      '{"time":"2026-01-01T00:00:00.000Z","level":"info","event":"issuer.service_created","clientId":"billing"}',
    ]);
  });

  it('stays one line, whatever stands in it', () => {
    const { log, texts } = createTestLog();
    log({ ...failed(AT), path: '/a\r\n{"level":"info"}\u2028' } as ServiceAuthEvent);
    expect(texts.join('')).not.toMatch(/[\r\n]/);
    expect(JSON.parse(texts[0] ?? '').path).toBe('/a\r\n{"level":"info"}\u2028');
  });
});

describe('levels', () => {
  it.each([
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
    ['debug', ['info', 'warn', 'error']],
  ] as const)('from %s on', (level, expected) => {
    const { log, lines } = createTestLog({ level });
    for (const event of [created(AT), refused(AT), failed(AT)]) log(event);
    expect(lines().map((line) => line.level)).toEqual(expected);
  });

  it('issued tokens are for debugging', async () => {
    const quiet = createTestLog();
    const loud = createTestLog({ level: 'debug' });
    const harness = createHarness({
      onEvent: (event) => [quiet, loud].map(({ log }) => log(event)),
    });
    await harness.token(await harness.register());
    expect(quiet.lines().map(({ event }) => event)).not.toContain('issuer.token_issued');
    expect(loud.lines()).toContainEqual(
      expect.objectContaining({ level: 'debug', event: 'issuer.token_issued' }),
    );
  });

  it.each([
    ['level', { level: 'loud' }],
    ['write', { write: 'stdout' }],
    ['maxPerSecond', { maxPerSecond: 0 }],
  ])('a wrong %s is a TypeError', (option, options) => {
    // @ts-expect-error: what the types forbid
    expect(() => createEventLog(options)).toThrow(`createEventLog: ${option} must be`);
  });
});

describe('a flood of refusals', () => {
  it('writes so many lines in a second, and how many it left out', () => {
    const { log, lines } = createTestLog({ maxPerSecond: 3 });
    for (let at = 0; at < 1000; at++) log(refused(AT + (at % 1000)));
    expect(lines()).toHaveLength(3);
    log(refused(AT + 1000));
    expect(lines().slice(3)).toMatchObject([
      { event: 'log.left_out', level: 'warn', of: 'issuer.request_refused', count: 997 },
      { event: 'issuer.request_refused' },
    ]);
  });

  it('hides neither failures nor changes', () => {
    const { log, lines } = createTestLog({ maxPerSecond: 1 });
    for (const event of [refused(AT), refused(AT), failed(AT), created(AT), created(AT)]) log(event);
    expect(lines().map(({ level }) => level)).toEqual(['warn', 'error', 'info', 'info']);
  });
});

describe('threat 27: the log of a whole life', () => {
  it('holds no secret, no token and no credentials', async () => {
    const { log, texts } = createTestLog({ level: 'debug' });
    const harness = createHarness({ onEvent: log, limits: { client: { requests: 3, windowSeconds: 60 } } });
    const service = await harness.register();
    const token = await harness.token(service);
    const wrong = { ...service, clientSecret: 'a wrong secret that is said by mistake' };
    await harness.post('/token', { grant_type: 'client_credentials' }, wrong);
    await harness.post('/token', { grant_type: 'client_credentials', scope: 'not granted' }, service);
    await harness.post('/revoke', { token }, service);
    for (let at = 0; at < 3; at++)
      await harness.post('/token', { grant_type: 'client_credentials' }, service);
    expect(texts.length).toBeGreaterThan(5);
    const all = texts.join('\n');
    for (const secret of [service.clientSecret, wrong.clientSecret, token, token.split('.')[2] ?? token]) {
      expect(all).not.toContain(secret);
    }
  });
});
