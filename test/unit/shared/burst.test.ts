import { setImmediate as endOfTurn } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createVerifier } from '../../../src/index.ts';
import { isTurnSpent, verifyInPool } from '../../../src/shared/burst.ts';
import { audience, createKey, issuer, mint, nowMs } from '../../helpers/tokens.ts';

type Done = (error: Error | null, holds: boolean) => void;

beforeEach(() => endOfTurn());

describe('a turn of the loop', () => {
  it('verifies by itself for a quarter of a millisecond, and again in the next turn', async () => {
    // The machine may hold this process up for longer than that.
    let time = 1000;
    const now = vi.spyOn(performance, 'now').mockImplementation(() => time);
    const spent: boolean[] = [];
    for (time of [1000, 1000.125, 1000.25]) spent.push(isTurnSpent());
    await Promise.resolve();
    spent.push(isTurnSpent());
    await endOfTurn();
    spent.push(isTurnSpent());
    now.mockRestore();
    expect(spent).toEqual([false, false, true, true, false]);
  });
});

describe('the pool', () => {
  it('gets a few at a time, in their order', async () => {
    const started: number[] = [];
    const dones: Done[] = [];
    const order = Array.from({ length: 40 }, (_, at) => at);
    const results = order.map((at) =>
      verifyInPool((done) => {
        started.push(at);
        dones.push(done);
      }),
    );
    expect(started).toEqual(order.slice(0, 16));
    dones[0]?.(null, true);
    expect(started).toEqual(order.slice(0, 17));
    for (let at = 1; at < 40; at++) dones[at]?.(null, at % 2 === 0);
    expect(await Promise.all(results)).toEqual(order.map((at) => at % 2 === 0));
    expect(started).toEqual(order);
  });

  it('turns away what would wait too long, and only that', async () => {
    const dones: Done[] = [];
    const results = Array.from({ length: 2016 }, () => verifyInPool((done) => dones.push(done)));
    const late = () => verifyInPool((done) => done(null, true));
    expect(late).toThrow(expect.objectContaining({ reason: 'overloaded', retryAfterMs: 1000 }));
    dones[0]?.(null, true);
    results.push(late());
    expect(late).toThrow();
    for (let at = 1; at < dones.length; at++) dones[at]?.(null, true);
    expect(await Promise.all(results)).not.toContain(false);
    expect(await late()).toBe(true);
  });

  it('refuses what it cannot verify', async () => {
    expect(await verifyInPool((done) => done(new Error('out of memory'), true))).toBe(false);
  });
});

it('a burst of new tokens is judged right, whoever verified them', async () => {
  const key = await createKey('ES256');
  const foreign = await createKey('ES256');
  const verifier = createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => nowMs,
  });
  const tokens = await Promise.all(
    Array.from({ length: 200 }, (_, at) => mint(at % 3 === 0 ? foreign : key, { jti: `${at}` })),
  );
  await endOfTurn();
  const outcomes = tokens.map((token) => verifier.verifyToken(token));
  expect(outcomes.filter((outcome) => outcome instanceof Promise).length).toBeGreaterThan(100);
  expect(outcomes[0]).not.toBeInstanceOf(Promise);
  const accepted = (await Promise.all(outcomes)).map(({ ok }) => ok);
  expect(accepted).toEqual(tokens.map((_, at) => at % 3 !== 0));
});
