import { afterEach, describe, expect, it, vi } from 'vitest';
import { createTestIssuer } from '../../../adapters/testing.ts';
import { createVerifier } from '../../../src/index.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('the clock', () => {
  it('stands still, and goes on when it is told to', () => {
    const issuer = createTestIssuer({ startAt: new Date('2026-01-01T00:00:00.700Z') });
    expect(issuer.now()).toBe(Date.UTC(2026, 0, 1));
    issuer.advance({ days: 1, hours: 2, minutes: 3, seconds: 4, milliseconds: 5 });
    expect(issuer.now()).toBe(Date.UTC(2026, 0, 2, 2, 3, 4, 5));
  });

  it('starts with the present second', () => {
    vi.useFakeTimers({ now: 1_800_000_000_999 });
    expect(createTestIssuer().now()).toBe(1_800_000_000_000);
  });

  it('may be that of fake timers', async () => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
    const issuer = createTestIssuer({ now: Date.now });
    const verifier = createVerifier(issuer.verifierOptions());
    const request = (await issuer.mint()).request('https://service.test/');
    expect(await verifier.authenticate(request)).toMatchObject({ ok: true });
    vi.advanceTimersByTime(16 * 60_000);
    expect(await verifier.authenticate(request)).toMatchObject({ rejection: { reason: 'expired' } });
    expect(() => issuer.advance({ seconds: 1 })).toThrow('move that clock instead');
  });

  it.each([
    [60, 'the argument of advance must be a duration such as { minutes: 5 }; got 60'],
    [{ minute: 1 }, 'unknown option minute in the argument of advance; did you mean minutes?'],
    [{ seconds: -1 }, 'seconds must be a number of seconds from 0'],
  ])('says what is wrong with %j', (by, message) => {
    const issuer = createTestIssuer();
    expect(() => issuer.advance(by as object)).toThrow(message);
    expect(() => createTestIssuer({ now: Date.now, startAt: 0 })).toThrow('startAt must be absent');
    expect(() => createTestIssuer({ startAt: Number.NaN })).toThrow('startAt must be a number of epoch');
  });
});
