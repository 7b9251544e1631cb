import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSealedText, type SealedText } from '../../../src/shared/sealed-text.ts';
import { secretCanary } from '../outbound/support.ts';

const secretText = `${secretCanary}-of-thirty-two-bytes-or-more`;
const secret = new TextEncoder().encode(secretText);
const otherSecret = new Uint8Array(32).fill(7);

const create = (key = secret, purpose = 'tests'): SealedText => createSealedText({ secret: key, purpose });
const text = fc.string({ unit: 'binary' });
const names = fc.string({ unit: 'binary', maxLength: 40 });

function bytesOf(sealedText: string): Buffer {
  return Buffer.from(sealedText.slice('v1.'.length), 'base64url');
}

const fromBytes = (bytes: Uint8Array): string => `v1.${Buffer.from(bytes).toString('base64url')}`;

describe('createSealedText', () => {
  it('opens what it sealed, of whatever length and alphabet, in another instance too', async () => {
    const [one, other] = [create(), create()];
    await fc.assert(
      fc.asyncProperty(names, text, async (name, plain) => {
        expect(await other.open(name, await one.seal(name, plain))).toBe(plain);
      }),
    );
  });

  it('keeps a byte order mark, which decoders like to swallow', async () => {
    const sealed = create();
    expect(await sealed.open('a', await sealed.seal('a', '\ufefftext'))).toBe('\ufefftext');
  });

  it('any flipped bit of the bytes fails', async () => {
    const sealed = create();
    await fc.assert(
      fc.asyncProperty(names, text, fc.nat(), async (name, plain, bit) => {
        const bytes = bytesOf(await sealed.seal(name, plain));
        const at = bit % (bytes.length * 8);
        bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7));
        expect(await sealed.open(name, fromBytes(bytes))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('every single flipped bit of one sealed text fails, as bytes and as characters', async () => {
    const sealed = create();
    const good = await sealed.seal('name', '{"accessToken":"a"}');
    const bytes = bytesOf(good);
    const spoilt: string[] = [];
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const copy = Uint8Array.from(bytes);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      spoilt.push(fromBytes(copy));
    }
    for (let bit = 0; bit < good.length * 7; bit++) {
      const at = Math.floor(bit / 7);
      const character = String.fromCharCode(good.charCodeAt(at) ^ (1 << (bit % 7)));
      spoilt.push(good.slice(0, at) + character + good.slice(at + 1));
    }
    expect(new Set(spoilt)).not.toContain(good);
    const opened = await Promise.all(spoilt.map((candidate) => sealed.open('name', candidate)));
    expect(opened.filter((plain) => plain !== undefined)).toEqual([]);
    expect(await sealed.open('name', good)).toBe('{"accessToken":"a"}');
  });

  it('opens under no other name', async () => {
    const sealed = create();
    await fc.assert(
      fc.asyncProperty(names, names, text, async (name, other, plain) => {
        fc.pre(name !== other);
        expect(await sealed.open(other, await sealed.seal(name, plain))).toBeUndefined();
      }),
    );
  });

  it.each([
    ['another secret', create(otherSecret)],
    ['a secret one bit off', create(Uint8Array.from(secret, (byte, at) => (at === 40 ? byte ^ 1 : byte)))],
    ['a secret one byte longer', create(Uint8Array.from([...secret, 0]))],
    ['another purpose', create(secret, 'other tests')],
  ])('with %s nothing opens, and names differ', async (_what, stranger) => {
    const sealed = create();
    expect(await stranger.open('name', await sealed.seal('name', 'text'))).toBeUndefined();
    expect(await stranger.nameOf('label')).not.toBe(await sealed.nameOf('label'));
  });

  it('seals differently every time, with a fresh nonce of 96 bits', async () => {
    const sealed = create();
    const all = await Promise.all(Array.from({ length: 1000 }, () => sealed.seal('name', 'text')));
    const nonces = all.map((one) => bytesOf(one).subarray(0, 12).toString('hex'));
    expect(new Set(nonces).size).toBe(1000);
    expect(all.map((one) => bytesOf(one).length)).toEqual(Array(1000).fill(12 + 4 + 16));
  });

  it.each([
    ['nothing', () => ''],
    ['the version alone', () => 'v1.'],
    ['no version', (good: string) => good.slice(3)],
    ['a later version', (good: string) => `v2.${good.slice(3)}`],
    ['plain JSON', () => '{"accessToken":"a"}'],
    ['less than a nonce', (good: string) => good.slice(0, 3 + 12)],
    ['less than a tag', (good: string) => good.slice(0, 3 + 28)],
    ['its last character missing', (good: string) => good.slice(0, -1)],
    ['padding', (good: string) => `${good}=`],
    ['white space', (good: string) => `${good}\n`],
    ['another alphabet', (good: string) => `${good.slice(0, -1)}ü`],
    ['text before', (good: string) => ` ${good}`],
  ])('does not open %s', async (_what, spoil) => {
    const sealed = create();
    expect(await sealed.open('name', spoil(await sealed.seal('name', 'some text')))).toBeUndefined();
  });

  it('opens nothing of more than 512 KiB, however well it was sealed', async () => {
    const sealed = create();
    const [large, tooLarge] = ['a'.repeat(390_000), 'a'.repeat(400_000)];
    expect(await sealed.open('name', await sealed.seal('name', large))).toBe(large);
    expect(await sealed.open('name', await sealed.seal('name', tooLarge))).toBeUndefined();
  });

  it('is AES-256-GCM with keys of HKDF-SHA-256, and names are HMAC-SHA-256, as node:crypto computes them', async () => {
    const sealed = create();
    const derive = (use: string): Buffer =>
      Buffer.from(hkdfSync('sha256', secret, new Uint8Array(0), `service-auth tests: ${use}`, 32));
    const bytes = bytesOf(await sealed.seal('name', 'text'));
    const decipher = createDecipheriv('aes-256-gcm', derive('sealing'), bytes.subarray(0, 12));
    decipher.setAAD(Buffer.from('v1.name')).setAuthTag(bytes.subarray(-16));
    expect(Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString()).toBe(
      'text',
    );
    const expected = createHmac('sha256', derive('naming')).update('label').digest('base64url');
    expect(await sealed.nameOf('label')).toBe(expected);
  });

  it('names are the same every time, and differ by label', async () => {
    const [one, other] = [create(), create()];
    await fc.assert(
      fc.asyncProperty(names, names, async (a, b) => {
        expect(await other.nameOf(a)).toBe(await one.nameOf(a));
        expect((await one.nameOf(a)) === (await one.nameOf(b))).toBe(a === b);
      }),
    );
  });

  it('threat 27: shows neither secret nor keys', async () => {
    const sealed = create();
    const shown = [sealed, await sealed.seal('name', secretText), await sealed.nameOf(secretText)]
      .map((value) => inspect(value, { depth: null, showHidden: true, getters: true }))
      .join();
    expect(shown).not.toContain(secretCanary);
    expect(shown).not.toContain(Buffer.from(secretText).toString('base64url').slice(0, 16));
    expect(shown).not.toContain('CryptoKey');
  });
});
