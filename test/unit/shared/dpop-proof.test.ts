import crypto, { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { EmbeddedJWK, jwtVerify } from 'jose';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { HeldProof, ProofRequest, ProofRules } from '../../../src/shared/dpop-proof.ts';
import { createDpopClient, hashOf, url } from '../../helpers/dpop.ts';
import { encodeJson, nowMs, nowSeconds, withPart } from '../../helpers/tokens.ts';
import { readVectors } from '../../helpers/vectors.ts';

/** Loads the parts anew, so that they find the crypto that the test wants. */
async function load() {
  vi.resetModules();
  const { createProofVerifier } = await import('../../../src/shared/dpop-proof.ts');
  const { createDpopNonces } = await import('../../../src/shared/dpop-nonces.ts');
  const { Fault } = await import('../../../src/shared/fault.ts');
  const rules: ProofRules = {
    algorithms: ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
    maxAgeSeconds: 60,
    toleranceSeconds: 5,
    nonces: undefined,
    now: () => nowMs,
  };

  function make(changes: Partial<ProofRules> = {}) {
    const verify = createProofVerifier({ ...rules, ...changes });
    return async (request: ProofRequest): Promise<string | HeldProof> => {
      const result = await verify(request);
      return result instanceof Fault ? result.reason : result;
    };
  }
  return { make, createProofVerifier, createDpopNonces, rules, Fault };
}

const node = await load();
const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
const web = await load();
getBuiltinModule.mockRestore();
afterAll(() => vi.resetModules());

const token = 'an.access.token';
const ath = hashOf(token);
const client = await createDpopClient();
const rsa = await createDpopClient('RS256');
const requestOf = (proof: string | null | undefined, changes: Partial<ProofRequest> = {}): ProofRequest => ({
  proof,
  method: 'GET',
  url,
  accessTokenHash: ath,
  jkt: client.jkt,
  ...changes,
});
const good = await client.prove({ ath, jti: 'proof-1' });

describe.each([
  ['node:crypto', node],
  ['WebCrypto', web],
])('a proof, judged on %s', (_runtime, { make, createDpopNonces }) => {
  const judge = async (proof: string | null | undefined, changes: Partial<ProofRequest> = {}) => {
    const result = await make()(requestOf(proof, changes));
    return typeof result === 'string' ? result : 'held';
  };
  const prove = (claims: object = {}, header: object = {}) => client.prove({ ath, ...claims }, header);

  it('that holds names its key, its id, and how long it counts', async () => {
    expect(await make()(requestOf(good))).toEqual({
      jkt: client.jkt,
      jti: 'proof-1',
      expiresAt: (nowSeconds + 65) * 1000 + 1,
    });
  });

  it.each(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'])('holds with %s', async (alg) => {
    const one = await createDpopClient(alg);
    const verify = make();
    for (let round = 0; round < 3; round++) {
      const result = await verify(requestOf(await one.prove({ ath }), { jkt: one.jkt }));
      expect(result).toMatchObject({ jkt: one.jkt });
    }
  });

  describe('section 4.3, 1 and 2: one well-formed proof', () => {
    it('that is missing', async () => {
      expect(await judge(undefined)).toBe('missing_proof');
      expect(await judge(null)).toBe('missing_proof');
    });

    it.each([
      ['nothing', ''],
      ['words', 'not a proof'],
      ['two fields joined', `${good}, ${good}`],
      ['two fields joined without a space', `${good},${good}`],
      ['a field and an empty one', `${good}, `],
      ['a proof in quotes', `"${good}"`],
      ['two parts', good.slice(0, good.lastIndexOf('.'))],
      ['four parts', `${good}.x`],
      ['no signature', `${good.slice(0, good.lastIndexOf('.'))}.`],
      ['padding', `${good}=`],
      ['a payload that is a list', withPart(good, 1, encodeJson([]))],
      ['a payload that is no JSON', withPart(good, 1, 'AAAA')],
      ['a header that is no JSON', withPart(good, 0, 'AAAA')],
      ['a header of null', withPart(good, 0, encodeJson(null))],
    ])('%s', async (_name, proof) => {
      expect(await judge(proof)).toBe('malformed_proof');
    });

    it('that is longer than 8 KiB, however good', async () => {
      expect(await judge(await prove({ extra: 'x'.repeat(4000) }))).toBe('held');
      expect(await judge(await prove({ extra: 'x'.repeat(8 * 1024) }))).toBe('malformed_proof');
    });

    it('whose payload is too deep', async () => {
      const deep = JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`) as unknown;
      expect(await judge(await prove({ deep }))).toBe('malformed_proof');
    });
  });

  describe('section 4.3, 4 to 7: the header', () => {
    it.each(['dpop+jwt', 'DPoP+JWT', 'application/dpop+jwt', 'Application/DPOP+jwt'])(
      'typ %s',
      async (typ) => {
        expect(await judge(await prove({}, { typ }))).toBe('held');
      },
    );

    it.each([undefined, 'JWT', 'at+jwt', 'dpop', '', 'text/dpop+jwt', 'dpop+jwt '])(
      'not typ %j',
      async (typ) => {
        expect(await judge(await prove({}, { typ }))).toBe('malformed_proof');
      },
    );

    it('an algorithm that is not in the list', async () => {
      const verify = make({ algorithms: ['PS256'] });
      expect(await verify(requestOf(good))).toBe('proof_algorithm_not_allowed');
    });

    it.each(['none', 'None', 'HS256', 'es256', 'ES256K', '', 'toString'])('not alg %j', async (alg) => {
      const header = encodeJson({ typ: 'dpop+jwt', alg, jwk: client.publicJwk });
      expect(await judge(withPart(good, 0, header))).toBe('proof_algorithm_not_allowed');
    });

    it('an HMAC with the public key, or with a key that it brings', async () => {
      const header = encodeJson({ typ: 'dpop+jwt', alg: 'HS256', jwk: { kty: 'oct', k: 'c2VjcmV0' } });
      const input = `${header}.${good.split('.')[1]}`;
      const mac = createHmac('sha256', 'secret').update(input).digest('base64url');
      expect(await judge(`${input}.${mac}`)).toBe('proof_algorithm_not_allowed');
    });

    it.each([undefined, null, 'key', [], {}, { kty: 'EC' }, { kty: 'oct', k: 'c2VjcmV0' }])(
      'not jwk %j',
      async (jwk) => {
        expect(await judge(await prove({}, { jwk }))).toBe('malformed_proof');
      },
    );

    it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])('not a jwk with the member %s', async (member) => {
      for (const value of ['AQAB', '', null, 0]) {
        const jwk = { ...client.publicJwk, [member]: value };
        expect(await judge(await prove({}, { jwk }))).toBe('malformed_proof');
      }
    });

    it('not a key of another type, curve, use or algorithm', async () => {
      const jwks = [
        rsa.publicJwk,
        { ...client.publicJwk, crv: 'P-384' },
        { ...client.publicJwk, crv: 'secp256k1' },
        { ...client.publicJwk, alg: 'ES384' },
        { ...client.publicJwk, use: 'enc' },
        { ...client.publicJwk, key_ops: ['sign'] },
      ];
      for (const jwk of jwks) expect(await judge(await prove({}, { jwk }))).toBe('malformed_proof');
    });

    it('not a point that is not on the curve', async () => {
      const jwk = { ...client.publicJwk, y: client.publicJwk.x };
      expect(await judge(await prove({}, { jwk }))).not.toBe('held');
    });

    it('not an RSA key under 2048 bits', async () => {
      const n = Buffer.alloc(128, 0xff).toString('base64url');
      const jwk = { kty: 'RSA', n, e: 'AQAB' };
      expect(await judge(await prove({}, { alg: 'ES256', jwk }))).toBe('malformed_proof');
      const header = encodeJson({ typ: 'dpop+jwt', alg: 'RS256', jwk });
      expect(await judge(withPart(good, 0, header))).toBe('malformed_proof');
    });

    it.each([{ crit: ['exp'], exp: 1 }, { b64: true }])('not the extension %j', async (extension) => {
      const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: client.publicJwk, ...extension };
      expect(await judge(withPart(good, 0, encodeJson(header)))).toBe('malformed_proof');
    });
  });

  describe('section 4.3, 6: signature and key', () => {
    it('a proof of another key', async () => {
      const thief = await createDpopClient();
      expect(await judge(await thief.prove({ ath }))).toBe('proof_key_mismatch');
    });

    it('a proof of another key in the name of the right one', async () => {
      const thief = await createDpopClient();
      const proof = await thief.prove({ ath }, { jwk: client.publicJwk });
      expect(await judge(proof)).toBe('bad_proof_signature');
    });

    it('the same once the right key is known', async () => {
      const verify = make();
      expect(await verify(requestOf(good))).toMatchObject({ jti: 'proof-1' });
      const thief = await createDpopClient();
      const proof = await thief.prove({ ath }, { jwk: client.publicJwk });
      expect(await verify(requestOf(proof))).toBe('bad_proof_signature');
      expect(await verify(requestOf(good, { jkt: thief.jkt }))).toBe('proof_key_mismatch');
    });

    it('a signature cut short, of zeros, or of another proof', async () => {
      const another = await prove({ jti: 'another' });
      const signatures = [
        Buffer.from(good.split('.')[2] ?? '', 'base64url')
          .subarray(0, 60)
          .toString('base64url'),
        Buffer.alloc(64).toString('base64url'),
        another.split('.')[2] ?? '',
      ];
      for (const signature of signatures) {
        expect(await judge(withPart(good, 2, signature))).toBe('bad_proof_signature');
      }
    });
  });

  describe('section 4.3, 3 and 8 to 12: the claims', () => {
    it.each([undefined, '', 5, null, ['a'], 'x'.repeat(257)])('not jti %j', async (jti) => {
      expect(await judge(await prove({ jti }))).toBe('malformed_proof');
    });

    it('jti of 256 characters', async () => {
      expect(await judge(await prove({ jti: 'x'.repeat(256) }))).toBe('held');
    });

    it.each([undefined, 'POST', 'get', 'GET ', '', ['GET'], null])('not htm %j', async (htm) => {
      expect(await judge(await prove({ htm }))).toBe('proof_method_mismatch');
    });

    it.each([
      `${url}?a=b`,
      `${url}#c`,
      'HTTPS://ORDERS.example:443/a/../orders',
      'https://orders.example/%6Frders',
    ])('htu %s', async (htu) => {
      expect(await judge(await prove({ htu }))).toBe('held');
      expect(await judge(await prove({ htu }), { url: `${url}?c=d` })).toBe('held');
    });

    it.each([
      undefined,
      null,
      [url],
      '',
      '/orders',
      `${url}/`,
      'http://orders.example/orders',
      'https://orders.example:8443/orders',
      'https://orders.example/Orders',
      'https://orders.example.evil.example/orders',
      'https://orders.example@evil.example/orders',
      'https://@orders.example/orders',
      'https:/orders.example/orders',
      'https://orders.example\\orders',
    ])('not htu %j', async (htu) => {
      expect(await judge(await prove({ htu }))).toBe('proof_url_mismatch');
    });

    it('no htu at all where the URL is not known', async () => {
      expect(await judge(good, { url: undefined })).toBe('proof_url_mismatch');
      expect(await judge(await prove({ htu: 'undefined' }), { url: undefined })).toBe('proof_url_mismatch');
    });

    it.each([
      [-66, 'proof_too_old'],
      [-65, 'held'],
      [-0.5, 'held'],
      [5, 'held'],
      [6, 'proof_in_future'],
      [5.001, 'proof_in_future'],
      [1e300, 'proof_in_future'],
      [-1e300, 'proof_too_old'],
    ])('iat %d s from now: %s', async (seconds, expected) => {
      expect(await judge(await prove({ iat: nowSeconds + seconds }))).toBe(expected);
    });

    it.each([undefined, null, `${nowSeconds}`, [nowSeconds], true])('not iat %j', async (iat) => {
      expect(await judge(await prove({ iat }))).toBe('malformed_proof');
    });

    it('not an infinite iat', async () => {
      const text = JSON.stringify({ jti: 'a', htm: 'GET', htu: url, ath, iat: 0 }).replace('0}', '1e400}');
      const payload = Buffer.from(text).toString('base64url');
      expect(await judge(withPart(good, 1, payload))).toBe('malformed_proof');
    });

    it('is remembered for as long as it would be accepted', async () => {
      for (const iat of [nowSeconds - 64.9, nowSeconds, nowSeconds + 4.9995]) {
        let time = nowMs;
        const verify = make({ now: () => time });
        const proof = await prove({ iat });
        const held = (await verify(requestOf(proof))) as HeldProof;
        time = held.expiresAt - 1;
        expect(await verify(requestOf(proof))).toMatchObject({ jti: held.jti });
        time = held.expiresAt;
        expect(await verify(requestOf(proof))).toBe('proof_too_old');
      }
    });

    it.each([undefined, null, '', hashOf('another token'), token, [ath]])('not ath %j', async (wrong) => {
      expect(await judge(await prove({ ath: wrong }))).toBe('proof_token_mismatch');
    });
  });

  it('section 4.3, 10: the nonce', async () => {
    const nonces = createDpopNonces({ secrets: ['s'.repeat(32)], lifetimeSeconds: 60, now: () => nowMs });
    const verify = make({ nonces });
    expect(await verify(requestOf(good))).toBe('missing_nonce');
    expect(await verify(requestOf(await prove({ nonce: 5 })))).toBe('missing_nonce');
    expect(await verify(requestOf(await prove({ nonce: 'x' })))).toBe('wrong_nonce');
    const nonce = await nonces.current();
    expect(await verify(requestOf(await prove({ nonce })))).toMatchObject({ jkt: client.jkt });
    expect(await make()(requestOf(await prove({ nonce: 'any' })))).toMatchObject({ jkt: client.jkt });
  });

  it('sees nothing of a polluted prototype', async () => {
    const polluted = Object.prototype as { ath?: string; nonce?: string };
    const without = await client.prove({});
    polluted.ath = ath;
    try {
      expect(await judge(without)).toBe('proof_token_mismatch');
    } finally {
      delete polluted.ath;
    }
  });

  describe('mutations', () => {
    it('of one character are never accepted', async () => {
      const verify = make();
      await verify(requestOf(good));
      const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=, ';
      await fc.assert(
        fc.asyncProperty(fc.nat(good.length - 1), fc.constantFrom(...letters), async (at, letter) => {
          fc.pre(good[at] !== letter);
          const changed = good.slice(0, at) + letter + good.slice(at + 1);
          expect(await verify(requestOf(changed))).toBeTypeOf('string');
        }),
        { numRuns: 400 },
      );
    });

    it('of claims without a new signature are never accepted', async () => {
      const verify = make();
      await verify(requestOf(good));
      const claims = fc.record(
        { jti: fc.uuid(), extra: fc.jsonValue({ maxDepth: 3 }), iat: fc.constant(nowSeconds + 1) },
        { requiredKeys: ['jti'] },
      );
      await fc.assert(
        fc.asyncProperty(claims, async (changes) => {
          const payload = encodeJson({ htm: 'GET', htu: url, ath, iat: nowSeconds, ...changes });
          expect(await verify(requestOf(withPart(good, 1, payload)))).toBe('bad_proof_signature');
        }),
        { numRuns: 100 },
      );
    });

    it('of anything into anything never throw', async () => {
      const verify = make();
      await fc.assert(
        fc.asyncProperty(
          fc.jsonValue({ maxDepth: 2 }),
          fc.jsonValue({ maxDepth: 2 }),
          async (header, payload) => {
            const proof = `${encodeJson(header)}.${encodeJson(payload)}.AAAA`;
            expect(await verify(requestOf(proof))).toBeTypeOf('string');
          },
        ),
        { numRuns: 200 },
      );
    });
  });

  it('is accepted only if jose accepts its signature', async () => {
    const signers = [client, rsa, await createDpopClient('EdDSA')];
    const verify = make();
    const cases = fc.record({
      signer: fc.constantFrom(...signers),
      named: fc.constantFrom(...signers),
      jti: fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
      extra: fc.jsonValue({ maxDepth: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ signer, named, jti, extra }) => {
        const proof = await signer.prove({ ath, jti, extra }, { jwk: named.publicJwk });
        const joseHolds = await jwtVerify(proof, EmbeddedJWK, {
          typ: 'dpop+jwt',
          currentDate: new Date(nowMs),
        }).then(
          () => true,
          () => false,
        );
        const result = await verify(requestOf(proof, { jkt: named.jkt }));
        expect(typeof result !== 'string').toBe(joseHolds);
      }),
      { numRuns: 100 },
    );
  });

  const examples = readVectors('rfc9449-dpop').filter(
    ({ options }) => options.kind === 'dpop-resource-request',
  );

  it.each(examples)('$id: $description', async (vector) => {
    const { clock, access_token: access } = vector.options as unknown as {
      readonly clock: number;
      readonly access_token: {
        readonly value: string;
        readonly introspection: { readonly cnf?: { readonly jkt?: string } };
      };
    };
    const { method = 'GET', url: target = 'https://resource.example.org/protectedresource' } =
      (vector.request as { method?: string; url?: string } | undefined) ?? {};
    const result = await make({ now: () => clock * 1000 })({
      proof: String(vector.token),
      method,
      url: target,
      accessTokenHash: hashOf(access.value),
      jkt: access.introspection.cnf?.jkt ?? '',
    });
    expect(typeof result !== 'string').toBe(vector.expected === 'accept');
  });
});

describe('keys that are known', () => {
  it('answer at once on node:crypto', async () => {
    const verify = node.createProofVerifier(node.rules);
    expect(verify(requestOf(good))).not.toBeInstanceOf(Promise);
    expect(verify(requestOf(await client.prove({ ath })))).not.toBeInstanceOf(Promise);
  });

  it('are imported once, and only once they verified', async () => {
    const imported = vi.spyOn(crypto, 'createPublicKey');
    try {
      const verify = node.createProofVerifier(node.rules);
      const forged = withPart(good, 2, Buffer.alloc(64, 1).toString('base64url'));
      for (let round = 0; round < 3; round++) await verify(requestOf(forged));
      const afterForged = imported.mock.calls.length;
      for (let round = 0; round < 3; round++) await verify(requestOf(await client.prove({ ath })));
      expect(afterForged).toBe(3);
      expect(imported.mock.calls.length).toBe(4);
    } finally {
      imported.mockRestore();
    }
  });
});
