import { stat } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { within } from '../../../src/shared/deadline.ts';

/** Stands still, as a process does that collects garbage or has to wait for a processor. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('a deadline', () => {
  it('takes an answer that came while the process stood still', async () => {
    const answer = within(
      20,
      stat('.').then(() => 'in time'),
      () => 'late',
    );
    standStill(200);
    expect(await answer).toBe('in time');
  });

  it('ends the wait for what does not come', async () => {
    const never = new Promise<string>(() => {});
    expect(await within(1, never, () => 'late')).toBe('late');
    const late = (): never => {
      throw new Error('late');
    };
    await expect(within(1, never, late)).rejects.toThrow('late');
  });
});
