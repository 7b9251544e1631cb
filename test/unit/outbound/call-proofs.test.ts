/** Proofs of calls that an adapter sends: made for each attempt, and when they are made again (RFC 9449). */
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import type { AuthorizedCall, CallAuthorizerOptions } from '../../../src/outbound/call-authorizer.ts';
import { createAuthorizerBench, refusedCall } from './in-process.ts';

const orders = 'https://orders.internal';
const request = { method: 'GET', url: `${orders}/orders`, replayable: true };

const invalid = refusedCall('invalid_token');

const createBench = (options: Partial<CallAuthorizerOptions> = {}) =>
  createAuthorizerBench({ dpop: true, ...options });

const tokenOf = (call: AuthorizedCall | undefined): string | undefined => call?.authorization.split(' ')[1];
const proofOf = (call: AuthorizedCall | undefined) => decodeJwt(call?.dpop ?? '');

describe('proofs', () => {
  const nonce = (value: string) => refusedCall('use_dpop_nonce', { 'dpop-nonce': value });

  it('are made again with each new nonce, three times at most', async () => {
    const { authorize, retries } = createBench();
    let call: AuthorizedCall | undefined = await authorize();
    expect(proofOf(call)).not.toHaveProperty('nonce');
    for (const value of ['n-1', 'n-2', 'n-3']) {
      call = await call?.again(nonce(value));
      expect(proofOf(call)).toMatchObject({ nonce: value });
    }
    expect(await call?.again(nonce('n-4'))).toBeUndefined();
    const retry = { type: 'retry', reason: 'use_dpop_nonce', origin: orders };
    expect(retries()).toEqual([retry, retry, retry]);
  });

  it('are not made again with the nonce that they had, or without any', async () => {
    const { authorize } = createBench();
    const call = await authorize();
    expect(await call.again(refusedCall('use_dpop_nonce'))).toBeUndefined();
    const next = await call.again(nonce('n-1'));
    expect(await next?.again(nonce('n-1'))).toBeUndefined();
    expect(await next?.again(refusedCall('use_dpop_nonce'))).toBeUndefined();
    const later = await authorize();
    expect(proofOf(later)).toMatchObject({ nonce: 'n-1' });
    expect(await later.again(nonce('n-1'))).toBeUndefined();
  });

  it('with a new nonce do not help a token that is refused', async () => {
    const { authorize } = createBench();
    const next = await (await authorize()).again(refusedCall('invalid_token', { 'dpop-nonce': 'n-1' }));
    expect([tokenOf(next), proofOf(next).nonce]).toEqual(['token-2', 'n-1']);
  });

  it('that were made again three times leave no room for another token', async () => {
    const { authorize, network } = createBench();
    let call: AuthorizedCall | undefined = await authorize();
    for (const value of ['n-1', 'n-2', 'n-3']) call = await call?.again(nonce(value));
    expect(await call?.again(invalid)).toBeUndefined();
    expect(network.sent).toHaveLength(1);
  });

  it('of one target do not make another one repeat calls that have none', async () => {
    const targets = [
      { origin: orders, pathPrefix: '/bound', dpop: true },
      { origin: orders, pathPrefix: '/free', dpop: false },
    ];
    const { authorizer, clock } = createBench({ targets });
    const date = new Date(clock.now() + 60_000).toUTCString();
    const proven = await authorizer.authorize({ ...request, url: `${orders}/bound` });
    await proven.again({ status: 200, headers: new Headers({ date, 'dpop-nonce': 'n' }) });
    const free = await authorizer.authorize({ ...request, url: `${orders}/free` });
    expect(free).toMatchObject({ authorization: 'Bearer token-2', dpop: undefined });
    expect(await free.again(nonce('n'))).toBeUndefined();
    expect(await free.again(refusedCall('invalid_dpop_proof', { date }))).toBeUndefined();
  });

  it.each([
    [4000, 0],
    [6000, 6500],
    [-6000, -5500],
    [3_600_000, 3_600_500],
  ])('for a clock %i ms away', async (away, known) => {
    const { authorize, clock, retries } = createBench();
    const date = new Date(clock.now() + away).toUTCString();
    const next = await (await authorize()).again(refusedCall('invalid_dpop_proof', { date }));
    expect(next !== undefined).toBe(known !== 0);
    expect(retries()).toEqual(known === 0 ? [] : [{ type: 'retry', reason: 'clock_skew', origin: orders }]);
    expect(proofOf(await authorize()).iat).toBe(Math.floor((clock.now() + known) / 1000));
    if (next !== undefined) expect(proofOf(next).iat).toBe(Math.floor((clock.now() + known) / 1000));
    expect(await next?.again(refusedCall('invalid_dpop_proof', { date }))).toBeUndefined();
  });

  it('of another clock are not made again where something else is wrong', async () => {
    const { authorize, clock } = createBench();
    const date = new Date(clock.now() + 60_000).toUTCString();
    expect(await (await authorize()).again(refusedCall('insufficient_scope', { date }))).toBeUndefined();
  });

  it('of a token that was renewed stay those of a renewed one', async () => {
    const { authorize, network } = createBench();
    const renewed = await (await authorize()).again(invalid);
    const proven = await renewed?.again(nonce('n-1'));
    expect([tokenOf(proven), proofOf(proven).nonce]).toEqual(['token-2', 'n-1']);
    expect(await proven?.again(invalid)).toBeUndefined();
    // Known by that: this place refuses new ones.
    expect(await (await authorize()).again(invalid)).toBeUndefined();
    expect(network.sent).toHaveLength(2);
  });
});
