/** What a verifier asks of its issuers, what it tells of them, and what it does where options were left out. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createVerifier, type TrustedIssuer, type VerifierOptions } from '../../../src/index.ts';
import { createDpopClient, hashOf, requestWith } from '../../helpers/dpop.ts';
import { judge, reasonOf } from '../../helpers/judge.ts';
import { statusListToken } from '../../helpers/status-lists.ts';
import { audience, createKey, goodClaims, issuer, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const client = await createDpopClient();
const jwks = { keys: [key.publicJwk] };
const bound = await mint(key, { cnf: { jkt: client.jkt } });

const make = (options: Partial<VerifierOptions> = {}) =>
  createVerifier({ issuer: { issuer, jwks }, audience, now: () => nowMs, ...options });

afterEach(() => void vi.unstubAllGlobals());

describe('issuers', () => {
  const endpoint = `${issuer}/introspect`;
  const introspection = { clientId: 'orders', clientSecret: 'of-orders' };
  const documents = (asked: string[]) => async (url: string) => {
    asked.push(url);
    if (url === endpoint) return Response.json({ ...goodClaims(), active: true });
    const metadata = { issuer, jwks_uri: `${issuer}/jwks`, introspection_endpoint: endpoint };
    return Response.json(url.endsWith('/jwks') ? jwks : metadata);
  };

  it.each<[string, object, readonly (string | undefined)[]]>([
    ['configured keys', { jwks }, []],
    ['a key set', { jwksUri: `${issuer}/jwks` }, ['/jwks']],
    ['discovery', {}, [expect.stringContaining('/.well-known/'), '/jwks']],
    ['introspection of opaque tokens', { jwks, introspection }, []],
    [
      'introspection of all',
      { introspection: { ...introspection, tokens: 'all' } },
      [expect.stringContaining('/.well-known/')],
    ],
    [
      'introspection of all at a known place',
      { introspection: { ...introspection, endpoint, tokens: 'all' } },
      [],
    ],
  ])('ready() fetches what is needed of %s', async (_, more, paths) => {
    const asked: string[] = [];
    const verifier = make({ issuer: { issuer, ...more } as TrustedIssuer, fetch: documents(asked) });
    expect(await verifier.ready()).toBeUndefined();
    expect(asked.map((url) => url.replace(issuer, ''))).toEqual(paths);
  });

  it('are told of by health(), with what is kept', async () => {
    const other = 'https://other.example';
    const trusted = [
      { issuer, jwks, introspection: { ...introspection, endpoint } },
      { issuer: other, jwksUri: `${other}/jwks` },
    ];
    const verifier = make({ issuer: trusted, fetch: documents([]) });
    await judge(verifier, await mint(key));
    await judge(verifier, 'opaque');
    expect(verifier.health()).toEqual({
      issuers: [
        {
          issuer,
          keys: undefined,
          introspection: { state: 'closed', failures: 0, retryAt: undefined },
        },
        { issuer: other, keys: expect.objectContaining({ loaded: false }), introspection: undefined },
      ],
      cachedTokens: 2,
    });
  });

  it('may be asked about opaque tokens alone, or about all', async () => {
    const token = await mint(key, { jti: 'token-2' });
    for (const [tokens, count] of [
      ['opaque', 1],
      ['all', 2],
    ] as const) {
      const asked: string[] = [];
      const one = { issuer, jwks, introspection: { ...introspection, endpoint, tokens } };
      const verifier = make({ issuer: one, fetch: documents(asked) });
      expect([await judge(verifier, 'opaque'), await judge(verifier, token)]).toEqual([
        'accepted',
        'accepted',
      ]);
      expect(asked).toEqual(new Array(count).fill(endpoint));
    }
  });

  it('find their introspection endpoint in the metadata', async () => {
    const asked: string[] = [];
    const verifier = make({ issuer: { issuer, introspection }, fetch: documents(asked) });
    expect(await judge(verifier, 'opaque')).toBe('accepted');
    expect(asked.at(-1)).toBe(endpoint);
  });

  it('are fetched by the global fetch of the moment where none is given', async () => {
    const verifier = make({ issuer: { issuer, jwksUri: `${issuer}/jwks` } });
    const fetch = vi.fn(documents([]));
    vi.stubGlobal('fetch', fetch);
    expect(await judge(verifier, await mint(key))).toBe('accepted');
    expect(fetch).toHaveBeenCalledTimes(1);
    expect(fetch.mock.calls[0]?.[0]).toBe(`${issuer}/jwks`);
  });

  it('are looked at for a status only where that is asked for', async () => {
    const uri = `${issuer}/status/1`;
    const token = await mint(key, { status: { status_list: { idx: 0, uri } } });
    const fetch = async () => new Response(await statusListToken(key, uri, [1]));
    const judged = (more: object) => judge(make({ issuer: { issuer, jwks, ...more }, fetch }), token);
    expect(await judged({})).toBe('accepted');
    expect(await judged({ statusList: false })).toBe('accepted');
    expect(await judged({ statusList: true })).toBe('status_not_valid');
  });
});

describe('options that were left out', () => {
  it('the clock is that of the machine', async () => {
    const verifier = createVerifier({ issuer: { issuer, jwks }, audience });
    const seconds = Math.floor(Date.now() / 1000);
    expect(await judge(verifier, await mint(key, { iat: seconds, exp: seconds + 60 }))).toBe('accepted');
    expect(await judge(verifier, await mint(key, { iat: seconds - 60, exp: seconds - 30 }))).toBe('expired');
  });

  it('a cache keeps twice what was asked for at most', async () => {
    const verifier = make({ cache: { maxTokens: 1 } });
    for (let at = 0; at < 5; at++) await judge(verifier, await mint(key, { jti: `${at}` }));
    expect(verifier.health().cachedTokens).toBe(2);
    const other = make();
    for (let at = 0; at < 5; at++) await judge(other, await mint(key, { jti: `${at}` }));
    expect(other.health().cachedTokens).toBe(5);
  });

  it('a client is denied what an issuer whose clock is ahead has made', async () => {
    const verifier = make({ clockToleranceSeconds: 10 });
    verifier.invalidate({ clientId: 'billing' });
    expect(await judge(verifier, await mint(key, { iat: nowSeconds + 10 }))).toBe('invalidated');
    const strict = make({ clockToleranceSeconds: 10 });
    strict.invalidate({ clientId: 'billing', issuedUntil: nowMs - 11_000 });
    expect(await judge(strict, await mint(key))).toBe('accepted');
  });

  it('proofs may be a minute old, and five seconds ahead', async () => {
    const verifier = make();
    const ask = async (iat: number) => {
      const dpop = await client.prove({ ath: hashOf(bound), iat });
      return reasonOf(verifier.authenticate(requestWith({ authorization: `DPoP ${bound}`, dpop })));
    };
    expect([await ask(nowSeconds - 65), await ask(nowSeconds - 66)]).toEqual(['accepted', 'proof_too_old']);
    expect([await ask(nowSeconds + 5), await ask(nowSeconds + 6)]).toEqual(['accepted', 'proof_in_future']);
  });

  it('and one that is frozen cannot be changed', () => {
    const verifier = make();
    expect(Object.isFrozen(verifier)).toBe(true);
    expect(Object.isFrozen(make({ dpop: 'required' }))).toBe(true);
  });
});
