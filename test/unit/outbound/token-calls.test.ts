/** What the calls of a token client give: proofs for requests that are sent by other means, and tokens in time. */
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { createAuthedFetch } from '../../../src/outbound/authed-fetch.ts';
import { hashOf } from '../../helpers/dpop.ts';
import { countedTokens, createClientBench, createNetwork, type Reply, tokenAnswer } from './in-process.ts';
import { createClock, rejection } from './support.ts';

const tokenEndpoint = 'https://idp.example/token';
const url = 'https://orders.internal/orders';
describe('dpopProof', () => {
  const withNonce: Reply = (_, count) =>
    tokenAnswer(`token-${count}`, { token_type: 'DPoP' }, { 'dpop-nonce': 'of-the-issuer' });

  it('without a token is one for a token request, with what the issuer said last', async () => {
    const { tokens, clock } = createClientBench(withNonce, { dpop: true });
    const ofIssuer = { method: 'POST', url: tokenEndpoint };
    expect(decodeJwt(await tokens.dpopProof(ofIssuer))).toEqual({
      jti: expect.any(String),
      htm: 'POST',
      htu: tokenEndpoint,
      iat: clock.now() / 1000,
    });
    await tokens.getToken();
    expect(decodeJwt(await tokens.dpopProof(ofIssuer)).nonce).toBe('of-the-issuer');
    expect(decodeJwt(await tokens.dpopProof({ ...ofIssuer, nonce: 'x' })).nonce).toBe('x');
    const resource = await tokens.dpopProof({ ...ofIssuer, accessToken: 'x' });
    expect(decodeJwt(resource)).not.toHaveProperty('nonce');
  });

  it('with a token has its hash, and is of the key of that token', async () => {
    const { tokens } = createClientBench(countedTokens, { dpop: { rotate: true } });
    const jktOf = (proof: string): unknown =>
      JSON.parse(Buffer.from(proof.split('.')[0] ?? '', 'base64url').toString()).jwk;
    const [one, two] = [await tokens.getToken({ scope: 'a' }), await tokens.getToken({ scope: 'b' })];
    const of = async (accessToken: string) =>
      tokens.dpopProof({ method: 'GET', url: new URL(`${url}?a#b`), accessToken });
    const first = await of(one.accessToken);
    expect(decodeJwt(first)).toMatchObject({ htm: 'GET', htu: url, ath: hashOf(one.accessToken) });
    expect(jktOf(await of(one.accessToken))).toEqual(jktOf(first));
    expect(jktOf(await of(two.accessToken))).not.toEqual(jktOf(first));
    expect(decodeJwt(await of('foreign')).ath).toBe(hashOf('foreign'));
  });

  it('goes by the clock of its server, and has the nonce of it', async () => {
    const { now } = createClock();
    const date = new Date(now() + 60_000).toUTCString();
    const { fetch } = createNetwork({
      '/token': () => tokenAnswer('t', { token_type: 'DPoP' }),
      '*': () => new Response('good', { headers: { date, 'dpop-nonce': 'n' } }),
    });
    const targets = ['https://orders.internal'];
    const client = { tokenEndpoint, clientId: 'a', clientSecret: 's', dpop: true };
    const call = createAuthedFetch({ ...client, targets, now, fetch });
    await call(url);
    const proof = await call.tokens.dpopProof({ method: 'GET', url, accessToken: 't' });
    expect(decodeJwt(proof)).toMatchObject({ nonce: 'n', iat: Math.floor((now() + 60_500) / 1000) });
    const other = await call.tokens.dpopProof({ method: 'GET', url });
    expect(decodeJwt(other)).toMatchObject({ iat: now() / 1000 });
  });
});

describe('getToken and invalidate', () => {
  it('asks anew for true alone', async () => {
    const { tokens } = createClientBench();
    const ask = (forceRefresh: unknown) => tokens.getToken({ forceRefresh: forceRefresh as boolean });
    for (const value of [undefined, false, 'true', 1]) {
      expect(await ask(value)).toMatchObject({ accessToken: 'token-1' });
    }
    expect(await ask(true)).toMatchObject({ accessToken: 'token-2' });
  });

  it('forgets what is named, and nothing else', async () => {
    const { tokens, sent } = createClientBench();
    const all = async (): Promise<number> => {
      for (const scope of ['a', 'b']) await tokens.getToken({ scope });
      await tokens.getToken({ scope: 'a', resource: 'urn:x' });
      return sent.length;
    };
    expect(await all()).toBe(3);
    tokens.invalidate({ scope: 'a' });
    expect(await all()).toBe(4);
    tokens.invalidate({ scope: 'a', resource: 'urn:x' });
    expect(await all()).toBe(5);
    tokens.invalidate({ accessToken: 'token-2' });
    expect(await all()).toBe(6);
    tokens.invalidate({ accessToken: 'token-2' });
    expect(await all()).toBe(6);
    tokens.invalidate();
    expect(await all()).toBe(9);
  });

  it('an aborted signal is seen before anything else', async () => {
    const { tokens, sent } = createClientBench();
    const signal = AbortSignal.abort(new Error('too late'));
    expect(await rejection(tokens.getToken({ signal }))).toMatchObject({ message: 'too late' });
    const exchanged = tokens.exchange({ subjectToken: '', signal });
    expect(await rejection(exchanged)).toMatchObject({ message: 'too late' });
    expect(sent).toEqual([]);
  });

  it('renews by its options: ahead, and at the latest', async () => {
    const { tokens, clock, sent } = createClientBench(countedTokens, {
      refresh: { aheadSeconds: 0, mandatorySeconds: 30 },
      defaultLifetimeSeconds: 400,
    });
    await tokens.getToken();
    clock.advance(569_999);
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1' });
    expect(sent).toHaveLength(1);
    clock.advance(1);
    expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-2' });
  });
});
