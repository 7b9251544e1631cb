import { describe, expect, it } from 'vitest';
import { type CircuitBreaker, createCircuitBreaker } from '../../../src/shared/circuit-breaker.ts';

function start(random = 1): { breaker: CircuitBreaker; clock: { time: number }; fail(times: number): void } {
  const clock = { time: 1_000_000 };
  const breaker = createCircuitBreaker({ now: () => clock.time, random: () => random });
  return {
    breaker,
    clock,
    fail(times) {
      for (let count = 0; count < times; count++) breaker.failed();
    },
  };
}

describe('createCircuitBreaker', () => {
  it('stays closed for four failures in a row, and opens at the fifth', () => {
    const { breaker, fail } = start();
    fail(4);
    expect(breaker.waitMs()).toBe(0);
    expect(breaker.state()).toEqual({ state: 'closed', failures: 4, retryAt: undefined });
    fail(1);
    expect(breaker.waitMs()).toBe(1000);
    expect(breaker.state()).toEqual({ state: 'open', failures: 5, retryAt: 1_001_000 });
  });

  it('a success in between starts the count anew', () => {
    const { breaker, fail } = start();
    fail(4);
    breaker.succeeded();
    fail(4);
    expect(breaker.waitMs()).toBe(0);
  });

  it('lets one probe through when the wait is over, and the rest wait for what it brings', () => {
    const { breaker, clock, fail } = start();
    fail(5);
    clock.time += 999;
    expect(breaker.waitMs()).toBe(1);
    clock.time += 1;
    expect(breaker.state().state).toBe('half-open');
    expect(breaker.waitMs()).toBe(0);
    expect(breaker.waitMs()).toBe(1000);
    breaker.succeeded();
    expect(breaker.state()).toEqual({ state: 'closed', failures: 0, retryAt: undefined });
    expect([breaker.waitMs(), breaker.waitMs()]).toEqual([0, 0]);
  });

  it('waits twice as long after each probe that failed, up to 30 s', () => {
    const { breaker, clock, fail } = start();
    fail(5);
    const waits: number[] = [];
    for (let probe = 0; probe < 7; probe++) {
      const wait = breaker.waitMs();
      waits.push(wait);
      clock.time += wait;
      expect(breaker.waitMs()).toBe(0);
      fail(1);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it('calls that were on their way when it opened do not make the wait longer', () => {
    const { breaker, fail } = start();
    fail(64);
    expect(breaker.waitMs()).toBe(1000);
  });

  it('after a recovery the first wait is short again', () => {
    const { breaker, clock, fail } = start();
    fail(5);
    clock.time += 1000;
    expect(breaker.waitMs()).toBe(0);
    fail(1);
    expect(breaker.waitMs()).toBe(2000);
    clock.time += 2000;
    expect(breaker.waitMs()).toBe(0);
    breaker.succeeded();
    fail(5);
    expect(breaker.waitMs()).toBe(1000);
  });

  it('jitter takes at most half of the wait', () => {
    const { breaker, fail } = start(0);
    fail(5);
    expect(breaker.waitMs()).toBe(500);
  });

  it('waits as long as the other end asks, within the longest wait', () => {
    const asked = (ms: number): number => {
      const { breaker, fail } = start();
      fail(4);
      breaker.failed(ms);
      return breaker.waitMs();
    };
    expect([asked(10), asked(12_000), asked(3_600_000)]).toEqual([1000, 12_000, 30_000]);
  });

  it('a probe that is never heard of again is given up after 30 s', () => {
    const { breaker, clock, fail } = start();
    fail(5);
    clock.time += 1000;
    expect(breaker.waitMs()).toBe(0);
    clock.time += 29_999;
    expect(breaker.waitMs()).toBe(1000);
    clock.time += 1;
    expect(breaker.waitMs()).toBe(0);
  });

  it('what passed says nothing: it ends a probe, and neither closes nor opens', () => {
    const { breaker, clock, fail } = start();
    for (let count = 0; count < 4; count++) {
      fail(1);
      breaker.passed();
    }
    expect(breaker.state()).toMatchObject({ state: 'closed', failures: 4 });
    fail(1);
    expect(breaker.state().state).toBe('open');
    clock.time += 1000;
    expect(breaker.waitMs()).toBe(0);
    expect(breaker.waitMs()).toBe(1000);
    breaker.passed();
    expect(breaker.state()).toMatchObject({ state: 'half-open', failures: 5 });
    expect(breaker.waitMs()).toBe(0);
  });

  it('a suspect waits twice as long for a probe, which leaves the others their turn', () => {
    const { breaker, clock, fail } = start();
    expect(breaker.waitMs(true)).toBe(0);
    fail(5);
    expect(breaker.waitMs(true)).toBe(2000);
    clock.time += 1500;
    expect(breaker.waitMs(true)).toBe(500);
    expect(breaker.waitMs()).toBe(0);
    breaker.passed();
    clock.time += 500;
    expect(breaker.waitMs(true)).toBe(0);
  });

  it('a clock that is set back makes no wait longer, neither for a call nor for a probe', () => {
    const { breaker, clock, fail } = start();
    fail(5);
    clock.time -= 3_600_000;
    expect(breaker.state().state).toBe('half-open');
    expect(breaker.waitMs()).toBe(0);
    expect(breaker.waitMs()).toBe(1000);
    clock.time -= 3_600_000;
    expect(breaker.waitMs()).toBe(0);
    breaker.succeeded();
    expect(breaker.state().state).toBe('closed');
  });

  it('a clock that is set back does not keep failures from opening it again', () => {
    const { breaker, clock, fail } = start();
    fail(5);
    clock.time -= 3_600_000;
    expect(breaker.waitMs()).toBe(0);
    fail(1);
    expect(breaker.state()).toMatchObject({ state: 'open', retryAt: clock.time + 2000 });
  });
});
