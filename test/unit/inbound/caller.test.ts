import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { type Caller, createVerifier } from '../../../src/index.ts';
import { audience, createKey, issuer, mint, nowMs } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const verifier = createVerifier({
  issuer: { issuer, jwks: { keys: [key.publicJwk] } },
  audience,
  now: () => nowMs,
});
const token = await mint(key, { act: { sub: 'gateway', act: { sub: 'edge' } }, list: [{ a: [1] }] });

async function callerOf(text: string): Promise<Caller> {
  const outcome = await verifier.verifyToken(text);
  if (!outcome.ok) throw new Error(outcome.rejection.reason);
  return outcome.caller;
}

it('is frozen to its leaves', async () => {
  const frozen = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    expect(Object.isFrozen(value), path).toBe(true);
    for (const [name, member] of Object.entries(value)) frozen(member, `${path}.${name}`);
  };
  const caller = await callerOf(token);
  frozen(caller, 'caller');
  frozen(caller.claims, 'claims');
  frozen(caller.actor, 'actor');
});

it('has scopes that nobody can change', async () => {
  const { scopes } = await callerOf(token);
  const open = scopes as Set<string>;
  expect(() => open.add('admin')).toThrow(TypeError);
  expect(() => open.delete('orders:read')).toThrow(TypeError);
  expect(() => open.clear()).toThrow(TypeError);
  expect([...scopes]).toEqual(['orders:read', 'stock:read']);
  expect((await callerOf(token)).hasScope('admin')).toBe(false);
});

it('shows its token to those who ask for it, and to no log', async () => {
  const caller = await callerOf(token);
  expect(caller.token).toBe(token);
  const signature = token.slice(-40);
  const shown = [
    JSON.stringify(caller),
    inspect(caller, { depth: 10, showHidden: true }),
    JSON.stringify({ ...caller }),
    Object.values(caller).join(),
    JSON.stringify(structuredClone(caller)),
  ];
  for (const text of shown) expect(text).not.toContain(signature);
});

it('says who acts', async () => {
  expect((await callerOf(token)).actor).toEqual({ sub: 'gateway', act: { sub: 'edge' } });
  expect((await callerOf(await mint(key, { act: 'text' }))).actor).toBeUndefined();
});

it.each<[string, object, object]>([
  ['scope before scp', { scope: 'a', scp: ['b'] }, { scopes: ['a'] }],
  ['scp of Okta and Entra', { scope: undefined, scp: ['a', 'b'] }, { scopes: ['a', 'b'] }],
  ['scopes', { scope: undefined, scopes: ['a'] }, { scopes: ['a'] }],
  ['permissions of Auth0', { scope: undefined, permissions: ['a'] }, { scopes: ['a'] }],
  ['spaces around scopes', { scope: ' a  b ' }, { scopes: ['a', 'b'] }],
  ['client_id before azp', { client_id: 'a', azp: 'b' }, { clientId: 'a' }],
  ['azp', { client_id: undefined, azp: 'b' }, { clientId: 'b' }],
  ['appid of Entra', { client_id: undefined, appid: 'c' }, { clientId: 'c' }],
  ['cid of Okta', { client_id: undefined, cid: 'd' }, { clientId: 'd' }],
  ['no subject', { sub: undefined }, { kind: 'service', subject: undefined }],
  ['another subject', { sub: 'user' }, { kind: 'user' }],
  ['a subject and no client', { client_id: undefined }, { kind: 'user' }],
  ['a token that says user', { sub: 'billing', client_id: 'billing', token_type: 'user' }, { kind: 'user' }],
  ['a token that says service', { sub: 'user', token_type: 'service' }, { kind: 'service' }],
])('reads %s', async (_name, claims, expected) => {
  const caller = await callerOf(await mint(key, claims));
  expect({ ...caller, scopes: [...caller.scopes] }).toMatchObject(expected);
});

it('has scopes that can be read as those of any set', async () => {
  const { scopes } = await callerOf(await mint(key, { scope: 'b a' }));
  const seen: unknown[] = [];
  const self = { seen };
  scopes.forEach(function (this: typeof self, ...parameters) {
    this.seen.push(parameters);
  }, self);
  expect(seen).toEqual([
    ['b', 'b', scopes],
    ['a', 'a', scopes],
  ]);
  expect(scopes.size).toBe(2);
  expect([[...scopes.keys()], [...scopes.values()], [...scopes]]).toEqual(new Array(3).fill(['b', 'a']));
  expect([...scopes.entries()]).toEqual([
    ['b', 'b'],
    ['a', 'a'],
  ]);
  expect(JSON.stringify({ scopes })).toBe('{"scopes":["b","a"]}');
  expect(inspect(scopes)).toBe(inspect(new Set(['b', 'a'])));
});

it('shows what it is to logs, and its claims to those who ask', async () => {
  const caller = await callerOf(await mint(key, { email: 'someone@example.com' }));
  const shown = inspect(caller, { getters: true });
  expect(shown).toContain("clientId: 'billing'");
  expect(shown).not.toMatch(/someone|eyJ/);
  expect(caller.claims).toMatchObject({ email: 'someone@example.com', client_id: 'billing' });
  expect(caller.claims).toBe(caller.claims);
});

it.each([null, [], 'text', 7])('act %j names nobody', async (act) => {
  expect((await callerOf(await mint(key, { act }))).actor).toBeUndefined();
});

it('has the scopes of its own token, however many others there were', async () => {
  const names = Array.from({ length: 300 }, (_, at) => `scope-${at}`);
  for (const scope of [...names, 'scope-0']) {
    expect([...(await callerOf(await mint(key, { scope }))).scopes]).toEqual([scope]);
  }
});
