/** What programmers read of mistakes in policies and guards, and in what a route says of them. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  createGuard,
  createVerifier,
  type GuardOptions,
  isOptionError,
  type Policy,
  readRouteSetting,
  resolveVerifier,
  type Verifier,
  type VerifierOptions,
  type VerifierSource,
} from '../../../src/index.ts';
import { requestWith } from '../../helpers/dpop.ts';
import { judge, reasonOf } from '../../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const jwks = { keys: [key.publicJwk] };
const base = { issuer: { issuer, jwks }, audience, now: () => nowMs } satisfies VerifierOptions;
const texts = 'a non-empty string or a non-empty list of them';

/** The code, and the message without where to read on. */
function mistakeOf(make: () => unknown): readonly [code: string, message: string] {
  try {
    make();
  } catch (error) {
    if (!isOptionError(error)) throw error;
    const { code, message } = error;
    expect(message.endsWith(` (npx service-auth explain ${code})`)).toBe(true);
    return [code, message.slice(0, message.indexOf(' (npx'))];
  }
  throw new Error('it was accepted');
}

afterEach(() => void vi.unstubAllEnvs());

describe('a policy', () => {
  const scopeRule = 'scope must be scopes as a text, a list, { anyOf } or { allOf }; got an object';
  const bindingRule = `senderConstrained must be true, false, 'dpop' or 'mtls'`;
  const byIssuer = 'clients must be a list of client ids, or an object of such lists by issuer';
  const compile = (policy: object, options: object = {}) =>
    mistakeOf(() => createVerifier({ ...base, ...options }).guard(policy as Policy));

  it.each<[object, string, string?]>([
    [{ scope: {} }, scopeRule],
    [{ scope: { anyOf: ['a'], allOf: ['b'] } }, scopeRule],
    [{ scope: { someOf: ['a'] } }, scopeRule],
    [{ scope: '' }, `scope must be ${texts}; got ""`],
    [{ scope: [] }, `scope must be ${texts}; got []`],
    [{ scope: 7 }, `scope must be ${texts}; got 7`],
    [{ scope: { anyOf: [] } }, `scope must be ${texts}; got []`],
    [{ scope: { allOf: [] } }, `scope must be ${texts}; got []`],
    [{ scope: { anyOf: ['a', 'b c'] } }, 'scope must be of single scopes within anyOf; got ["a", "b c"]'],
    [{ scope: ['a', 'b "'] }, 'scope must be of the characters of RFC 6749; got "\\""'],
    [{ clients: {} }, `${byIssuer}; got an object`],
    [{ clients: 'billing' }, `${byIssuer}; got "billing"`],
    [{ clients: 7 }, `${byIssuer}; got 7`],
    [{ clients: [] }, `clients must be ${texts}; got []`],
    [{ clients: { [issuer]: [] } }, `clients["${issuer}"] must be ${texts}; got []`],
    [{ clients: { [`${issuer}/`]: ['a'] } }, `clients must be by issuers of ${issuer}; got "${issuer}/"`],
    [{ audience: [] }, `audience must be ${texts}; got []`],
    [{ actors: [] }, `actors must be ${texts}; got []`],
    [{ senderConstrained: 'tls' }, `${bindingRule}; got "tls"`],
    [{ senderConstrained: 1 }, `${bindingRule}; got 1`],
    [{ serviceOnly: 'yes' }, 'serviceOnly must be true or false; got "yes"'],
    [{ optional: 1 }, 'optional must be true or false; got 1'],
    [{ check: true }, 'check must be a function; got true'],
    [[], 'options must be an object; got a list'],
    [{ scopes: 'a' }, 'unknown option scopes in options; did you mean scope?', 'option_unknown'],
    [{ clients: null }, 'clients is null; leave it out', 'option_unset'],
  ])('%j', (policy, message, code = 'option_invalid') => {
    expect(compile(policy)).toEqual([code, `policy: ${message}`]);
  });

  it('two issuers are named, and dpop is not asked for where it is switched off', () => {
    const issuers = [base.issuer, { issuer: 'https://other.example', jwks }];
    expect(compile({ clients: { other: ['a'] } }, { issuer: issuers })).toEqual([
      'option_invalid',
      `policy: clients must be by issuers of ${issuer}, https://other.example; got "other"`,
    ]);
    expect(compile({ senderConstrained: 'dpop' }, { dpop: false })).toEqual([
      'options_conflict',
      `policy: senderConstrained must be another than 'dpop', since the verifier's dpop is false; got "dpop"`,
    ]);
  });

  it.each<Policy>([
    { scope: { allOf: ['a b', 'c'] } },
    { scope: { anyOf: ['a', 'b'] } },
    { senderConstrained: false },
    { serviceOnly: false, optional: false },
    { clients: { [issuer]: ['a'] } },
  ])('%j is one', (policy) => {
    expect(() => createVerifier(base).guard(policy)).not.toThrow();
  });
});

