/** Shared secrets: how long they must be, and every wrapping in which a key is told from a random value. */
import { describe, expect, it } from 'vitest';
import { createVerifier, isOptionError, type TrustedIssuer, type Verifier } from '../../../src/index.ts';
import { judge } from '../../helpers/judge.ts';
import { audience, goodClaims, issuer, nowMs, signHmac } from '../../helpers/tokens.ts';

const make = (secret: string | Uint8Array, algorithms?: readonly string[]): Verifier =>
  createVerifier({
    issuer: { issuer, secret, ...(algorithms && { algorithms }) } as TrustedIssuer,
    audience,
    now: () => nowMs,
  });

/** What is said of a secret: the code of a mistake, or that it was taken. */
function verdictOn(secret: string | Uint8Array, algorithms?: readonly string[]): string {
  try {
    make(secret, algorithms);
    return 'taken';
  } catch (error) {
    if (!isOptionError(error)) throw error;
    return error.code;
  }
}

const padded = (bytes: readonly number[], length = 80): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => bytes[at] ?? 0xff);
const ascii = (text: string): readonly number[] => [...Buffer.from(text)];

describe('the length', () => {
  it.each([
    [31, undefined, 'secret_too_short'],
    [32, undefined, 'taken'],
    [32, ['HS256'], 'taken'],
    [31, ['HS256'], 'secret_too_short'],
    [47, ['HS384'], 'secret_too_short'],
    [48, ['HS384'], 'taken'],
    [63, ['HS256', 'HS512'], 'secret_too_short'],
    [64, ['HS256', 'HS512'], 'taken'],
  ])('%i bytes for %j: %s', (length, algorithms, verdict) => {
    expect(verdictOn('x'.repeat(length), algorithms)).toBe(verdict);
    expect(verdictOn(new Uint8Array(length).fill(0xff), algorithms)).toBe(verdict);
  });

  it.each([
    [47, 'HS256', 'accepted'],
    [47, 'HS384', 'algorithm_not_allowed'],
    [48, 'HS384', 'accepted'],
    [63, 'HS512', 'algorithm_not_allowed'],
    [64, 'HS512', 'accepted'],
  ])('%i bytes let %s in: %s', async (length, alg, verdict) => {
    const secret = 'x'.repeat(length);
    expect(await judge(make(secret), signHmac(secret, {}, goodClaims(), alg))).toBe(verdict);
  });

  it('lets no other algorithm in than was chosen', async () => {
    const secret = 'x'.repeat(64);
    const verifier = make(secret, ['HS384']);
    expect(await judge(verifier, signHmac(secret, {}, goodClaims(), 'HS384'))).toBe('accepted');
    expect(await judge(verifier, signHmac(secret, {}, goodClaims(), 'HS256'))).toBe('algorithm_not_allowed');
  });

  it('bytes that change later change nothing', async () => {
    const bytes = new Uint8Array(32).fill(7);
    const token = signHmac(Uint8Array.from(bytes), {}, goodClaims());
    const verifier = make(bytes);
    bytes.fill(0);
    expect(await judge(verifier, token)).toBe('accepted');
  });
});

const pem = '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----';
/** Its base64url has both characters that base64 spells otherwise. */
const unusual = `??>>${pem}???>>>`;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const base64url = (text: string): string => Buffer.from(text).toString('base64url');
const hex = (text: string): string => Buffer.from(text).toString('hex');
const lines = (text: string): string => text.replaceAll(/.{16}/g, (line) => `${line}\n`);

