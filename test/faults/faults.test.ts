/** Each end of the issuer, failing in each way: the answers are those of docs/faults.md, row by row. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createVerifier, type Verifier } from '../../src/index.ts';
import { audience, createKey, mint, nowMs, nowSeconds } from '../helpers/tokens.ts';
import {
  type End,
  ends,
  type FaultName,
  type FaultServer,
  faults,
  startFaultServer,
} from './fault-server.ts';

const key = await createKey('ES256');
let server: FaultServer;
beforeAll(async () => {
  server = await startFaultServer(key);
});
afterAll(() => server.close());

const HOUR = 3_600_000;

class Scenario {
  time = nowMs;
  readonly verifier: Verifier;
  readonly #end: End;
  #made = 0;

  constructor(end: End) {
    this.#end = end;
    this.verifier = createVerifier({
      issuer: {
        issuer: server.url,
        statusList: true,
        introspection: { clientId: 'orders', clientSecret: 'secret', timeoutMs: 2000, retries: 0 },
      },
      audience,
      now: () => this.time,
    });
  }

  /** A token that nobody has seen yet. */
  newToken(): Promise<string> {
    this.#made++;
    if (this.#end === 'introspection') return Promise.resolve(`opaque-${this.#made}-${Math.random()}`);
    const status =
      this.#end === 'status list' ? { status_list: { idx: 0, uri: `${server.url}/status/1` } } : undefined;
    return mint(key, { iss: server.url, exp: nowSeconds + 86_400, jti: `${this.#made}`, status });
  }

  async ask(token: string): Promise<number> {
    const headers = new Headers({ authorization: `Bearer ${token}` });
    const outcome = await this.verifier.authenticate({ method: 'GET', url: '/', headers });
    return outcome.ok ? 200 : outcome.rejection.status;
  }

  /** As `ask`, where the end may never answer: its deadline passes without anybody waiting for it. */
  async askAcrossDeadline(token: string): Promise<number> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const before = server.requests.length;
      const answer = this.ask(token);
      let settled = false;
      void answer.finally(() => {
        settled = true;
      });
      while (!settled) {
        await new Promise((resolve) => setImmediate(resolve));
        if (server.requests.length > before) await vi.advanceTimersByTimeAsync(1000);
      }
      return await answer;
    } finally {
      vi.useRealTimers();
    }
  }
}

interface Measured {
  /** The answer where the end failed from the start. */
  readonly cold: number;
  /** What 100 more requests with new tokens, one after the other, cost the failing end. */
  readonly calls: number;
  /** The answer to a token that was accepted before, after the fault began. */
  readonly known: number;
  /** The answer to a new token where the end was well before, hours into the fault. */
  readonly later: number;
  /** The answer one minute after the end was mended. */
  readonly mended: number;
}

async function measure(end: End, fault: FaultName): Promise<Measured> {
  const hangs = fault === 'never answers';
  server.fail(end, fault);
  const ask = async (scenario: Scenario): Promise<number> => {
    const token = await scenario.newToken();
    return hangs ? scenario.askAcrossDeadline(token) : scenario.ask(token);
  };
  const cold = new Scenario(end);
  const first = await ask(cold);
  const callsBefore = callsTo(end);
  for (let request = 0; request < 100; request++) await ask(cold);
  const calls = callsTo(end) - callsBefore;

  server.fail(undefined);
  const warm = new Scenario(end);
  const token = await warm.newToken();
  expect(await warm.ask(token)).toBe(200);
  server.fail(end, fault);
  const known = await warm.ask(token);
  warm.time += 6 * HOUR;
  const later = await ask(warm);
  server.fail(undefined);
  warm.time += 60_000;
  await warm.ask(await warm.newToken());
  warm.time += 60_000;
  const mended = await warm.ask(await warm.newToken());
  return { cold: first, calls, known, later, mended };
}

function callsTo(end: End): number {
  return server.requests.filter((asked) => asked === end).length;
}

/** The rows of the table in the documentation. */
function documented(): ReadonlyMap<string, string> {
  const text = readFileSync(new URL('../../docs/faults.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !/^\| (End|---) /.test(line));
  return new Map(
    rows.map((line) => [
      line
        .split('|', 3)
        .slice(1)
        .map((cell) => cell.trim())
        .join(': '),
      line,
    ]),
  );
}

const cases = ends.flatMap((end) => (Object.keys(faults) as FaultName[]).map((fault) => ({ end, fault })));

describe('faults of the issuer', () => {
  const rows = documented();

  it('are all documented', () => {
    expect([...rows.keys()]).toEqual(cases.map(({ end, fault }) => `${end}: ${fault}`));
  });

  it.each(cases)('$end: $fault', async ({ end, fault }) => {
    const { cold, calls, known, later, mended } = await measure(end, fault);
    const row = `| ${end} | ${fault} | ${cold} | ${calls} | ${known} | ${later} | ${mended} |`;
    // Nothing that is the issuer's fault is ever answered as if it were the caller's.
    for (const status of [cold, known, later]) expect([200, 503]).toContain(status);
    expect(mended).toBe(200);
    expect(row).toBe(rows.get(`${end}: ${fault}`));
  });
});

it('an outage of six hours fails no call whose keys are known, and is over within one back-off', async () => {
  const scenario = new Scenario('key set');
  expect(await scenario.ask(await scenario.newToken())).toBe(200);
  const down = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('fetch failed'));
  const answers: number[] = [];
  for (let minute = 0; minute < 360; minute++) {
    scenario.time += 60_000;
    answers.push(await scenario.ask(await scenario.newToken()));
    // The refresh in the background fails in its own time.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(answers.filter((status) => status !== 200)).toEqual([]);
  const health = () => scenario.verifier.health().issuers[0]?.keys;
  expect(health()).toMatchObject({ stale: true, lastError: 'network_failed' });
  down.mockRestore();
  const { retryAt = 0 } = health() ?? {};
  expect(retryAt - scenario.time).toBeLessThanOrEqual(60_000);
  scenario.time = Math.max(retryAt, scenario.time);
  await scenario.ask(await scenario.newToken());
  await vi.waitFor(() => expect(health()).toMatchObject({ stale: false, failures: 0 }));
});
