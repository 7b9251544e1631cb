/** What a caller reads of a refusal: status, headers and body, word for word. */
import { describe, expect, it } from 'vitest';
import { rejectionOf as answerTo, undecided } from '../../../src/inbound/challenge.ts';
import {
  type AuthRequest,
  createVerifier,
  type Policy,
  type Rejection,
  type VerifierOptions,
} from '../../../src/index.ts';
import { Fault } from '../../../src/shared/fault.ts';
import { createDpopClient, requestWith } from '../../helpers/dpop.ts';
import { audience, createKey, issuer, mint, nowMs } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const client = await createDpopClient();
const token = await mint(key);
const bound = await mint(key, { cnf: { jkt: client.jkt } });

async function rejectionOf(
  request: AuthRequest,
  options: Partial<VerifierOptions> = {},
  policy: Policy = {},
) {
  const jwks = { keys: [key.publicJwk] };
  const verifier = createVerifier({ issuer: { issuer, jwks }, audience, now: () => nowMs, ...options });
  const outcome = await verifier.authenticate(request, policy);
  if (outcome.ok) throw new Error('it was accepted');
  return outcome.rejection;
}

const challengeOf = ({ headers }: Rejection): string | undefined => headers['WWW-Authenticate'];
const algorithms = 'ES256 EdDSA Ed25519 ES384 ES512 PS256 RS256';
const forbidden =
  'error="insufficient_scope", error_description="The access token does not permit this request", scope="a b"';
const invalid = 'error="invalid_token", error_description="The access token is not valid here"';
const scope = 'a b';

describe('a challenge', () => {
  it.each<[Partial<VerifierOptions>, string]>([
    [{ dpop: false }, 'Bearer'],
    [{ dpop: 'required' }, `DPoP algs="${algorithms}"`],
    [{ dpop: { mode: 'required', algorithms: ['ES256', 'RS256'] } }, 'DPoP algs="ES256 RS256"'],
    [{}, `Bearer, DPoP algs="${algorithms}"`],
    [{ dpop: {} }, `Bearer, DPoP algs="${algorithms}"`],
    [{ dpop: false, realm: 'a\\b "c"' }, 'Bearer realm="a\\\\b \\"c\\""'],
    [
      { dpop: 'required', realm: 'a', resourceMetadata: 'https://orders.example/m' },
      `DPoP realm="a", algs="${algorithms}", resource_metadata="https://orders.example/m"`,
    ],
    [
      { realm: 'a', resourceMetadata: 'https://orders.example/m' },
      `Bearer realm="a", resource_metadata="https://orders.example/m", ` +
        `DPoP realm="a", algs="${algorithms}", resource_metadata="https://orders.example/m"`,
    ],
  ])('without credentials, of %j', async (options, challenge) => {
    expect(await rejectionOf(requestWith({}), options, { scope })).toEqual({
      status: 401,
      error: undefined,
      description: 'This request needs an access token',
      reason: 'no_credentials',
      headers: {
        'WWW-Authenticate': challenge,
        'Content-Type': 'application/json',
        'Cache-Control': 'no-store',
      },
      body: '{"error_description":"This request needs an access token"}',
      detail: { step: 'credentials', expected: 'an Authorization header', actual: undefined },
    });
  });

  it.each<[string, string, Partial<VerifierOptions>, string]>([
    ['Bearer', token, {}, `Bearer ${forbidden}, DPoP algs="${algorithms}"`],
    ['Bearer', token, { realm: 'r' }, `Bearer realm="r", ${forbidden}, DPoP realm="r", algs="${algorithms}"`],
    ['Bearer', 'opaque', {}, `Bearer ${invalid}, DPoP algs="${algorithms}"`],
    ['DPoP', 'opaque', {}, `Bearer, DPoP ${invalid}, algs="${algorithms}"`],
    ['Bearer', 'opaque', { dpop: 'required' }, `DPoP ${invalid}, algs="${algorithms}"`],
    [
      'DPoP',
      bound,
      {},
      `Bearer, DPoP error="invalid_dpop_proof", ` +
        `error_description="The DPoP proof is not valid for this request", algs="${algorithms}"`,
    ],
    [
      'Basic a, Bearer',
      'b',
      { dpop: false },
      'Bearer error="invalid_request", error_description="The credentials of this request are malformed"',
    ],
  ])('says the error to the scheme that was used: %s', async (scheme, text, options, challenge) => {
    const request = requestWith({ authorization: `${scheme} ${text}` });
    expect(challengeOf(await rejectionOf(request, options, { scope }))).toBe(challenge);
  });

  it('asks for a nonce, and gives one', async () => {
    const dpop = { nonce: { secret: 'x'.repeat(32) } };
    const proof = await client.prove();
    const rejection = await rejectionOf(requestWith({ authorization: `DPoP ${bound}`, dpop: proof }), {
      dpop,
    });
    expect(rejection.status).toBe(401);
    const request = requestWith({ authorization: 'Bearer opaque' });
    expect((await rejectionOf(request, { dpop })).headers['DPoP-Nonce']).toMatch(/^[\w-]+/);
  });
});

