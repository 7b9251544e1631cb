/** Base64url without padding (RFC 4648 section 5, RFC 7515 section 2), strict in decoding. */
import { type Bytes, nodeBuffer } from './runtime.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * Decodes text that is canonical: no padding, no other alphabet, no white space, no left-over bits.
 * Gives `undefined` for anything else, so that one text stands for one value.
 */
export function decodeBase64url(text: string): Bytes | undefined {
  if (nodeBuffer === undefined) return decodePortable(text);
  // Node skips what it does not know; encoding again and comparing sees everything it skipped.
  const bytes = nodeBuffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

export function encodeBase64url(bytes: Uint8Array): string {
  if (nodeBuffer === undefined) return encodePortable(bytes);
  return nodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/** A part of a compact JWS: the JSON text of a value. */
export function encodeJson(value: object): string {
  return encodeBase64url(new TextEncoder().encode(JSON.stringify(value)));
}

export function decodePortable(text: string): Bytes | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const character of text) {
    const value = alphabet.indexOf(character);
    if (value < 0) return undefined;
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = (bits >> held) & 0xff;
    }
  }
  const leftOver = bits & ((1 << held) - 1);
  return leftOver === 0 ? bytes : undefined;
}

export function encodePortable(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const group = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const characters = Math.min(bytes.length - at, 3) + 1;
    for (let i = 0; i < characters; i++) text += alphabet[(group >> (18 - 6 * i)) & 63];
  }
  return text;
}
