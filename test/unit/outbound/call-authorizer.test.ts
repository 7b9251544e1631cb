/** What an adapter for an HTTP client is given for each attempt, and how long nothing new is asked for. */
import { decodeJwt } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import {
  type AuthorizedCall,
  type CallAuthorizerOptions,
  createCallAuthorizer,
} from '../../../src/outbound/call-authorizer.ts';
import { createAuthorizerBench, type Reply, refusal, refusedCall, tokenAnswer } from './in-process.ts';
import { createDeferred, mistake, rejection } from './support.ts';

const orders = 'https://orders.internal';
const url = `${orders}/orders`;
const request = { method: 'GET', url, replayable: true };
const bound: Reply = (_, count) => tokenAnswer(`token-${count}`, { token_type: 'DPoP' });
const fine = { status: 200, headers: new Headers() };

const invalid = refusedCall('invalid_token');

const tokenOf = (call: AuthorizedCall | undefined): string | undefined => call?.authorization.split(' ')[1];
const proofOf = (call: AuthorizedCall | undefined) => decodeJwt(call?.dpop ?? '');

describe('authorize', () => {
  it('gives what to send: at first later, then at once', async () => {
    const { authorizer, network } = createAuthorizerBench();
    const first = authorizer.authorize(request);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toMatchObject({ url, authorization: 'Bearer token-1', dpop: undefined });
    const second = authorizer.authorize({ ...request, url: ' HTTPS://ORDERS.internal:443/x' });
    expect(second).toMatchObject({ url: `${orders}/x`, authorization: 'Bearer token-1' });
    expect(network.sent).toHaveLength(1);
  });

  it('with a bound token makes a proof for the very request', async () => {
    const { authorizer } = createAuthorizerBench({ dpop: true }, bound);
    const call = await authorizer.authorize({ ...request, method: 'PUT', url: `${url}?a=b` });
    expect(call.authorization).toBe('DPoP token-1');
    expect(proofOf(call)).toMatchObject({ htm: 'PUT', htu: url });
    expect([call.concerns(200), call.concerns(401)]).toEqual([true, true]);
  });

  it('refuses what no target covers, in the name of the adapter', () => {
    const { authorizer, network } = createAuthorizerBench();
    expect(() => authorizer.authorize({ ...request, url: 'https://evil.example' })).toThrow(
      expect.objectContaining({ code: 'untrusted_target' }),
    );
    expect(() => authorizer.authorize({ ...request, url: '/orders' })).toThrow(
      mistake('createCallAuthorizer: the URL must be absolute', 'call_invalid'),
    );
    const options = { issuer: 'https://idp.example', clientId: 'a', clientSecret: 's', targets: [orders] };
    expect(() => createCallAuthorizer(options, 'myAdapter').authorize({ ...request, url: 'x' })).toThrow(
      mistake('myAdapter: the URL must be absolute', 'call_invalid'),
    );
    expect(network.sent).toEqual([]);
  });

  it.each<[string, Partial<CallAuthorizerOptions>]>([
    ['its token', {}],
    ['whom it is for', { targets: [{ origin: orders, onBehalfOf: () => new Promise(() => {}) }] }],
  ])('ends the wait for %s with the signal', async (_, options) => {
    const { authorizer } = createAuthorizerBench(options, () => new Promise<Response>(() => {}));
    const controller = new AbortController();
    const waiting = Promise.resolve(authorizer.authorize({ ...request, signal: controller.signal }));
    controller.abort(new Error('enough'));
    expect(await rejection(waiting)).toMatchObject({ message: 'enough' });
  });

  it('on behalf of somebody exchanges, explains that, and closes all', async () => {
    const { authorizer, network } = createAuthorizerBench();
    const alice = authorizer.onBehalfOf('alice');
    expect(alice.explain(url)).toMatchObject({ target: { origin: orders }, token: undefined });
    await alice.authorize(request);
    expect(network.sent[0]?.form.get('subject_token')).toBe('alice');
    expect(alice.explain(new URL(url)).token).toMatchObject({ tokenType: 'Bearer', ageMs: 0 });
    expect(authorizer.explain(url).token).toBeUndefined();
    expect(alice.tokens).toBe(authorizer.tokens);
    alice.close();
    const closed = expect.objectContaining({ code: 'closed', message: 'the token client is closed' });
    expect(() => authorizer.authorize(request)).toThrow(closed);
  });

  it('asks a target on whose behalf, unless somebody was named; explaining asks nobody', async () => {
    let asked = 0;
    const onBehalfOf = (): string => `person-${++asked}`;
    const { authorizer, authorize, network } = createAuthorizerBench({
      targets: [{ origin: orders, onBehalfOf }],
    });
    await authorize();
    expect(authorizer.explain(url).token).toBeUndefined();
    const alice = authorizer.onBehalfOf('alice');
    await alice.authorize(request);
    expect(alice.explain(url).token).toBeDefined();
    await authorize();
    const subjects = network.sent.map(({ form }) => form.get('subject_token'));
    expect([asked, ...subjects]).toEqual([2, 'person-1', 'alice', 'person-2']);
  });

  it('says what went wrong last', async () => {
    const { authorizer, authorize, clock } = createAuthorizerBench({}, () => refusal('invalid_scope'));
    await rejection(authorize());
    expect(authorizer.explain(url).lastError).toMatchObject({ at: clock.now(), oauthError: 'invalid_scope' });
    const nothing = { target: undefined, token: undefined, lastError: undefined };
    expect(authorizer.explain('https://evil.example')).toStrictEqual(nothing);
  });

  it('says what would be asked for', () => {
    const target = { origin: orders, scope: 'a', resource: 'urn:b', dpop: true };
    const { authorizer } = createAuthorizerBench({ targets: [target], scope: 'x', resource: 'urn:y' });
    expect(authorizer.explain(url).target).toStrictEqual({
      origin: orders,
      pathPrefix: '/',
      scope: 'a',
      resources: ['urn:b'],
      dpop: true,
    });
  });
});

