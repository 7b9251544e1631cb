/** jose as oracle of DPoP proofs (RFC 9449): whatever is done to a proof, both verdicts agree, on every crypto. */

import { randomUUID } from 'node:crypto';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { calculateJwkThumbprint } from 'jose';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { AuthOutcome, AuthRequest, MaybePromise, VerifierOptions } from '../../src/index.ts';
import { hashOf } from '../helpers/dpop.ts';
import { reasonOf } from '../helpers/judge.ts';
import { allowedDifferences, differencesOf, joseAccepts } from '../helpers/proof-judge.ts';
import {
  type Draft,
  type Mutation,
  mutations,
  type ProofSigner,
  signers,
  tamperings,
  url,
  write,
} from '../helpers/proof-mutations.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds } from '../helpers/tokens.ts';
import { readVectors } from '../helpers/vectors.ts';

type Core = typeof import('../../src/index.ts');

/** Loads everything anew, so that it finds the crypto that the runtime seems to have. */
async function load(): Promise<Core> {
  vi.resetModules();
  return import('../../src/index.ts');
}

const node = await load();
const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
const web = await load();
getBuiltinModule.mockRestore();
vi.doMock('../../src/shared/runtime.ts', async (original) => ({
  ...(await original<object>()),
  nodeCrypto: undefined,
  nodeBuffer: undefined,
}));
const portable = await load();
vi.doUnmock('../../src/shared/runtime.ts');
afterAll(() => vi.resetModules());

const runtimes: readonly (readonly [string, Core])[] = [
  ['node:crypto', node],
  ['WebCrypto', web],
  ['WebCrypto without Buffer', portable],
];

const key = await createKey('ES256');
const options: VerifierOptions = {
  issuer: { issuer, jwks: { keys: [key.publicJwk] } },
  audience,
  now: () => nowMs,
  // The same proof is judged again and again.
  dpop: { replayStore: { record: () => 'recorded' } },
};
const verifiers = runtimes.map(([, { createVerifier }]) => createVerifier(options));

const tokens = new Map<string, Promise<string>>();
function tokenFor(jkt: string): Promise<string> {
  const token = tokens.get(jkt) ?? mint(key, { cnf: { jkt } });
  tokens.set(jkt, token);
  return token;
}

/** As a framework hands it over, without the trimming of `Headers`. */
function requestOf(token: string, proof: string): AuthRequest {
  const headers: Record<string, string> = { authorization: `DPoP ${token}`, dpop: proof };
  return { method: 'POST', url: `${url}?page=2`, headers: { get: (name) => headers[name] } };
}

async function draftOf(signer: ProofSigner): Promise<Draft> {
  const token = await tokenFor(signer.jkt);
  return {
    signer,
    header: { typ: 'dpop+jwt', alg: signer.alg, jwk: signer.publicJwk },
    claims: { jti: randomUUID(), htm: 'POST', htu: url, iat: nowSeconds, ath: hashOf(token) },
    headerText: (json) => json,
    claimsText: (json) => json,
  };
}

/** WebCrypto says late that it cannot use a key: then it is another one, or no signature holds. */
const lateReasons = ['bad_proof_signature', 'proof_key_mismatch', 'malformed_proof'];
const sameReason = (reason: string): string => (lateReasons.includes(reason) ? 'no good key' : reason);

const seen = new Set<string>();

/** The one verdict on a proof: on every crypto, and jose's too, but for the differences that are allowed. */
async function verdictOn(proof: string, jkt: string): Promise<boolean> {
  const token = await tokenFor(jkt);
  const request = requestOf(token, proof);
  const reasons = await Promise.all(verifiers.map((verifier) => reasonOf(verifier.authenticate(request))));
  expect(new Set(reasons.map(sameReason)).size, reasons.join(' ')).toBe(1);
  expect(new Set(reasons.map((reason) => reason === 'accepted')).size, reasons.join(' ')).toBe(1);
  const here = reasons[0] === 'accepted';
  const there = await joseAccepts(proof, { method: 'POST', url, token, jkt, nowSeconds });
  if (here === there) return here;
  const reasonsToDiffer = differencesOf(proof, here ? 'accepted' : 'refused');
  expect(
    reasonsToDiffer,
    `${reasons[0]} here, ${there ? 'accepted' : 'refused'} by jose: ${proof}`,
  ).not.toEqual([]);
  for (const name of reasonsToDiffer) seen.add(name);
  return here;
}

it('the runtimes are what they seem to be', async () => {
  const [signer] = signers;
  if (signer === undefined) throw new Error('no signer');
  const token = await tokenFor(signer.jkt);
  const waits = verifiers.map(() => [] as boolean[]);
  for (let round = 0; round < 10; round++) {
    const request = requestOf(token, write(await draftOf(signer)));
    for (const [at, verifier] of verifiers.entries()) {
      await endOfTurn();
      const outcome: MaybePromise<AuthOutcome> = verifier.authenticate(request);
      waits[at]?.push(outcome instanceof Promise);
      await outcome;
    }
  }
  // Where it need not wait it may still be too slow once for one turn of the loop.
  expect(waits.map((all) => all.every(Boolean))).toEqual([false, true, true]);
});

