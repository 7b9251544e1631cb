import { createHmac } from 'node:crypto';
import { afterAll, describe, expect, it, vi } from 'vitest';

type Create = typeof import('../../../src/shared/dpop-nonces.ts').createDpopNonces;

/** Loads the module anew, so that it finds the crypto that the test wants. */
async function load(): Promise<Create> {
  vi.resetModules();
  return (await import('../../../src/shared/dpop-nonces.ts')).createDpopNonces;
}

const node = await load();
const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
const web = await load();
getBuiltinModule.mockRestore();
afterAll(() => vi.resetModules());

const lifetimeSeconds = 300;
const secret = 'a secret of thirty-two bytes or more';
const other = 'another secret of thirty-two bytes or more';
const start = 1_800_000_000_000;

describe.each([
  ['node:crypto', node],
  ['WebCrypto', web],
])('createDpopNonces on %s', (_runtime, create) => {
  const at = (seconds: number, secrets: readonly string[] = [secret]) =>
    create({ secrets, lifetimeSeconds, now: () => start + seconds * 1000 });

  it('accepts what it makes', async () => {
    const nonces = at(0);
    const nonce = await nonces.current();
    expect(nonce).toMatch(/^[\w-]{32}$/);
    expect(await nonces.accepts(nonce)).toBe(true);
    expect(await nonces.current()).toBe(nonce);
  });

  it.each(['', 'x', 'undefined', '__proto__'])('does not accept %j', async (nonce) => {
    expect(await at(0).accepts(nonce)).toBe(false);
  });

  it('does not accept parts and changes of a nonce', async () => {
    const nonces = at(0);
    const nonce = await nonces.current();
    for (const changed of [nonce.slice(0, -1), `${nonce}A`, nonce.toLowerCase(), ` ${nonce}`]) {
      expect(await nonces.accepts(changed)).toBe(false);
    }
  });

  it.each([
    [-600, false],
    [-300, true],
    [0, true],
    [299, true],
    [300, true],
    [599, true],
    [600, false],
  ])('is judged by an instance whose clock is %i s on: %s', async (seconds, expected) => {
    const nonce = await at(0).current();
    expect(await at(seconds).accepts(nonce)).toBe(expected);
  });

  it('makes a new one in each slot, and is right when time has passed', async () => {
    let time = start;
    const nonces = create({ secrets: [secret], lifetimeSeconds, now: () => time });
    const first = await nonces.current();
    time += 300_000;
    const second = await nonces.current();
    expect(second).not.toBe(first);
    expect(await nonces.accepts(first)).toBe(true);
    time += 300_000;
    expect(await nonces.accepts(first)).toBe(false);
    expect(await nonces.accepts(second)).toBe(true);
  });

  it('makes them with the first secret and accepts those of all', async () => {
    const before = await at(0, [secret]).current();
    const rotated = at(0, [other, secret]);
    expect(await rotated.accepts(before)).toBe(true);
    const after = await rotated.current();
    expect(after).toBe(await at(0, [other]).current());
    expect(await at(0, [secret]).accepts(after)).toBe(false);
    expect(await at(0, [secret, other]).accepts(after)).toBe(true);
  });

  it('makes the same on every runtime: an HMAC of the slot', async () => {
    const text = `service-auth DPoP nonce ${start / 1000 / lifetimeSeconds}`;
    const tag = createHmac('sha256', secret).update(text).digest().subarray(0, 24);
    expect(await at(0).current()).toBe(tag.toString('base64url'));
  });

  it('serves many at once', async () => {
    const nonces = at(0);
    const made = await Promise.all(Array.from({ length: 50 }, () => nonces.current()));
    expect(new Set(made).size).toBe(1);
  });
});

it('answers at once on node:crypto', () => {
  const nonces = node({ secrets: [secret], lifetimeSeconds, now: () => start });
  expect(nonces.current()).toBeTypeOf('string');
  expect(nonces.accepts('x')).toBe(false);
});