describe('again', () => {
  it('gives one new token, and after that the answer is final', async () => {
    const { authorize, network, retries } = createAuthorizerBench();
    const call = await authorize();
    expect([call.concerns(200), call.concerns(403), call.concerns(401)]).toEqual([false, false, true]);
    expect(await call.again({ ...invalid, status: 403 })).toBeUndefined();
    const next = await call.again(invalid);
    expect(tokenOf(next)).toBe('token-2');
    expect(next?.concerns(200)).toBe(true);
    expect(next?.again(fine)).toBeUndefined();
    expect(await next?.again(invalid)).toBeUndefined();
    expect(network.sent).toHaveLength(2);
    expect(retries()).toEqual([{ type: 'retry', reason: 'invalid_token', origin: orders }]);
  });

  it('needs no listener', async () => {
    const { authorizer, authorize } = createAuthorizerBench({ onEvent: undefined });
    expect(tokenOf(await (await authorize()).again(invalid))).toBe('token-2');
    const once = await authorizer.authorize({ ...request, replayable: false });
    expect(await once.again(invalid)).toBeUndefined();
  });

  it('says so where the body cannot be sent again, and the next call has a better token', async () => {
    const { authorizer, network, retries } = createAuthorizerBench();
    const call = await authorizer.authorize({ ...request, replayable: false });
    expect(await call.again(invalid)).toBeUndefined();
    expect(retries()).toEqual([{ type: 'retry.refused', reason: 'body_not_replayable', origin: orders }]);
    await vi.waitFor(async () => {
      expect(await authorizer.tokens.getToken()).toMatchObject({ accessToken: 'token-2' });
    });
    // What was new and is refused as well is not replaced again.
    const next = await authorizer.authorize(request);
    expect(await next.again(invalid)).toBeUndefined();
    expect(network.sent).toHaveLength(2);
  });

  it('looks at other challenges in vain', async () => {
    const { authorize, network } = createAuthorizerBench();
    const call = await authorize();
    for (const error of ['use_dpop_nonce', 'invalid_dpop_proof', 'insufficient_scope']) {
      const date = new Date(0).toUTCString();
      expect(await call.again(refusedCall(error, { 'dpop-nonce': 'n', date }))).toBeUndefined();
    }
    expect(await call.again({ status: 401, headers: new Headers() })).toBeUndefined();
    expect(network.sent).toHaveLength(1);
  });

  it('learns nonces for proofs alone', async () => {
    const { authorizer, authorize } = createAuthorizerBench();
    const call = await authorize();
    await call.again(refusedCall('insufficient_scope', { 'dpop-nonce': 'n' }));
    const proof = await authorizer.tokens.dpopProof({ method: 'GET', url, accessToken: 'x' });
    expect(decodeJwt(proof)).not.toHaveProperty('nonce');
  });
});