describe.each(signers.map((signer) => [signer.name, signer] as const))('%s', (name, signer) => {
  const isWeak = name.includes('1024');

  it('a good proof holds, again and again, unless its key is weak', async () => {
    for (let round = 0; round < 3; round++) {
      expect(await verdictOn(write(await draftOf(signer)), signer.jkt)).toBe(!isWeak);
    }
  });

  it('its good proof serves no token of another client', async () => {
    for (const other of signers.filter(({ jkt }) => jkt !== signer.jkt)) {
      const { claims } = await draftOf(other);
      expect(await verdictOn(write({ ...(await draftOf(signer)), claims }), other.jkt)).toBe(false);
    }
  });

  it('each change that is signed is judged alike', async () => {
    const accepted: string[] = [];
    for (const [change, mutate] of mutations) {
      if (await verdictOn(write(mutate(await draftOf(signer))), signer.jkt)) accepted.push(change);
    }
    expect(accepted.length).toBeGreaterThanOrEqual(isWeak ? 0 : 40);
    expect(accepted.length).toBeLessThan(mutations.length / 2);
  });

  it('each change that is not signed is judged alike', async () => {
    const proof = write(await draftOf(signer));
    const accepted: string[] = [];
    for (const [change, tamper] of tamperings) {
      if (await verdictOn(tamper(proof, signer), signer.jkt)) accepted.push(change);
    }
    // What is not padded, or has no other alphabet's characters, may come out unchanged.
    const harmless = /^nothing$|twin|left-over|the other base64/;
    expect(accepted.filter((change) => !harmless.test(change))).toEqual([]);
    if (!isWeak)
      expect(accepted).toEqual(expect.arrayContaining(['nothing', 'the twin of an ECDSA signature']));
  });

  it('every character counts', async () => {
    const proof = write(await draftOf(signer));
    for (let at = 0; at < proof.length; at++) {
      const other = proof[at] === 'A' ? 'B' : 'A';
      const changed = proof.slice(0, at) + other + proof.slice(at + 1);
      const [verifier] = verifiers;
      const outcome = await verifier?.authenticate(requestOf(await tokenFor(signer.jkt), changed));
      expect(outcome).toMatchObject({ ok: false });
    }
  });
});

