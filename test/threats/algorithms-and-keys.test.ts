import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { createVerifier, type JwsAlgorithm, type TrustedIssuer, type Verifier } from '../../src/index.ts';
import { keyAlgorithms } from '../../src/shared/crypto.ts';
import { parseKeySet } from '../../src/shared/key-set.ts';
import { judge } from '../helpers/judge.ts';
import {
  audience,
  createKey,
  encodeJson,
  goodClaims,
  issuer,
  mint,
  nowMs,
  sharedSecret,
  signHmac,
  withPart,
} from '../helpers/tokens.ts';

const rsa = await createKey('RS256');
const ec = await createKey('ES256');
const stranger = await createKey('ES256', 'stranger');

const trusting = (options: object): Verifier =>
  createVerifier({ issuer: { issuer, ...options } as TrustedIssuer, audience, now: () => nowMs });
const both = trusting({ jwks: { keys: [rsa.publicJwk, ec.publicJwk] } });

/** Every spelling in which a public key may be taken for a secret. */
function spellings(key: KeyObject): readonly (string | Uint8Array)[] {
  const pem = key.export({ type: 'spki', format: 'pem' }).toString();
  const der = key.export({ type: 'spki', format: 'der' });
  const jwk = key.export({ format: 'jwk' });
  const pkcs1 =
    key.asymmetricKeyType === 'rsa' ? [key.export({ type: 'pkcs1', format: 'pem' }).toString()] : [];
  return [
    pem,
    pem.trim(),
    `${pem}\n`,
    `  ${pem}`,
    pem.replaceAll('\n', '\r\n'),
    pem.replaceAll('\n', ''),
    ...pkcs1,
    der,
    der.toString('base64'),
    der.toString('base64url'),
    JSON.stringify(jwk),
    JSON.stringify({ keys: [jwk] }),
    ` ${JSON.stringify(jwk)}\n`,
  ];
}

describe('threat 1: no default algorithm from the token', () => {
  it('takes an algorithm only from the list of the issuer', async () => {
    const onlyEc = trusting({ jwks: { keys: [rsa.publicJwk, ec.publicJwk] }, algorithms: ['ES256'] });
    expect(await judge(onlyEc, await mint(ec))).toBe('accepted');
    expect(await judge(onlyEc, await mint(rsa))).toBe('algorithm_not_allowed');
  });

  it('fails at creation with an empty list', () => {
    expect(() => trusting({ jwks: { keys: [ec.publicJwk] }, algorithms: [] })).toThrow(/algorithms/);
    expect(() => trusting({ jwks: { keys: [] } })).toThrow(/jwks/);
    expect(() => trusting({ secret: sharedSecret, algorithms: [] })).toThrow(/algorithms/);
  });
});

describe('threat 2: a key never serves another algorithm family', () => {
  const keys = [rsa, ec].map(({ publicJwk }) => createPublicKey({ key: publicJwk, format: 'jwk' }));

  it.each(keys.flatMap(spellings).map((spelling, at) => [at, spelling] as const))(
    'refuses HMAC with spelling %i of a public key',
    async (_at, spelling) => {
      for (const kid of [rsa.kid, ec.kid, undefined]) {
        expect(await judge(both, signHmac(spelling, { kid }, goodClaims()))).toBe('algorithm_not_allowed');
      }
    },
  );

  it.each(keys.flatMap(spellings).map((spelling, at) => [at, spelling] as const))(
    'refuses spelling %i of a public key as shared secret',
    (_at, spelling) => {
      expect(() => trusting({ secret: spelling })).toThrow(/secret must be a random value/);
    },
  );

  it.each([0x0a, 0x0d, 0x20, 0x00])(
    'refuses a key in DER whose own last byte is %i, with and without a line break',
    (last) => {
      // SEQUENCE { SEQUENCE {}, 60 bytes }
      const der = Buffer.from([0x30, 64, 0x30, 0, 0x04, 60, ...Array(59).fill(7), last]);
      for (const secret of [
        der,
        Buffer.concat([der, Buffer.from('\n')]),
        der.toString('base64'),
        der.toString('hex'),
      ]) {
        expect(() => trusting({ secret })).toThrow(/secret must be a random value/);
      }
    },
  );

  /** The line of an OpenSSH public key file (RFC 4253 section 6.6). */
  const ssh = (name: string): readonly [string, Buffer] => {
    const parts = [name, 'x'.repeat(70)].map((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      return Buffer.concat([length, Buffer.from(text)]);
    });
    const blob = Buffer.concat(parts);
    return [`${name} ${blob.toString('base64')} someone@host\n`, blob];
  };

  it.each(['ssh-rsa', 'ssh-ed25519', 'ecdsa-sha2-nistp256', 'sk-ssh-ed25519@openssh.com'])(
    'refuses a public key of the kind %s as shared secret',
    (name) => {
      const [line, blob] = ssh(name);
      const [, key = ''] = line.split(' ');
      const file = `---- BEGIN SSH2 PUBLIC KEY ----\n${key}\n---- END SSH2 PUBLIC KEY ----\n`;
      const wrapped = Buffer.from(line).toString('base64');
      for (const secret of [line, line.trim(), `  ${line}`, key, blob, wrapped, file, `no-pty ${line}`]) {
        expect(() => trusting({ secret })).toThrow(/secret must be a random value/);
      }
    },
  );

  it('never takes an HMAC key from a key set', async () => {
    const oct = { kty: 'oct', k: sharedSecret, alg: 'HS256', kid: 'oct' };
    const verifier = trusting({ jwks: { keys: [ec.publicJwk, oct] } });
    const token = signHmac(Buffer.from(sharedSecret, 'base64url'), { kid: 'oct' }, goodClaims());
    expect(await judge(verifier, token)).toBe('algorithm_not_allowed');
  });

  it('never mixes the algorithms of keys and secrets in options', () => {
    const keysWithHmac: JwsAlgorithm[] = ['ES256', 'HS256'];
    expect(() => trusting({ jwks: { keys: [ec.publicJwk] }, algorithms: keysWithHmac })).toThrow(
      /algorithms/,
    );
    expect(() => trusting({ secret: sharedSecret, algorithms: keysWithHmac })).toThrow(/algorithms/);
    expect(() => trusting({ secret: sharedSecret, jwks: { keys: [ec.publicJwk] } })).toThrow(/one source/);
  });
});

