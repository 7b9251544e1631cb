import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRetryBudget, type RetryReason } from '../../../src/outbound/retry-budget.ts';

describe('a retry budget', () => {
  it('grants each reason once', () => {
    const budget = createRetryBudget();
    expect([budget.take('invalid_token'), budget.take('invalid_token')]).toEqual([true, false]);
    expect([budget.take('clock_skew'), budget.take('clock_skew', '')]).toEqual([true, false]);
  });

  it('grants one retry for each new nonce and each new credential', () => {
    const budget = createRetryBudget();
    const taken = ['n1', 'n1', 'n2'].map((nonce) => budget.take('use_dpop_nonce', nonce));
    expect(taken).toEqual([true, false, true]);
    expect(budget.take('invalid_client', 'n1')).toBe(true);
  });

  it('a refused one costs nothing', () => {
    const budget = createRetryBudget();
    for (let attempt = 0; attempt < 10; attempt++) budget.take('invalid_token');
    expect(budget.take('clock_skew')).toBe(true);
    expect(budget.take('use_dpop_nonce', 'n1')).toBe(true);
  });

  it('grants no more than three, whatever is asked for', () => {
    const reason = fc.constantFrom<RetryReason>(
      'invalid_token',
      'use_dpop_nonce',
      'invalid_client',
      'clock_skew',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(reason, fc.option(fc.string(), { nil: undefined }))), (asked) => {
        const budget = createRetryBudget();
        const granted = asked.filter(([why, detail]) => budget.take(why, detail));
        const distinct = new Set(asked.map(([why, detail = '']) => `${why} ${detail}`));
        expect(granted).toHaveLength(Math.min(3, distinct.size));
      }),
    );
  });
});