describe('a guard', () => {
  const guard = (options: unknown) => mistakeOf(() => createGuard(options as GuardOptions));
  const known =
    'issuer, audience, typ, clockToleranceSeconds, maxTokenAgeSeconds, dpop, clientCertificate, publicUrl, cache, ' +
    'realm, resourceMetadata, fetch, now, onEvent, scope, clients, senderConstrained, actors, serviceOnly, ' +
    'optional, check, verifier';

  it.each<[unknown, string, string]>([
    [7, 'option_invalid', 'options must be an object; got 7'],
    [{ a: 1 }, 'option_unknown', `unknown option a in options; known are ${known}`],
    [{ verifier: 7 }, 'option_invalid', 'verifier must be made by createVerifier; got 7'],
    [{ verifier: null }, 'option_invalid', 'verifier must be made by createVerifier; got null'],
    [
      { verifier: {}, scope: 'a' },
      'option_invalid',
      'verifier must be made by createVerifier; got an object',
    ],
  ])('%j', (options, code, message) => {
    expect(guard(options)).toEqual([code, `serviceAuth: ${message}`]);
  });

  it('has a verifier or the options of one', () => {
    const verifier = createVerifier(base);
    expect(guard({ verifier, realm: 'a', cache: false })).toEqual([
      'options_conflict',
      'serviceAuth: verifier must be given without realm and cache; got an object',
    ]);
  });

  it('the audience beside a verifier is that of the policy, and without one that of the verifier', async () => {
    const request = requestWith({ authorization: `Bearer ${await mint(key, { aud: [audience, 'b'] })}` });
    const verifier = createVerifier(base);
    expect(await reasonOf(createGuard({ verifier, audience: 'b' })(request))).toBe('accepted');
    expect(await reasonOf(createGuard({ verifier, audience: 'c' })(request))).toBe('wrong_audience');
    const { now, issuer: trusted } = base;
    expect(await reasonOf(createGuard({ issuer: trusted, now, audience: 'b' })(request))).toBe('accepted');
  });

  it('keeps to its policy, and lets nobody in without', async () => {
    const request = requestWith({ authorization: `Bearer ${await mint(key)}` });
    expect(await reasonOf(createGuard({ ...base, scope: 'orders:read' })(request))).toBe('accepted');
    expect(await reasonOf(createGuard({ ...base, scope: 'orders:write' })(request))).toBe(
      'insufficient_scope',
    );
    const optional = createGuard({ ...base, optional: true });
    expect(await optional(requestWith({}))).toEqual({ ok: true, caller: undefined });
  });

  it('without any options needs the environment, of which one verifier is made', () => {
    vi.stubEnv('SERVICE_AUTH_ISSUER', '');
    expect(mistakeOf(() => createGuard())).toEqual([
      'option_missing',
      'createVerifier: issuer is required; give it or set SERVICE_AUTH_ISSUER',
    ]);
    vi.stubEnv('SERVICE_AUTH_ISSUER', issuer);
    vi.stubEnv('SERVICE_AUTH_AUDIENCE', '');
    expect(mistakeOf(() => createGuard())).toEqual([
      'audience_missing',
      'createVerifier: audience is required; give it or set SERVICE_AUTH_AUDIENCE; null would take tokens for any service',
    ]);
    vi.stubEnv('SERVICE_AUTH_AUDIENCE', audience);
    const shared = resolveVerifier({});
    expect(resolveVerifier({})).toBe(shared);
    expect(resolveVerifier({ realm: 'orders' })).not.toBe(shared);
    expect(shared.health().issuers.map((one) => one.issuer)).toEqual([issuer]);
  });
});

