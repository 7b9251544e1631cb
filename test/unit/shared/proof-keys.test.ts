import { expect, it } from 'vitest';
import { createProofKeys, type ProofKey } from '../../../src/shared/proof-keys.ts';
import { createRecentMap } from '../../../src/shared/recent-map.ts';
import { createDpopClient } from '../../helpers/dpop.ts';

async function headerOf(client: { publicJwk: object }) {
  return { alg: 'ES256', typ: 'dpop+jwt', kid: undefined, jwk: client.publicJwk };
}

it('a client that varies its header pushes out no key of another, and imports none again', async () => {
  const [attacker, victim] = await Promise.all([createDpopClient(), createDpopClient()]);
  const keys = createProofKeys();
  const read = async (client: { publicJwk: object }): Promise<ProofKey> => {
    const key = await keys.read(await headerOf(client), undefined);
    if (key?.verify === undefined) throw new Error('no key');
    return key;
  };
  const known = await read(victim);
  keys.remember('victim', known);
  for (let at = 0; at < 25_000; at++) keys.remember(`header ${at}`, await read(attacker));
  expect((await read(victim)).verify).toBe(known.verify);
});

it('another key than the wanted one is not even imported', async () => {
  const [one, other] = await Promise.all([createDpopClient(), createDpopClient()]);
  expect(await createProofKeys().read(await headerOf(one), other.jkt)).toEqual({ jkt: one.jkt });
});

it('a recent map keeps what is used, and is bounded', () => {
  const map = createRecentMap<number>(100);
  map.set('kept', -1);
  for (let at = 0; at < 10_000; at++) {
    map.set(`${at}`, at);
    if (at % 50 === 0) expect(map.get('kept')).toBe(-1);
  }
  expect(map.get('9999')).toBe(9999);
  expect(map.get('9000')).toBeUndefined();
});
