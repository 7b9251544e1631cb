import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Caller, VerifiedCaller } from '../../../src/inbound/caller.ts';
import { compilePolicy, type Policy } from '../../../src/inbound/policy.ts';
import { Fault } from '../../../src/shared/fault.ts';
import type { JsonObject } from '../../../src/shared/json.ts';

interface Who {
  readonly issuer: string;
  readonly clientId: string | undefined;
  readonly kind: 'service' | 'user';
  readonly audience: readonly string[];
  readonly scopes: readonly string[];
}

const callerOf = (who: Who, claims: JsonObject = {}): Caller =>
  new VerifiedCaller(
    { ...who, subject: 's', expiresAt: 1, issuedAt: 1, tokenId: undefined, scheme: 'Bearer', claims },
    'token',
  );

/** The rules again, as plainly as they can be said. */
function naive(policy: Policy, who: Who): boolean {
  const { scope, clients, audience, serviceOnly } = policy;
  const words = (value: string | readonly string[]): readonly string[] =>
    [value].flat().flatMap((text) => text.split(' '));
  const holds = {
    scope:
      scope === undefined ||
      (typeof scope === 'object' && 'anyOf' in scope
        ? words(scope.anyOf).some((name) => who.scopes.includes(name))
        : words(typeof scope === 'object' && 'allOf' in scope ? scope.allOf : scope).every((name) =>
            who.scopes.includes(name),
          )),
    clients:
      clients === undefined ||
      (who.clientId !== undefined &&
        (Array.isArray(clients)
          ? clients
          : ((clients as Record<string, string[]>)[who.issuer] ?? [])
        ).includes(who.clientId)),
    audience: audience === undefined || [audience].flat().some((name) => who.audience.includes(name)),
    serviceOnly: serviceOnly !== true || who.kind === 'service',
  };
  return Object.values(holds).every(Boolean);
}

const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor');
const issuer = fc.constantFrom('https://a.example', 'https://b.example');
const names = fc.array(name, { minLength: 1, maxLength: 3 });
const issuers = new Set(['https://a.example', 'https://b.example']);
const policy: fc.Arbitrary<Policy> = fc.record(
  {
    scope: fc.oneof(
      names,
      names.map((list) => list.join(' ')),
      names.map((anyOf) => ({ anyOf })),
      names.map((allOf) => ({ allOf })),
    ),
    clients: fc.oneof(names, fc.dictionary(issuer, names, { minKeys: 1, noNullPrototype: true })),
    audience: fc.oneof(name, names),
    serviceOnly: fc.boolean(),
  },
  { requiredKeys: [] },
);
const who = fc.record<Who>({
  issuer,
  clientId: fc.option(name, { nil: undefined }),
  kind: fc.constantFrom('service', 'user'),
  audience: fc.array(name, { maxLength: 2 }),
  scopes: fc.array(name, { maxLength: 3 }),
});

describe('a compiled policy', () => {
  it('judges as the rules say', () => {
    fc.assert(
      fc.property(policy, who, (given, caller) => {
        const fault = compilePolicy(given, issuers).judge(callerOf(caller), undefined);
        expect(fault === undefined).toBe(naive(given, caller));
      }),
      { numRuns: 2000 },
    );
  });

  it('does not change when the object does', () => {
    const given = { clients: ['a'] };
    const compiled = compilePolicy(given, issuers);
    given.clients.push('b');
    const caller = callerOf({ issuer: 'i', clientId: 'b', kind: 'service', audience: [], scopes: [] });
    expect(compiled.judge(caller, undefined)).toMatchObject({ reason: 'client_not_allowed' });
  });
});

