import { describe, expect, it } from 'vitest';
import { callerHeaders } from '../../../src/cli/gateway/caller-headers.ts';
import { createRefusalLog } from '../../../src/cli/gateway/refusal-log.ts';
import { type CallerFields, VerifiedCaller } from '../../../src/inbound/caller.ts';

function headersOf(changes: Partial<CallerFields> = {}): ReturnType<typeof callerHeaders> {
  const fields: CallerFields = {
    issuer: 'https://idp.example',
    subject: 'billing',
    clientId: 'billing',
    kind: 'service',
    audience: ['https://orders.example'],
    scopes: 'orders:read stock:read',
    expiresAt: 1,
    issuedAt: undefined,
    tokenId: undefined,
    scheme: 'Bearer',
    claims: {},
    ...changes,
  };
  return callerHeaders(new VerifiedCaller(fields, 'the token'));
}

describe('headers of the caller', () => {
  it('say who it is, and nothing of the token', () => {
    expect(headersOf()).toEqual({
      'X-Auth-Client-Id': 'billing',
      'X-Auth-Subject': 'billing',
      'X-Auth-Scope': 'orders:read stock:read',
      'X-Auth-Issuer': 'https://idp.example',
      'X-Auth-Kind': 'service',
    });
    expect(headersOf({ claims: { act: { sub: 'gateway' } } })).toMatchObject({ 'X-Auth-Actor': 'gateway' });
  });

  it('leave out what is not known, and no one is nobody', () => {
    const told = headersOf({ clientId: undefined, subject: undefined, scopes: '' });
    expect(told).toEqual({ 'X-Auth-Issuer': 'https://idp.example', 'X-Auth-Kind': 'service' });
    expect(callerHeaders(undefined)).toEqual({});
  });

  it.each([
    ['a\r\nX-Auth-Kind: user', 'a%0D%0AX-Auth-Kind:%20user'],
    ['a b', 'a%20b'],
    ['100%25', '100%2525'],
    ['Zoë 🦊', 'Zo%C3%AB%20%F0%9F%A6%8A'],
    ['\u0000\u007f\u0085', '%00%7F%C2%85'],
  ])('the subject %j is %s', (subject, expected) => {
    expect(headersOf({ subject })?.['X-Auth-Subject']).toBe(expected);
    expect(decodeURIComponent(expected)).toBe(subject);
  });

  it('a scope with a space in it stays one scope', () => {
    expect(headersOf({ scopes: ['orders:read admin', 'b'] })?.['X-Auth-Scope']).toBe('orders:read%20admin b');
  });

  it.each([{ subject: 'a\ud800' }, { subject: 'a'.repeat(9000) }])(
    'what cannot be told is not told',
    (changes) => {
      expect(headersOf(changes)).toBeUndefined();
    },
  );
});

describe('the log of refusals', () => {
  it('writes twenty lines a second, and then how many there were', () => {
    const lines: string[] = [];
    let now = 1_800_000_000_000;
    const log = createRefusalLog(
      (line) => lines.push(line),
      () => now,
    );
    for (let at = 0; at < 50; at++)
      log({ reason: 'no_route', from: '::1', path: `/\u202e${'a'.repeat(500)}` });
    expect(lines.length).toBe(20);
    expect(lines[0]?.length).toBeLessThan(400);
    expect(lines[0]).toContain('\\u202e');
    now += 1000;
    log({ reason: 'bad_forwarding', from: '::1' });
    expect(lines.slice(20).map((line) => JSON.parse(line))).toMatchObject([
      { event: 'log.left_out', of: 'gateway.refused', count: 30 },
      { level: 'warn', event: 'gateway.refused', reason: 'bad_forwarding', from: '::1' },
    ]);
  });
});