describe('a service that refuses new tokens, too', () => {
  /** A call that is refused, sent again with a new token, and refused once more. */
  async function refusedTwice(bench: ReturnType<typeof createAuthorizerBench>): Promise<void> {
    const next = await (await bench.authorize()).again(invalid);
    expect(await next?.again(invalid)).toBeUndefined();
  }

  it.each([
    [0, 2],
    [9999, 2],
    [10_000, 3],
    [-1, 3],
  ])('after %i ms: %i tokens in all', async (later, tokens) => {
    const bench = createAuthorizerBench();
    await refusedTwice(bench);
    bench.clock.advance(later);
    const next = await (await bench.authorize()).again(invalid);
    expect(bench.network.sent).toHaveLength(tokens);
    expect(next !== undefined).toBe(tokens === 3);
  });

  it.each([
    [9999, 2],
    [10_000, 3],
  ])('where the server gives the same token again, after %i ms: %i requests in all', async (later, sent) => {
    const { authorize, network, clock } = createAuthorizerBench({}, () => tokenAnswer('same'));
    expect(await (await authorize()).again(invalid)).toBeUndefined();
    clock.advance(later);
    expect(await (await authorize()).again(invalid)).toBeUndefined();
    expect(network.sent).toHaveLength(sent);
  });

  it('is asked anew once it took one', async () => {
    const { authorize, network } = createAuthorizerBench();
    const [one, other] = [await authorize(), await authorize()];
    const next = await one.again(invalid);
    const otherNext = await other.again(invalid);
    expect([tokenOf(next), tokenOf(otherNext)]).toEqual(['token-2', 'token-2']);
    await next?.again(invalid);
    await otherNext?.again(fine);
    expect(tokenOf(await (await authorize()).again(invalid))).toBe('token-3');
    expect(network.sent).toHaveLength(3);
  });

  it('is not asked anew for a token that it took before', async () => {
    const bench = createAuthorizerBench();
    await refusedTwice(bench);
    expect((await bench.authorize()).again(fine)).toBeUndefined();
    expect(await (await bench.authorize()).again(invalid)).toBeUndefined();
    expect(bench.network.sent).toHaveLength(2);
  });

  it('is asked anew about a token that came by another way', async () => {
    const bench = createAuthorizerBench();
    await refusedTwice(bench);
    await bench.authorizer.tokens.getToken({ forceRefresh: true });
    expect(tokenOf(await (await bench.authorize()).again(invalid))).toBe('token-4');
  });

  it('is another one for another target or origin', async () => {
    const stock = 'https://stock.internal';
    const bench = createAuthorizerBench({ targets: [orders, stock] });
    await refusedTwice(bench);
    const call = await bench.authorizer.authorize({ ...request, url: stock });
    expect(tokenOf(await call.again(invalid))).toBe('token-3');
  });

  it('keeps a token where no other can be had', async () => {
    const answers = [tokenAnswer('a'), refusal('server_error', 500)];
    const { authorize, retries } = createAuthorizerBench({}, () => answers.shift() ?? tokenAnswer('b'));
    const call = await authorize();
    expect(await call.again(invalid)).toBeUndefined();
    expect(retries()).toEqual([]);
    expect(tokenOf(await authorize())).toBe('a');
  });
});

it('a renewal that is under way ends with the signal of its call', async () => {
  const asked = createDeferred();
  const { authorizer } = createAuthorizerBench({}, (_, count) => {
    if (count === 1) return tokenAnswer('a');
    asked.resolve();
    return new Promise<Response>(() => {});
  });
  const controller = new AbortController();
  const call = await authorizer.authorize({ ...request, signal: controller.signal });
  const waiting = Promise.resolve(call.again(invalid));
  await asked.promise;
  controller.abort(new Error('enough'));
  expect(await rejection(waiting)).toMatchObject({ message: 'enough' });
});
