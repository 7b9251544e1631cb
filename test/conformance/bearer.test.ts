/** RFC 6750: credentials, challenges, status codes, characters. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AuthOutcome, createVerifier, type Policy, type Rejection } from '../../src/index.ts';
import { parseChallenges } from '../../src/outbound/challenges.ts';
import { audience, createKey, issuer, mint, nowMs } from '../helpers/tokens.ts';
import { readVectors, type Vector } from '../helpers/vectors.ts';

const vectors = readVectors('rfc6750-www-authenticate');
const ofKind = (kind: string): readonly Vector[] => vectors.filter(({ options }) => options.kind === kind);
const key = await createKey('ES256');
const verifier = createVerifier({
  issuer: { issuer, jwks: { keys: [key.publicJwk] } },
  audience,
  dpop: false,
  now: () => nowMs,
});

async function rejectionOf(request: Request, policy: Policy = {}): Promise<Rejection> {
  const outcome: AuthOutcome = await verifier.authenticate(request, policy);
  if (outcome.ok) throw new Error('the request was accepted');
  return outcome.rejection;
}

const withHeader = (authorization: string): Request =>
  new Request('https://orders.example', { headers: { authorization } });

describe('section 2: where tokens are looked for', () => {
  it.each(ofKind('request'))('$id: $description', async ({ request, expected }) => {
    const { url, ...init } = request as RequestInit & { url: string };
    const { error } = await rejectionOf(new Request(url, init));
    // The example token is opaque: found means judged (and refused), not found means that no credentials came.
    expect(error).toBe(expected === 'accept' ? 'invalid_token' : undefined);
  });
});

describe('section 3: challenges', () => {
  it.each(ofKind('challenge'))('$id: $description', ({ response }) => {
    const { www_authenticate: header, parsed } = response as { www_authenticate: string; parsed: unknown };
    const found = parseChallenges(header).map(({ scheme, parameters }) => ({
      scheme: scheme.replace('bearer', 'Bearer'),
      params: Object.fromEntries(parameters),
    }));
    expect(found).toEqual(parsed);
  });

  const tokens: Readonly<Record<string, () => Promise<string>>> = {
    invalid_request: async () => 'Bearer a b',
    invalid_token: async () => 'Bearer abc',
    insufficient_scope: async () => `Bearer ${await mint(key)}`,
  };
  it.each(ofKind('rule').filter(({ response }) => (response as { error?: string }).error))(
    '$id: $description',
    async ({ response }) => {
      const { status, error } = response as { status: number; error: string };
      const credentials = (await tokens[error]?.()) ?? '';
      const rejection = await rejectionOf(withHeader(credentials), { scope: 'orders:write' });
      expect(rejection).toMatchObject({ status, error });
      expect(rejection.headers['WWW-Authenticate']).toContain(`error="${error}"`);
      expect(rejection.headers['WWW-Authenticate']?.includes('scope=')).toBe(status === 403);
    },
  );

  it('has no error code when no credentials came', async () => {
    const rejection = await rejectionOf(new Request('https://orders.example'));
    expect(rejection).toMatchObject({ status: 401, error: undefined });
    expect(rejection.headers['WWW-Authenticate']).toBe('Bearer');
  });

  it('stays within the characters that section 3 allows, whatever the token holds', async () => {
    const description = new RegExp(`^${rule('rfc6750-3-charset', 'description_allowed')}$`);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.string(), async (text, scope) => {
        const token = await mint(key, { client_id: text, scope, exp: 1 });
        const rejection = await rejectionOf(withHeader(`Bearer ${token}`));
        expect(rejection.description).toMatch(description);
        expect(rejection.headers['WWW-Authenticate']).toBe(
          `Bearer error="invalid_token", error_description="${rejection.description}"`,
        );
      }),
      { numRuns: 50 },
    );
  });
});

it('section 2.1: takes what the grammar of b64token takes, and nothing else', async () => {
  const grammar = new RegExp(rule('rfc6750-b64token', 'pattern'));
  const character = fc.constantFrom(...'aZ09-._~+/=="#, \\éA');
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: character, minLength: 1 }), async (token) => {
      const { headers } = { headers: { get: () => `Bearer ${token}` } };
      const outcome = await verifier.authenticate({ method: 'GET', url: '/', headers });
      const error = outcome.ok ? undefined : outcome.rejection.error;
      expect(error).toBe(grammar.test(token.replace(/^ +/, '')) ? 'invalid_token' : 'invalid_request');
    }),
  );
});

function rule(id: string, member: string): string {
  const found = vectors.find((vector) => vector.id === id)?.response as Record<string, string> | undefined;
  if (found?.[member] === undefined) throw new Error(`${id} has no ${member}`);
  return found[member];
}