describe('threat 3: a JWK without alg is bound to its type and curve', () => {
  it.each([
    ['RS256', ['ES256', 'EdDSA']],
    ['ES256', ['ES384', 'RS256', 'EdDSA']],
  ])('an %s key', async (alg, others) => {
    const key = await createKey(alg);
    const { alg: _alg, ...unbound } = key.publicJwk;
    const verifier = trusting({ jwks: { keys: [unbound] } });
    expect(await judge(verifier, await mint(key))).toBe('accepted');
    for (const other of others) {
      const token = await mint(await createKey(other, key.kid));
      expect(await judge(verifier, token)).toBe('unknown_key');
    }
  });

  it('a key with alg serves no other algorithm of its type', async () => {
    const pss = await createKey('PS256', rsa.kid);
    const verifier = trusting({ jwks: { keys: [{ ...pss.publicJwk, alg: 'RS256' }] } });
    expect(await judge(verifier, await mint(pss))).toBe('unknown_key');
  });
});

describe('threat 4: weak keys', () => {
  it.each([
    ['AQAB', 1],
    ['AAEAAQ', 1],
    // 2^32 - 1, 2^32 + 1 and as long as the modulus.
    ['_____w', 1],
    ['AQAAAAE', 0],
    [`gA${'A'.repeat(339)}B`, 0],
  ])('an RSA key with the public exponent %s: %i usable', (e, usable) => {
    expect(parseKeySet({ keys: [{ ...rsa.publicJwk, e }] }, keyAlgorithms).usable).toBe(usable);
  });

  it.each([undefined, '', ' ', 'short', 'a'.repeat(31), new Uint8Array(0)])(
    'refuses %j as secret',
    (secret) => {
      expect(() =>
        trusting({ secret: secret as string, ...(secret === undefined && { jwks: { keys: [] } }) }),
      ).toThrow(TypeError);
    },
  );

  it('asks for the length of the hash', () => {
    expect(() => trusting({ secret: 'a'.repeat(32), algorithms: ['HS512'] })).toThrow(/at least 64 bytes/);
    expect(() => trusting({ secret: 'a'.repeat(48), algorithms: ['HS384'] })).not.toThrow();
  });

  it('never shows a secret that it refuses', () => {
    expect(() => trusting({ secret: 'hunter2-hunter2' })).toThrow(/^(?!.*hunter2)/);
  });

  it('ignores RSA keys under 2048 bits', async () => {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const weak = {
      ...jwk,
      n: Buffer.from(jwk.n ?? '', 'base64url')
        .subarray(0, 255)
        .toString('base64url'),
    };
    expect(() => trusting({ jwks: { keys: [weak] } })).toThrow(/jwks/);
    expect(() => trusting({ jwks: { keys: [{ ...jwk }] } })).not.toThrow();
  });
});