describe('mistakes', () => {
  it.each<[unknown, RegExp]>([
    [{ scope: '' }, /scope must be/],
    [{ scope: [] }, /scope must be/],
    [{ scope: {} }, /scope must be scopes as a text/],
    [{ scope: { anyOf: ['a'], allOf: ['b'] } }, /scope must be/],
    [{ scope: { someOf: ['a'] } }, /scope must be/],
    [{ scope: 'a"b' }, /of the characters of RFC 6749; got "a\\"b"/],
    [{ scope: 'a\r\nb' }, /of the characters/],
    [{ scope: null }, /policy: scope is null; leave it out/],
    [{ clients: [] }, /clients must be/],
    [{ clients: {} }, /clients must be/],
    [{ clients: 'billing' }, /clients must be/],
    [{ clients: { 'https://a.example': [] } }, /clients\["https:\/\/a\.example"\] must be/],
    [
      { clients: { 'https://a.example/': ['a'] } },
      /clients must be by issuers of https:\/\/a\.example, https/,
    ],
    [{ audience: [] }, /audience must be/],
    [{ audience: null }, /policy: audience is null; leave it out/],
    [{ serviceOnly: 'yes' }, /serviceOnly must be true or false; got "yes"/],
    [{ optional: 1 }, /optional must be true or false; got 1/],
    [{ check: true }, /check must be a function/],
    [{ senderConstrained: '' }, /senderConstrained must be true, false, 'dpop' or 'mtls'; got ""/],
    [{ senderConstrained: 'tls' }, /senderConstrained must be true, false, 'dpop' or 'mtls'; got "tls"/],
    [{ senderConstrained: 1 }, /senderConstrained must be true, false, 'dpop' or 'mtls'; got 1/],
    [{ scopes: 'a' }, /did you mean scope\?/],
    [[], /policy: options must be an object/],
  ])('%j', (given, message) => {
    expect(() => compilePolicy(given as Policy, issuers)).toThrow(TypeError);
    expect(() => compilePolicy(given as Policy, issuers)).toThrow(message);
  });
});

describe('a member without a value', () => {
  it.each([
    'scope',
    'clients',
    'audience',
    'senderConstrained',
    'actors',
    'serviceOnly',
    'optional',
    'check',
  ])('%s is named, and drops no check', (name) => {
    for (const value of [undefined, null]) {
      const compile = () => compilePolicy({ [name]: value } as Policy, issuers);
      expect(compile).toThrow(TypeError);
      expect(compile).toThrow(`policy: ${name} is ${value}; leave it out`);
    }
  });

  it('of a prototype is none', () => {
    expect(() => compilePolicy(Object.create({ scope: undefined }), issuers)).not.toThrow();
  });
});

it('dpop cannot be asked for where it is switched off', () => {
  const compile = (senderConstrained: boolean | 'dpop' | 'mtls') => () =>
    compilePolicy({ senderConstrained }, issuers, false);
  expect(compile('dpop')).toThrow(TypeError);
  expect(compile('dpop')).toThrow(/senderConstrained must be another than 'dpop'/);
  for (const other of [true, false, 'mtls'] as const) expect(compile(other)).not.toThrow();
  expect(() => compilePolicy({ senderConstrained: 'dpop' }, issuers)).not.toThrow();
});

describe('who is let in', () => {
  const judged = (policy: Policy, who: Partial<Who>, claims: JsonObject = {}) => {
    const whole = {
      issuer: 'https://a.example',
      clientId: 'a',
      kind: 'service',
      audience: [],
      scopes: [],
    } as const;
    const fault = compilePolicy(policy, issuers).judge(callerOf({ ...whole, ...who }, claims), undefined);
    return fault instanceof Fault ? [fault.reason, fault.actual] : fault;
  };

  it('an actor of the list, as the outermost act says', () => {
    const policy = { actors: ['gateway', 'edge'] };
    expect(judged(policy, {}, { act: { sub: 'edge' } })).toBeUndefined();
    expect(judged(policy, {}, { act: { sub: 'other', act: { sub: 'edge' } } })).toEqual([
      'actor_not_allowed',
      'other',
    ]);
    expect(judged(policy, {}, { act: { sub: 7 } })).toEqual(['actor_not_allowed', 'none']);
    expect(judged(policy, {})).toEqual(['actor_not_allowed', 'none']);
  });

  it('a client of its issuer', () => {
    const policy = { clients: { 'https://a.example': ['a'], 'https://b.example': ['b'] } };
    expect(judged(policy, {})).toBeUndefined();
    expect(judged(policy, { clientId: 'b', issuer: 'https://b.example' })).toBeUndefined();
    expect(judged(policy, { clientId: 'b' })).toEqual(['client_not_allowed', 'b']);
    expect(judged(policy, { clientId: undefined })).toEqual(['client_not_allowed', 'none']);
  });

  it('who has the audience and the scopes, of which all that there are is told', () => {
    expect(judged({ audience: ['x', 'y'] }, { audience: ['z', 'y'] })).toBeUndefined();
    expect(judged({ audience: 'x' }, { audience: ['y', 'z'] })).toEqual(['wrong_audience', 'y z']);
    expect(judged({ scope: 'x y' }, { scopes: ['y', 'z'] })).toEqual(['insufficient_scope', 'y z']);
    expect(judged({ scope: { anyOf: ['x', 'y'] } }, { scopes: ['y', 'z'] })).toBeUndefined();
  });

  it('whoever holds every member, of which the first that fails is told', () => {
    const policy: Policy = { audience: 'x', clients: ['a'], actors: ['g'], serviceOnly: true, scope: 's' };
    const who = { audience: ['x'], scopes: ['s'] };
    const act = { act: { sub: 'g' } };
    expect(judged(policy, who, act)).toBeUndefined();
    expect(judged(policy, { ...who, audience: [], clientId: 'b' }, act)).toEqual(['wrong_audience', 'none']);
    expect(judged(policy, { ...who, clientId: 'b', kind: 'user' }, act)).toEqual(['client_not_allowed', 'b']);
    expect(judged(policy, { ...who, kind: 'user' })).toEqual(['actor_not_allowed', 'none']);
    expect(judged(policy, { kind: 'user', audience: ['x'] }, act)).toEqual([
      'service_only',
      'a token of a user',
    ]);
    expect(judged(policy, { ...who, scopes: [] }, act)).toEqual(['insufficient_scope', 'none']);
  });
});