describe('at random', () => {
  const signer = fc.constantFrom(...signers);
  const change = fc.constantFrom(...mutations.map(([, mutate]) => mutate));
  const changes = fc.array(change, { maxLength: 3 });
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n%é';
  const tamper = fc.oneof(
    { weight: 4, arbitrary: fc.constant((proof: string) => proof) },
    { weight: 1, arbitrary: fc.constantFrom(...tamperings.map(([, one]) => one)) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.nat(3000), fc.constantFrom(...alphabet), fc.boolean())
        .map(([index, character, insert]) => (proof: string) => {
          const at = index % (proof.length + 1);
          return proof.slice(0, at) + character + proof.slice(insert ? at : at + 1);
        }),
    },
  );

  it('proofs that were changed, signed, and changed again are judged alike', async () => {
    const count = { accepted: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(signer, changes, tamper, async (by, mutates, tamperWith) => {
        const draft = mutates.reduce((before, mutate) => mutate(before), await draftOf(by));
        const accepted = await verdictOn(tamperWith(write(draft), by), by.jkt);
        count[accepted ? 'accepted' : 'refused']++;
      }),
      { numRuns: 800 },
    );
    expect(Math.min(count.accepted, count.refused)).toBeGreaterThan(100);
  });

  it('claims of any JSON are judged alike', async () => {
    const claims = fc.dictionary(
      fc.oneof(
        fc.constantFrom('jti', 'htm', 'htu', 'iat', 'ath', 'nonce', '__proto__', 'toString'),
        fc.string(),
      ),
      fc.jsonValue({ maxDepth: 3 }),
      { maxKeys: 4 },
    );
    await fc.assert(
      fc.asyncProperty(signer, claims, fc.boolean(), async (by, given, over) => {
        const draft = await draftOf(by);
        const mixed = over ? { ...draft.claims, ...given } : { ...given, ...draft.claims };
        await verdictOn(write({ ...draft, claims: mixed }), by.jkt);
      }),
      { numRuns: 300 },
    );
  });

  it('header members of any JSON are judged alike', async () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const names = [
      'kid',
      'crit',
      'cty',
      'x5c',
      'jku',
      'zip',
      'enc',
      'b64',
      'epk',
      'use',
      'key_ops',
      'ext',
      'kty',
    ];
    const members = fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(signer, members, fc.boolean(), async (by, given, within) => {
        const draft = await draftOf(by);
        const header = within
          ? { ...draft.header, jwk: { ...given, ...by.publicJwk } }
          : { ...given, ...draft.header };
        await verdictOn(write({ ...draft, header }), by.jkt);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a token bound to the key of the proof, however that is spelt', () => {
  const respell =
    (member: string, how: (text: string) => string): Mutation =>
    (draft) => {
      const jwk: Record<string, unknown> = { ...draft.signer.publicJwk };
      const text = jwk[member];
      return typeof text === 'string'
        ? { ...draft, header: { ...draft.header, jwk: { ...jwk, [member]: how(text) } } }
        : draft;
    };
  const bytes = (how: (bytes: Buffer) => Buffer) => (text: string) =>
    how(Buffer.from(text, 'base64url')).toString('base64url');
  const spellings: readonly (readonly [string, (text: string) => string])[] = [
    ['a zero in front', bytes((all) => Buffer.concat([Buffer.alloc(1), all]))],
    ['a zero behind', bytes((all) => Buffer.concat([all, Buffer.alloc(1)]))],
    ['the first byte missing', bytes((all) => all.subarray(1))],
    ['the last byte missing', bytes((all) => all.subarray(0, -1))],
    ['zeros', bytes((all) => Buffer.alloc(all.length))],
    ['ones', bytes((all) => Buffer.alloc(all.length, 0xff))],
    ['nothing', () => ''],
    [
      'left-over bits',
      (text) => text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) + 1),
    ],
    ['padding', (text) => `${text}=`],
    ['white space', (text) => ` ${text}`],
    ['the other base64', (text) => text.replaceAll('-', '+').replaceAll('_', '/')],
    ['a character of no alphabet', (text) => `${text.slice(0, 8)}%${text.slice(8)}`],
  ];
  const cases = spellings.flatMap(([name, how]) =>
    ['x', 'y', 'n', 'e'].map((member) => [member, name, respell(member, how)] as const),
  );

  it.each(cases)('%s: %s', async (_member, _name, mutate) => {
    for (const signer of signers) {
      const { header } = mutate(await draftOf(signer));
      const jkt = await calculateJwkThumbprint(header.jwk as object).catch(() => signer.jkt);
      const draft = await draftOf({ ...signer, jkt });
      await verdictOn(write({ ...draft, header }), jkt);
    }
  });
});

it('no difference is allowed that is never seen', () => {
  expect([...seen].sort()).toEqual(Object.keys(allowedDifferences).sort());
});

interface ResourceRequest {
  readonly clock: number;
  readonly access_token: { readonly value: string; readonly introspection: object };
}

describe.each(runtimes)('RFC 9449 section 7 on %s', (_name, { createVerifier }) => {
  const examples = readVectors('rfc9449-dpop').filter((one) => one.options.kind === 'dpop-resource-request');

  it.each(examples)('$id: $description', async (vector) => {
    const { clock, access_token: token } = vector.options as unknown as ResourceRequest;
    const { method = 'GET', url: target = 'https://resource.example.org/protectedresource' } =
      (vector.request as { method?: string; url?: string } | undefined) ?? {};
    const endpoint = 'https://server.example.com/introspect';
    const verifier = createVerifier({
      issuer: {
        issuer: 'https://server.example.com',
        introspection: { endpoint, clientId: 'rs', clientSecret: 'secret' },
      },
      audience: null,
      now: () => clock * 1000,
      fetch: async () => Response.json(token.introspection),
    });
    const isBearer = vector.token === token.value;
    const headers = new Headers({ authorization: `${isBearer ? 'Bearer' : 'DPoP'} ${token.value}` });
    if (!isBearer) headers.set('dpop', String(vector.token));
    const outcome = await verifier.authenticate({ method, url: target, headers });
    expect(outcome.ok).toBe(vector.expected === 'accept');
  });
});

describe.each(runtimes)('section 11.1 on %s', (_name, { createVerifier }) => {
  it('a proof whose signature was turned into its twin is the same proof', async () => {
    const twin = tamperings.find(([name]) => name.startsWith('the twin'))?.[1] ?? ((proof) => proof);
    const { dpop, ...others } = options;
    for (const signer of signers.filter(({ alg }) => alg.startsWith('ES'))) {
      const verifier = createVerifier(others);
      const proof = write(await draftOf(signer));
      const other = twin(proof, signer);
      expect(other).not.toBe(proof);
      const ask = async (one: string): Promise<string> =>
        reasonOf(verifier.authenticate(requestOf(await tokenFor(signer.jkt), one)));
      expect([await ask(proof), await ask(other), await ask(proof)]).toEqual([
        'accepted',
        'replayed_proof',
        'replayed_proof',
      ]);
    }
  });
});