describe('threat 5: spellings of JWS that are not the one', async () => {
  const good = await mint(ec);
  const [header = '', payload = '', signature = ''] = good.split('.');

  it.each(['none', 'None', 'NONE', 'nOnE', 'none ', ''])('alg %j', async (alg) => {
    const none = encodeJson({ alg, typ: 'at+jwt' });
    expect(await judge(both, `${none}.${payload}.${signature}`)).toBe('algorithm_not_allowed');
    expect(await judge(both, `${none}.${payload}.`)).toBe('malformed_token');
  });

  it.each([{ crit: ['exp'] }, { crit: [] }, { crit: ['b64'], b64: false }, { b64: false }, { b64: true }])(
    'header %j',
    async (more) => {
      expect(await judge(both, await ec.sign({ typ: 'at+jwt' }, goodClaims()))).toBe('accepted');
      const forged = withPart(good, 0, encodeJson({ alg: 'ES256', kid: ec.kid, ...more }));
      expect(await judge(both, forged)).toBe('unsupported_crit');
    },
  );

  it.each([
    ['JSON serialisation', JSON.stringify({ protected: header, payload, signature })],
    ['JWE', `${good}.${payload}.${signature}`],
    ['two parts', `${header}.${payload}`],
    ['four parts', `${good}.`],
    ['a leading dot', `.${good}`],
    ['padding', `${good}=`],
    ['white space', ` ${good}`],
    ['a line break', `${header}.\n${payload}.${signature}`],
    ['the other alphabet', `${header}.${payload}.${signature.slice(0, -2)}+/`],
    ['left-over bits', `${good.slice(0, -1)}${good.endsWith('B') ? 'D' : 'B'}`],
  ])('%s', async (_name, token) => {
    expect(await judge(both, token)).toMatch(/^malformed_(token|credentials)$/);
  });
});

describe('threat 6: ECDSA signatures out of range or of another form', async () => {
  const good = await mint(ec);
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
  const hex = (r: string, s: string): string => Buffer.from(r + s, 'hex').toString('base64url');
  const zero = '0'.repeat(64);
  const one = '1'.padStart(64, '0');

  it.each([
    ['zeros', hex(zero, zero)],
    ['r zero', hex(zero, one)],
    ['s zero', hex(one, zero)],
    ['r the order', hex(order, one)],
    ['s the order', hex(one, order)],
    ['all ones', hex('f'.repeat(64), 'f'.repeat(64))],
    ['too short', hex(one, '')],
    ['too long', hex(one, one + one)],
  ])('%s', async (_name, signature) => {
    expect(await judge(both, withPart(good, 2, signature))).toBe('bad_signature');
  });

  it('DER where P1363 belongs', async () => {
    const jwk = await exportJWK(privateKey);
    const { d: _d, ...publicJwk } = jwk;
    const verifier = trusting({ jwks: { keys: [{ ...publicJwk }] } });
    const input = `${encodeJson({ alg: 'ES256', typ: 'at+jwt' })}.${encodeJson(goodClaims())}`;
    const key = { key: jwk, format: 'jwk' } as const;
    const der = sign('SHA256', Buffer.from(input), { ...key, dsaEncoding: 'der' }).toString('base64url');
    const p1363 = sign('SHA256', Buffer.from(input), { ...key, dsaEncoding: 'ieee-p1363' }).toString(
      'base64url',
    );
    expect(await judge(verifier, `${input}.${p1363}`)).toBe('accepted');
    expect(await judge(verifier, `${input}.${der}`)).toBe('bad_signature');
  });
});

describe('threat 7: keys and addresses in the header of a token', () => {
  it('are never followed, and kid is only compared', async () => {
    const fetched: string[] = [];
    const verifier = createVerifier({
      issuer: { issuer, jwksUri: `${issuer}/keys` },
      audience,
      now: () => nowMs,
      fetch: async (url) => {
        fetched.push(url);
        return Response.json({ keys: [ec.publicJwk] });
      },
    });
    const evil = 'https://evil.example/keys';
    const headers = [
      { jku: evil },
      { x5u: evil },
      { jwk: stranger.publicJwk },
      { x5c: ['MIIB'] },
      { kid: evil },
      { kid: '../../../../etc/passwd' },
      { kid: "' OR 1=1 --" },
      { kid: ec.kid, jwk: stranger.publicJwk, jku: evil },
    ];
    for (const header of headers) {
      expect(await judge(verifier, await mint(stranger, {}, header))).toMatch(
        /^(unknown_key|bad_signature)$/,
      );
    }
    expect(new Set(fetched)).toEqual(new Set([`${issuer}/keys`]));
    expect(await judge(verifier, await mint(ec, {}, { jku: evil, x5u: evil }))).toBe('accepted');
  });
});
