import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createServers, isOtherClock, type ServerRole } from '../../../src/outbound/servers.ts';
import { createClock } from './support.ts';

const idp = 'https://idp.example';
const orders = 'https://orders.internal';
const nonce = (value: string): Headers => new Headers({ 'dpop-nonce': value });
const date = (ms: number): Headers => new Headers({ date: new Date(ms).toUTCString() });

describe('threat 17: nonces', () => {
  it('are those of one role at one origin', () => {
    const servers = createServers(() => 0);
    servers.learn('issuer', idp, nonce('of-the-issuer'), 0);
    servers.learn('resource', orders, nonce('of-orders'), 0);
    expect(servers.nonce('issuer', idp)).toBe('of-the-issuer');
    expect(servers.nonce('resource', orders)).toBe('of-orders');
    expect(servers.nonce('resource', idp)).toBeUndefined();
    expect(servers.nonce('issuer', orders)).toBeUndefined();
    expect(servers.nonce('resource', 'https://orders.internal:8443')).toBeUndefined();
    expect(servers.nonce('resource', 'http://orders.internal')).toBeUndefined();
  });

  it('never mix, whatever is learned in which order', () => {
    const place = fc.record({
      role: fc.constantFrom<ServerRole>('issuer', 'resource'),
      origin: fc.constantFrom(idp, orders, 'https://idp.example:8443', 'https://issuer', 'https://resource'),
    });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 40 }), (places) => {
        const servers = createServers(() => 0);
        const latest = new Map<string, string>();
        for (const [at, { role, origin }] of places.entries()) {
          servers.learn(role, origin, nonce(`nonce-${at}`), 0);
          latest.set(JSON.stringify([role, origin]), `nonce-${at}`);
        }
        for (const { role, origin } of places) {
          expect(servers.nonce(role, origin)).toBe(latest.get(JSON.stringify([role, origin])));
        }
      }),
    );
  });

  it('are learned from every answer; one without a nonce takes none away', () => {
    const servers = createServers(() => 0);
    for (const value of ['n-1', 'n-2']) servers.learn('resource', orders, nonce(value), 0);
    servers.learn('resource', orders, new Headers(), 0);
    servers.learn('resource', orders, date(0), 0);
    expect(servers.nonce('resource', orders)).toBe('n-2');
  });

  it.each([
    ['two that were joined', 'a, b'],
    ['a quote', 'a"b'],
    ['a backslash', 'a\\b'],
    ['white space', 'a b'],
    ['other than ASCII', 'caf\u00e9'],
    ['too long', 'x'.repeat(1025)],
    ['nothing', ''],
  ])('are not believed with %s (RFC 9449 section 8.1)', (_, value) => {
    const servers = createServers(() => 0);
    servers.learn('resource', orders, nonce('good'), 0);
    servers.learn('resource', orders, { get: (name) => (name === 'dpop-nonce' ? value : null) }, 0);
    expect(servers.nonce('resource', orders)).toBe('good');
  });

  it('of 1,024 visible characters are believed', () => {
    const servers = createServers(() => 0);
    const longest = '!~#[]^'.padEnd(1024, 'x');
    servers.learn('resource', orders, nonce(longest), 0);
    expect(servers.nonce('resource', orders)).toBe(longest);
  });

  it('that say nothing push out nobody', () => {
    const servers = createServers(() => 0);
    servers.learn('resource', orders, nonce('n'), 0);
    for (let host = 0; host < 1500; host++) {
      servers.learn('resource', `https://h${host}.example`, new Headers(), 0);
    }
    expect(servers.nonce('resource', orders)).toBe('n');
  });

  it('of a thousand servers are kept, no more', () => {
    const servers = createServers(() => 0);
    for (let host = 0; host < 1500; host++) {
      servers.learn('resource', `https://h${host}.example`, nonce(`n-${host}`), 0);
    }
    expect(servers.nonce('resource', 'https://h0.example')).toBeUndefined();
    expect(servers.nonce('resource', 'https://h1499.example')).toBe('n-1499');
  });
});

describe('clocks', () => {
  const { now } = createClock();

  it.each([
    [-20 * 3_600_000, true],
    [-60_000, true],
    [-6000, true],
    [-4000, false],
    [0, false],
    [4000, false],
    [6000, true],
    [60_000, true],
    [20 * 3_600_000, true],
  ])('a server %i ms away: learned %s', (skew, learned) => {
    const servers = createServers(now);
    servers.learn('issuer', idp, date(now() + skew), now());
    const known = servers.now('issuer', idp) - now();
    if (learned) expect(Math.abs(known - skew)).toBeLessThanOrEqual(500);
    else expect(known).toBe(0);
    expect(servers.now('resource', idp)).toBe(now());
    expect(servers.now('issuer', orders)).toBe(now());
  });

  it('the way there and back is taken into account', () => {
    const clock = createClock();
    const servers = createServers(clock.now);
    const sentAt = clock.now();
    clock.advance(20_000);
    // What the server said in the middle of twenty seconds of waiting.
    servers.learn('issuer', idp, date(sentAt + 10_000), sentAt);
    expect(servers.now('issuer', idp)).toBe(clock.now());
  });

  it('a date more than a day away, or none, or nonsense, changes nothing', () => {
    const servers = createServers(now);
    servers.learn('issuer', idp, date(now() + 60_000), now());
    const before = servers.now('issuer', idp);
    expect(before).toBeGreaterThan(now());
    for (const value of ['yesterday', '', 'Thu, 01 Jan 1970 00:00:00 GMT', '9'.repeat(400)]) {
      servers.learn('issuer', idp, new Headers({ date: value }), now());
    }
    servers.learn('issuer', idp, nonce('n'), now());
    expect(servers.now('issuer', idp)).toBe(before);
  });

  it('a server whose clock was set right again is believed', () => {
    const servers = createServers(now);
    servers.learn('issuer', idp, date(now() + 60_000), now());
    servers.learn('issuer', idp, date(now()), now());
    expect(servers.now('issuer', idp)).toBe(now());
  });

  // A date is the middle of its second: five seconds less that half are the first that count.
  it.each([
    [4499, 0],
    [4500, 5000],
    [-5500, -5000],
    [-5499, 0],
    [86_399_500, 86_400_000],
    [86_399_501, 0],
    [-86_400_500, -86_400_000],
    [-86_400_501, 0],
  ])('a date %i ms away means %i ms', (away, skew) => {
    const clock = createClock(now() - away);
    const servers = createServers(clock.now);
    servers.learn('resource', orders, date(now()), clock.now());
    expect(servers.skewMs('resource', orders)).toBe(skew);
    expect(servers.now('resource', orders)).toBe(clock.now() + skew);
  });

  it('are told in whole milliseconds', () => {
    const clock = createClock();
    const servers = createServers(clock.now);
    const sentAt = clock.now();
    clock.advance(1);
    servers.learn('resource', orders, date(sentAt + 60_000), sentAt);
    expect(servers.skewMs('resource', orders)).toBe(60_500);
  });

  it.each([
    [0, 4999, false],
    [0, 5000, true],
    [0, -4999, false],
    [0, -5000, true],
    [60_000, 60_000, false],
    [-3000, 3000, true],
  ])('%i and %i ms away: another clock? %s', (one, other, expected) => {
    expect(isOtherClock(one, other)).toBe(expected);
  });
});