describe('the verifier of an adapter', () => {
  const resolve = (source: unknown, others?: readonly string[]) =>
    mistakeOf(() => resolveVerifier(source as VerifierSource, others));

  it.each(['scope', 'clients', 'senderConstrained', 'actors', 'serviceOnly', 'optional', 'check'])(
    '%s does not stand beside it',
    (name) => {
      expect(resolve({ ...base, [name]: undefined })).toEqual([
        'option_misplaced',
        `serviceAuth: ${name} must stand in the policy of a route, not beside the verifier`,
      ]);
    },
  );

  it.each<[unknown, string, string]>([
    [undefined, 'option_invalid', 'options must be an object; got undefined'],
    [null, 'option_invalid', 'options must be an object; got null'],
    [{ verifer: 1 }, 'option_unknown', 'unknown option verifer in options; did you mean verifier?'],
    [{ global: 1 }, 'option_unknown', 'unknown option global in options; did you mean globalGuard?'],
    [{ verifier: {} }, 'option_invalid', 'verifier must be made by createVerifier; got an object'],
  ])('%j', (source, code, message) => {
    expect(resolve(source, ['globalGuard'])).toEqual([code, `serviceAuth: ${message}`]);
  });

  it('has the options of a verifier, and none of its own where the adapter has none', () => {
    const [, message] = resolve({ a: 1 });
    expect(message).toMatch(/; known are issuer, audience, .*, now, onEvent, verifier$/);
  });

  it('is the one that is given, or made of options', async () => {
    const verifier = createVerifier(base);
    expect(resolveVerifier({ verifier })).toBe(verifier);
    expect(await judge(resolveVerifier(base), await mint(key))).toBe('accepted');
    const made: Verifier = resolveVerifier({ ...base, audience: 'https://other.example' });
    expect(await judge(made, await mint(key))).toBe('wrong_audience');
  });
});

describe('what a route says', () => {
  it.each(['serviceauth', 'serviceAut', 'ServiceAuth', 'serviceAuht', 'servicesAuth', 'serviceAu'])(
    '%s is misspelt',
    (name) => {
      expect(mistakeOf(() => readRouteSetting({ url: '/', [name]: true }))).toEqual([
        'option_unknown',
        `serviceAuth: unknown ${name} in the config of a route; did you mean serviceAuth?`,
      ]);
    },
  );

  it.each<[unknown, string]>([
    ['orders:read', 'a text'],
    [['orders:read'], 'a list'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
    [() => true, 'a function'],
  ])('%s is no setting', (serviceAuth, kind) => {
    expect(mistakeOf(() => readRouteSetting({ serviceAuth }))).toEqual([
      'option_invalid',
      `serviceAuth: the config of a route must be a policy, true or false; got ${kind}`,
    ]);
  });

  it.each([true, false, {}, { scope: 'a' }])('%j is one', (serviceAuth) => {
    expect(readRouteSetting({ service: 1, serviceA: 2, authService: 3, serviceAuth })).toBe(serviceAuth);
  });

  it('nothing is none, nor is what a prototype has', () => {
    expect(readRouteSetting({ url: '/' })).toBeUndefined();
    expect(readRouteSetting(Object.create({ serviceAuth: true }))).toBeUndefined();
  });
});
