/** What a call meets, by the token in memory, the time and the endpoint: row by row as docs/outbound-states.md says. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type AuthedFetch,
  createAuthedFetch,
  isServiceAuthError,
  type ServiceAuthEvent,
} from '../../src/index.ts';
import { nowMs } from '../helpers/tokens.ts';
import { type BehaviourName, behaviours, startTokenServer, type TokenServer } from './token-server.ts';

let server: TokenServer;
beforeAll(async () => {
  server = await startTokenServer();
});
afterAll(() => server.close());

const SECOND = 1000;
/** Times in the life of a token of ten minutes, with the windows as they are by default. */
const times = { fresh: 100 * SECOND, window: 570 * SECOND, last: 599.5 * SECOND, expired: 600 * SECOND };

class Scenario {
  time = nowMs;
  readonly events: ServiceAuthEvent[] = [];
  readonly call: AuthedFetch;

  constructor() {
    server.now = () => this.time;
    this.call = createAuthedFetch({
      tokenEndpoint: `${server.origin}/token`,
      clientId: 'billing',
      clientSecret: 'secret',
      targets: [server.origin],
      timeoutMs: 2000,
      now: () => this.time,
      random: () => 0.5,
      onEvent: (event) => this.events.push(event),
    });
  }

  /** Which token the call was sent with, or why it was not. */
  async ask(): Promise<string> {
    try {
      const response = await this.call(`${server.origin}/service`);
      return (await response.text()).replace('Bearer ', '');
    } catch (error) {
      if (isServiceAuthError(error)) return error.code;
      throw error;
    }
  }

  /** As `ask`, where the endpoint may never answer: its deadline passes, and the time with it. */
  async askAcrossDeadline(): Promise<string> {
    const before = server.requests;
    return this.#acrossDeadline(this.ask(), () => server.requests > before);
  }

  /** Waits until the refresh in the background is over. */
  async settle(): Promise<void> {
    const isOver = (): boolean => this.events.some(({ type }) => /^token\.refresh/.test(type));
    if (server.behaviour !== 'never answers') return expect.poll(isOver, { interval: 1 }).toBe(true);
    const over = new Promise<void>((resolve) => {
      const look = (): void => void (isOver() ? resolve() : setImmediate(look));
      look();
    });
    await this.#acrossDeadline(over, () => true);
  }

  async #acrossDeadline<T>(work: Promise<T>, isHanging: () => boolean): Promise<T> {
    let settled = false;
    void work.finally(() => {
      settled = true;
    });
    while (!settled) {
      await new Promise((resolve) => setImmediate(resolve));
      if (settled || !isHanging()) continue;
      this.time += 500;
      await vi.advanceTimersByTimeAsync(500);
    }
    return work;
  }
}

interface Measured {
  /** Without a token in memory. */
  readonly none: string;
  /** What 100 more calls cost the endpoint, one each 100 ms, or as soon as the one before is over. */
  readonly calls: number;
  readonly fresh: string;
  readonly window: string;
  readonly last: string;
  readonly expired: string;
  /** The answer two minutes after the endpoint was mended. */
  readonly mended: string;
}

async function measure(behaviour: BehaviourName): Promise<Measured> {
  const hangs = behaviour === 'never answers';
  const ask = (scenario: Scenario): Promise<string> =>
    hangs ? scenario.askAcrossDeadline() : scenario.ask();
  server.behaviour = behaviour;
  const cold = new Scenario();
  const first = await ask(cold);
  const before = server.requests;
  for (let call = 0; call < 100; call++) {
    cold.time += 100;
    await ask(cold);
  }
  const calls = server.requests - before;
  const none = named(first, undefined);

  const at = async (age: number, isAsked = age === times.window): Promise<string> => {
    server.behaviour = 'answers well';
    const warm = new Scenario();
    const old = await warm.ask();
    warm.time += age;
    warm.events.length = 0;
    server.behaviour = behaviour;
    const outcome = named(await ask(warm), old);
    if (isAsked) await warm.settle();
    return `${outcome}${eventsOf(warm.events)}`;
  };
  const fresh = await at(times.fresh);
  const window = await at(times.window);
  const last = await at(times.last);
  const expired = await at(times.expired);
  server.behaviour = 'answers well';
  cold.time += 120 * SECOND;
  const mended = named(await cold.ask(), undefined);
  return { none, calls, fresh, window, last, expired, mended };
}

function named(outcome: string, old: string | undefined): string {
  if (outcome === old) return 'old';
  return /^token-\d+$/.test(outcome) ? 'new' : outcome;
}

/** Those that say how a refresh went, in short. */
function eventsOf(events: readonly ServiceAuthEvent[]): string {
  const names = events.flatMap(({ type }) => {
    if (type === 'token.refreshed') return ['refreshed'];
    if (type === 'token.refresh_failed') return ['failed'];
    return type === 'token.reused_stale' ? ['reused'] : [];
  });
  return names.length === 0 ? '' : `; ${names.join(', ')}`;
}

/** The rows of the table in the documentation. */
function documented(): ReadonlyMap<string, string> {
  const lines = readFileSync(new URL('../../docs/outbound-states.md', import.meta.url), 'utf8').split('\n');
  const rows = lines.filter((line) => line.startsWith('| ') && !/^\| (Endpoint|---) /.test(line));
  return new Map(rows.map((line) => [line.split('|')[1]?.trim() ?? '', line]));
}

const names = Object.keys(behaviours) as BehaviourName[];

describe('the token endpoint', () => {
  const rows = documented();

  it('has a row for each behaviour, and a behaviour for each row', () => {
    expect([...rows.keys()]).toEqual(names);
  });

  it.each(names)('%s', async (name) => {
    if (name === 'never answers') vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { none, calls, fresh, window, last, expired, mended } = await measure(name);
      // Whatever the endpoint does: a fresh token is sent without a word, an expired one never.
      expect(fresh).toBe('old');
      expect(window).toMatch(/^old; (refreshed|failed, reused)$/);
      expect(expired).not.toMatch(/^old/);
      expect(mended).toBe('new');
      expect(`| ${[name, none, calls, fresh, window, last, expired, mended].join(' | ')} |`).toBe(
        rows.get(name),
      );
    } finally {
      vi.useRealTimers();
    }
  });
});