describe('a key as text', () => {
  it.each([
    ['PEM', pem],
    ['the file format of SSH', '---- BEGIN SSH2 PUBLIC KEY ----\nAAAA'],
    ['a JWK', '{"kty":"oct", "k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}'],
    ['a key set', '{"keys":[], "of":"the issuer of this service"}'],
    ['a list of JWKs', '[1, {"kty":"oct", "k":"c2VjcmV0LXNlY3Jl"}]'],
    ['a JWK after white space', `\u00a0${'{"kty":"RSA", "of":"the issuer"}'.padEnd(40)}`],
    ['base64', base64(unusual)],
    ['base64url', base64url(unusual)],
    ['base64 in lines', lines(base64(pem))],
    ['base64 in lines that were escaped', lines(base64(pem)).replaceAll('\n', '\\n')],
    ['hexadecimal', hex(pem)],
    ['hexadecimal in capitals', hex(pem).toUpperCase()],
    ['hexadecimal in lines', lines(hex(pem))],
    ['JSON', JSON.stringify(pem)],
    ['JSON of base64', JSON.stringify(base64(pem))],
    ['base64 of a JWK', base64('{"kty":"RSA", "of":"the issuer"}')],
    ['wrapped three times', base64(hex(base64(pem)))],
    ['SSH', `ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7`],
    ['SSH with options', `no-pty,command="a b"  ecdsa-sha2-nistp256 \t AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY me`],
    ['SSH of a token', 'sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5'],
    ['SSH of another token', 'sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNh'],
  ])('%s', (_, secret) => {
    expect(secret.length).toBeGreaterThanOrEqual(32);
    expect(verdictOn(secret)).toBe('secret_misplaced');
    expect(verdictOn(Buffer.from(secret))).toBe('secret_misplaced');
  });

  it.each([
    ['wrapped four times', base64(base64(hex(base64(pem))))],
    ['digits with one too many', `${hex(pem)}0`],
    ['other letters before digits', `zz${hex(pem)}`],
    ['other letters after digits', `${hex(pem)}zz`],
    ['JSON of another object', '{"k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ", "a":1}'],
    ['JSON of a list', '["kty", "keys", "and some more of such"]'],
    ['JSON of nothing', 'null'.padStart(40)],
    ['JSON of a number', '1'.repeat(40)],
    ['the name of an SSH key alone', 'a secret that ends in these words: ssh-rsa'],
    ['an SSH key of no kind', 'rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7AAAA'],
    ['no SSH key', 'ssh-rsa BAAAB3NzaC1yc2EAAAADAQABAAABgQC7AAAA'],
    ['no SSH key beside another word', 'ssh-rsa secret AAAAB3NzaC1yc2EAAAADAQABAAAB'],
    ['no begin', '----BEGIN PUBLIC KEY---- is not how it is spelt'],
  ])('not %s', (_, secret) => {
    expect(secret.length).toBeGreaterThanOrEqual(32);
    expect(verdictOn(secret)).toBe('taken');
  });
});

describe('a key in DER', () => {
  const sequence = (head: readonly number[], inner: number, length: number, end: readonly number[] = []) =>
    Uint8Array.from([...head, inner, ...new Array<number>(length - 1).fill(0xff), ...end]);

  it.each<[string, Uint8Array]>([
    ['with an INTEGER', sequence([0x30, 60], 0x02, 60)],
    ['with a SEQUENCE', sequence([0x30, 60], 0x30, 60)],
    ['of the longest short length', sequence([0x30, 127], 0x30, 127)],
    ['with a length of one byte', sequence([0x30, 0x81, 128], 0x30, 128)],
    ['with a length of two bytes', sequence([0x30, 0x82, 1, 2], 0x02, 258)],
    ['with a length of three bytes', sequence([0x30, 0x83, 0, 1, 2], 0x30, 258)],
    ['before the end of a line', sequence([0x30, 60], 0x02, 60, [0x20, 0x0d, 0x0a])],
  ])('%s', (_, secret) => {
    expect(verdictOn(secret)).toBe('secret_misplaced');
  });

  it.each<[string, Uint8Array]>([
    ['another tag', sequence([0x31, 60], 0x02, 60)],
    ['another content', sequence([0x30, 60], 0x04, 60)],
    ['a length of four bytes', sequence([0x30, 0x84, 0, 0, 0, 60], 0x02, 60)],
    ['more than there is', sequence([0x30, 61], 0x02, 60)],
    ['less than there is', sequence([0x30, 59], 0x02, 60)],
    ['other bytes after it', sequence([0x30, 60], 0x02, 60, [0x0a, 0x09])],
    ['a zero after it', sequence([0x30, 60], 0x02, 60, [0])],
  ])('not with %s', (_, secret) => {
    expect(verdictOn(secret)).toBe('taken');
  });
});

describe('a key of SSH in bytes', () => {
  const blob = (name: string, length = name.length) => [0, 0, 0, length, ...ascii(name)];

  it.each<[string, readonly number[]]>([
    ['RSA', blob('ssh-rsa')],
    ['ECDSA', blob('ecdsa-sha2-nistp256')],
    ['a token', blob('sk-ssh-ed25519@openssh.com')],
    ['another token', blob('sk-ecdsa-sha2-nistp256@openssh.com')],
    ['the longest name', blob(`ssh-${'a'.repeat(60)}`)],
    ['the shortest name', blob('ssh-rsa', 4)],
  ])('%s', (_, bytes) => {
    expect(verdictOn(padded(bytes))).toBe('secret_misplaced');
  });

  it.each<[string, readonly number[]]>([
    ['another name', blob('rsa-ssh')],
    ['a name that is too long', blob(`ssh-${'a'.repeat(61)}`)],
    ['a name that is cut', blob('ssh-rsa', 3)],
    ['a length of four bytes', [1, 0, 0, 7, ...ascii('ssh-rsa')]],
    ['a length of three bytes', [0, 1, 0, 7, ...ascii('ssh-rsa')]],
    ['a length of two bytes', [0, 0, 1, 7, ...ascii('ssh-rsa')]],
  ])('not %s', (_, bytes) => {
    expect(verdictOn(padded(bytes))).toBe('taken');
  });
});