describe('the status of a reason', () => {
  const options = {
    realm: undefined,
    resourceMetadata: undefined,
    schemes: ['Bearer'],
    proofAlgorithms: [],
  } as const;
  const answer = (reason: Fault['reason']) =>
    answerTo(new Fault('token', reason, 'this', 'that'), options, undefined, 'Bearer');

  it.each([
    [400, 'invalid_request', ['malformed_credentials']],
    [401, undefined, ['no_credentials', 'unsupported_scheme']],
    [
      401,
      'invalid_token',
      ['token_too_large', 'malformed_token', 'expired', 'token_not_bound', 'invalidated'],
    ],
    [
      403,
      'insufficient_scope',
      ['insufficient_scope', 'client_not_allowed', 'actor_not_allowed', 'service_only', 'check_refused'],
    ],
    [
      401,
      'invalid_dpop_proof',
      [
        'missing_proof',
        'malformed_proof',
        'proof_algorithm_not_allowed',
        'proof_key_mismatch',
        'bad_proof_signature',
        'proof_method_mismatch',
        'proof_url_mismatch',
        'proof_token_mismatch',
        'proof_too_old',
        'proof_in_future',
        'replayed_proof',
      ],
    ],
    [401, 'use_dpop_nonce', ['missing_nonce', 'wrong_nonce']],
  ] as const)('%i %s', (status, error, reasons) => {
    for (const reason of reasons) {
      expect(answer(reason)).toMatchObject({ status, error, reason });
      expect(answer(reason).detail).toEqual({ step: 'token', expected: 'this', actual: 'that' });
    }
  });

  it('of an answer is frozen with all that is in it', () => {
    const rejection = answer('expired');
    for (const part of [rejection, rejection.headers, rejection.detail])
      expect(Object.isFrozen(part)).toBe(true);
    expect(rejection.body).toBe(
      '{"error":"invalid_token","error_description":"The access token is not valid here"}',
    );
  });
});

describe('what cannot be decided', () => {
  it('is 503, and says nothing of why', () => {
    const rejection = undecided('keys_unavailable', 1000);
    expect(rejection).toEqual({
      status: 503,
      error: 'temporarily_unavailable',
      description: 'The access token cannot be verified at the moment',
      reason: 'keys_unavailable',
      headers: { 'Retry-After': '1', 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
      body:
        '{"error":"temporarily_unavailable",' +
        '"error_description":"The access token cannot be verified at the moment"}',
      detail: { step: 'undecided', expected: undefined, actual: undefined },
    });
    for (const part of [rejection, rejection.headers, rejection.detail])
      expect(Object.isFrozen(part)).toBe(true);
  });

  it.each([
    [0, '1'],
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
    [30_000, '30'],
  ])('may be asked again after %i ms: %s s', (ms, seconds) => {
    expect(undecided('overloaded', ms).headers['Retry-After']).toBe(seconds);
  });
});
