/** A request that is judged more than once: its proof is recorded once, and no other request may use it. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type AuthRequest,
  createMemoryReplayStore,
  createVerifier,
  type ReplayStore,
  type ServiceAuthEvent,
  type Verifier,
} from '../../../src/index.ts';
import { createDpopClient, hashOf, requestWith, url } from '../../helpers/dpop.ts';
import { reasonOf } from '../../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const client = await createDpopClient();
const token = await mint(key, { cnf: { jkt: client.jkt } });
const prove = (): Promise<string> => client.prove({ ath: hashOf(token) });
const headersWith = (dpop: string) => ({ authorization: `DPoP ${token}`, dpop });

let store: ReplayStore;
let recorded: number;
let events: ServiceAuthEvent[];

beforeEach(() => {
  const memory = createMemoryReplayStore({ now: () => nowMs });
  recorded = 0;
  events = [];
  store = {
    record(proof) {
      recorded++;
      return memory.record(proof);
    },
  };
});

const make = (replayStore = store): Verifier =>
  createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => nowMs,
    dpop: { replayStore },
    onEvent: (event) => events.push(event),
  });
const judge = (verifier: Verifier, request: AuthRequest): Promise<string> =>
  reasonOf(verifier.authenticate(request));

describe('the same request', () => {
  it('by its source, whatever views of it are judged', async () => {
    const verifier = make();
    const source = {};
    const proof = await prove();
    const view = (): AuthRequest => requestWith(headersWith(proof), { source });
    for (let time = 0; time < 3; time++) expect(await judge(verifier, view())).toBe('accepted');
    expect(recorded).toBe(1);
    expect(events.some(({ type }) => type === 'dpop.replay')).toBe(false);
    expect(await judge(verifier, requestWith(headersWith(proof), { source: {} }))).toBe('replayed_proof');
  });

  it('as a web request, which stands for itself', async () => {
    const verifier = make();
    const headers = headersWith(await prove());
    const request = new Request(url, { headers });
    expect(await judge(verifier, request)).toBe('accepted');
    expect(await judge(verifier, request)).toBe('accepted');
    expect(await judge(verifier, new Request(url, { headers }))).toBe('replayed_proof');
    expect(await judge(verifier, request.clone())).toBe('replayed_proof');
  });

  it('by several guards at once, while the store takes its time', async () => {
    const memory = store;
    const verifier = make({ record: async (proof) => memory.record(proof) });
    const proof = await prove();
    const request = requestWith(headersWith(proof), { source: {} });
    const verdicts = await Promise.all([1, 2, 3].map(() => judge(verifier, request)));
    expect(verdicts).toEqual(['accepted', 'accepted', 'accepted']);
    expect(recorded).toBe(1);
  });

  it('by another verifier with the same store', async () => {
    const request = requestWith(headersWith(await prove()), { source: {} });
    expect([await judge(make(), request), await judge(make(), request)]).toEqual(['accepted', 'accepted']);
    expect(recorded).toBe(1);
  });
});

describe('is no excuse', () => {
  it('for a view that has no source: it may be used for many requests', async () => {
    const verifier = make();
    const request = requestWith(headersWith(await prove()));
    expect(await judge(verifier, request)).toBe('accepted');
    expect(await judge(verifier, request)).toBe('replayed_proof');
  });

  it('for a proof that an earlier request has used', async () => {
    const verifier = make();
    const proof = await prove();
    expect(await judge(verifier, requestWith(headersWith(proof), { source: {} }))).toBe('accepted');
    const replay = requestWith(headersWith(proof), { source: {} });
    for (let time = 0; time < 3; time++) expect(await judge(verifier, replay)).toBe('replayed_proof');
  });

  it('for another proof in its name', async () => {
    const verifier = make();
    const source = {};
    const used = await prove();
    await judge(verifier, requestWith(headersWith(used), { source: {} }));
    expect(await judge(verifier, requestWith(headersWith(await prove()), { source }))).toBe('accepted');
    expect(await judge(verifier, requestWith(headersWith(used), { source }))).toBe('replayed_proof');
  });

  it('where another store is asked, which must know the proof too', async () => {
    const other = make(createMemoryReplayStore({ now: () => nowMs }));
    const proof = await prove();
    const request = requestWith(headersWith(proof), { source: {} });
    expect([await judge(make(), request), await judge(other, request)]).toEqual(['accepted', 'accepted']);
    expect(await judge(other, requestWith(headersWith(proof), { source: {} }))).toBe('replayed_proof');
  });
});
