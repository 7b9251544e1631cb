import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { createVerifier, logEvents, type ServiceAuthEvent } from '../../../src/index.ts';

const at = Date.UTC(2026, 0, 1);
const accepted: ServiceAuthEvent = {
  type: 'request.accepted',
  at,
  issuer: 'https://idp.example',
  clientId: 'billing',
  cached: true,
  durationMs: undefined,
};
const refreshed: ServiceAuthEvent = {
  type: 'status_list.refreshed',
  at,
  uri: 'https://idp.example/list',
  statuses: 8,
  durationMs: 3,
};
const replayed: ServiceAuthEvent = {
  type: 'dpop.replay',
  at,
  issuer: 'https://idp.example',
  clientId: 'billing',
  jkt: 'a-thumbprint',
};
const stale: ServiceAuthEvent = { type: 'keys.stale', at, issuer: 'https://idp.example', ageMs: 5 };
const all = [accepted, refreshed, replayed, stale];

function createLogger() {
  const lines: [level: string, members: object, text: string][] = [];
  const at = (level: string) => (members: object, text: string) => lines.push([level, members, text]);
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}

it('fits pino: the type is the message, the members stand beside it', () => {
  const lines: string[] = [];
  const log = logEvents(pino({ base: null }, { write: (line) => void lines.push(line) }));
  for (const event of all) log(event);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 30, msg: 'status_list.refreshed', statuses: 8 },
    { level: 40, msg: 'dpop.replay', clientId: 'billing' },
    { level: 50, msg: 'keys.stale', ageMs: 5 },
  ]);
});

it('fits console and whatever has its methods', () => {
  expect(() => logEvents(console)).not.toThrow();
  const { lines, logger } = createLogger();
  const log = logEvents(logger, { level: 'debug' });
  for (const event of all) log(event);
  expect(lines.map(([level, , text]) => [level, text])).toEqual([
    ['debug', 'request.accepted'],
    ['info', 'status_list.refreshed'],
    ['warn', 'dpop.replay'],
    ['error', 'keys.stale'],
  ]);
  expect(lines[3]?.[1]).toEqual({ at, issuer: 'https://idp.example', ageMs: 5 });
});

it('fits a function of level, text and members', () => {
  const calls: unknown[] = [];
  logEvents((...args) => calls.push(args))(stale);
  expect(calls).toEqual([['error', 'keys.stale', { at, issuer: 'https://idp.example', ageMs: 5 }]]);
});

it('calls the methods on their logger', () => {
  class Logger {
    readonly texts: string[] = [];
    debug(_: object, text: string): void {
      this.texts.push(text);
    }
    info(_: object, text: string): void {
      this.texts.push(text);
    }
    warn(_: object, text: string): void {
      this.texts.push(text);
    }
    error(_: object, text: string): void {
      this.texts.push(text);
    }
  }
  const logger = new Logger();
  logEvents(logger)(stale);
  expect(logger.texts).toEqual(['keys.stale']);
});

it('a flood becomes so many lines a second, and a number', () => {
  const { lines, logger } = createLogger();
  const log = logEvents(logger, { maxPerSecond: 2 });
  for (let count = 0; count < 100; count++) log(replayed);
  log({ ...stale, at: at + 1000 });
  expect(lines.map(([level, , text]) => [level, text])).toEqual([
    ['warn', 'dpop.replay'],
    ['warn', 'dpop.replay'],
    ['warn', 'log.left_out'],
    ['error', 'keys.stale'],
  ]);
  expect(lines[2]?.[1]).toEqual({ at: at + 1000, of: 'dpop.replay', count: 98 });
});

it('a logger that throws breaks no request', async () => {
  const broken = (): never => {
    throw new Error('the log is full');
  };
  const verifier = createVerifier({
    issuer: { issuer: 'https://idp.example', secret: 'a secret that is long enough for HS256' },
    audience: 'https://orders.example',
    onEvent: logEvents(broken, { level: 'debug' }),
  });
  expect(await verifier.verifyToken('no.token.')).toMatchObject({ ok: false });
});

describe('mistakes', () => {
  it.each([
    ['logger', undefined, {}],
    ['logger', { info() {} }, {}],
    ['level', console, { level: 'loud' }],
    ['maxPerSecond', console, { maxPerSecond: 0 }],
  ])('a wrong %s is a TypeError', (option, logger, options) => {
    // @ts-expect-error: what the types forbid
    expect(() => logEvents(logger, options)).toThrow(`logEvents: ${option} must be`);
  });
});

it('whoever tries secrets at an issuer fills no log', () => {
  const { lines, logger } = createLogger();
  const log = logEvents(logger, { maxPerSecond: 3 });
  const refused: ServiceAuthEvent = {
    type: 'issuer.client_refused',
    at,
    clientId: 'billing',
    presented: 'secret',
    reason: 'wrong_secret',
  };
  for (let count = 0; count < 100; count++) log({ ...refused });
  expect(lines.map(([level, , text]) => [level, text])).toEqual(
    Array.from({ length: 3 }, () => ['warn', 'issuer.client_refused']),
  );
});
