import { describe, expect, it } from 'vitest';
import { createTestIssuer, type PresentationFault } from '../../../adapters/testing.ts';
import { type AuthOutcome, createVerifier } from '../../../src/index.ts';
import { createCertificate } from '../../helpers/tls.ts';

const place = 'https://service.test/orders?page=2';
const reasonOf = (outcome: AuthOutcome): string => (outcome.ok ? 'accepted' : outcome.rejection.reason);

describe('a token that is bound to a key', () => {
  it('comes with a proof for each request', async () => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions({ dpop: 'required' }));
    const token = await issuer.mint({ dpop: true });
    expect(token.scheme).toBe('DPoP');
    for (const method of ['GET', 'POST', 'GET']) {
      const outcome = await verifier.authenticate(token.request(place, { method }), {
        senderConstrained: 'dpop',
      });
      expect(outcome).toMatchObject({ ok: true, caller: { scheme: 'DPoP' } });
    }
  });

  it.each([
    ['missing', 'missing_proof'],
    ['as_bearer', 'bound_token_as_bearer'],
    ['wrong_method', 'proof_method_mismatch'],
    ['wrong_url', 'proof_url_mismatch'],
    ['wrong_token', 'proof_token_mismatch'],
    ['wrong_key', 'proof_key_mismatch'],
    ['too_old', 'proof_too_old'],
    ['in_future', 'proof_in_future'],
    ['tampered', 'bad_proof_signature'],
  ] as const)('is refused with the fault %s', async (fault, reason) => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions());
    const token = await issuer.mint({ dpop: true });
    const outcome = await verifier.authenticate(token.request(place, {}, { fault }));
    expect(reasonOf(outcome)).toBe(reason);
  });

  it('is refused when its proof comes twice', async () => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions());
    const headers = await issuer.headers({ dpop: true }, { url: place });
    const send = async (): Promise<string> =>
      reasonOf(await verifier.authenticate(new Request(place, { headers })));
    expect([await send(), await send()]).toEqual(['accepted', 'replayed_proof']);
  });

  it('brings the nonce that the service asked for', async () => {
    const issuer = createTestIssuer();
    const nonces = { secret: 'a secret of the service, 32 bytes and more' };
    const verifier = createVerifier(issuer.verifierOptions({ dpop: { mode: 'required', nonce: nonces } }));
    const token = await issuer.mint({ dpop: true });
    const first = await verifier.authenticate(token.request(place));
    expect(reasonOf(first)).toBe('missing_nonce');
    const nonce = (!first.ok && first.rejection.headers['DPoP-Nonce']) || '';
    expect(reasonOf(await verifier.authenticate(token.request(place, {}, { nonce })))).toBe('accepted');
  });

  it('says what its proof needs', async () => {
    const token = await createTestIssuer().mint({ dpop: true });
    expect(() => token.headers()).toThrow('its proof needs the request: headers({ method, url })');
  });
});

describe('a token that is bound to a certificate', async () => {
  const own = await createCertificate('billing');

  it.each([
    ['the one that is built in', () => true as const],
    ['one of the test, in PEM', () => own.cert],
  ])('is accepted with %s', async (_what, certificate) => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions());
    const token = await issuer.mint({ certificate: certificate() });
    const outcome = await verifier.authenticate(token.request(place), { senderConstrained: 'mtls' });
    expect(reasonOf(outcome)).toBe('accepted');
  });

  it.each([
    ['missing', 'missing_certificate'],
    ['wrong_certificate', 'certificate_mismatch'],
  ] as const)('is refused with the fault %s', async (fault, reason) => {
    const issuer = createTestIssuer();
    const verifier = createVerifier(issuer.verifierOptions());
    const token = await issuer.mint({ certificate: true });
    expect(reasonOf(await verifier.authenticate(token.request(place, {}, { fault })))).toBe(reason);
  });

  it('is refused by verifiers that do not read the header of tests', async () => {
    const { clientCertificate: _, ...options } = createTestIssuer().verifierOptions();
    const issuer = createTestIssuer();
    const verifier = createVerifier({ ...issuer.verifierOptions(), clientCertificate: () => undefined });
    const token = await issuer.mint({ certificate: true });
    expect(reasonOf(await verifier.authenticate(token.request(place)))).toBe('missing_certificate');
    expect(options.audience).toBe('https://service.test');
  });
});

it.each<[object, PresentationFault, string]>([
  [{}, 'missing', 'of a token that is bound to something'],
  [{}, 'as_bearer', 'of a token that is bound to a key'],
  [{ dpop: true }, 'wrong_certificate', 'of a token that is bound to a certificate'],
  [{ certificate: true }, 'wrong_url', 'of a token that is bound to a key'],
])('a fault that %j cannot have is a mistake (%s)', async (options, fault, message) => {
  const token = await createTestIssuer().mint(options);
  expect(() => token.headers({ url: place, fault })).toThrow(message);
});
