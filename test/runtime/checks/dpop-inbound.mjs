import { createVerifier } from 'service-auth';
import { equal, matches } from '../support/expect.mjs';
import { judge, requestWith, url } from '../support/judge.mjs';
import { createProver } from '../support/proofs.mjs';
import { keyOf, mint, tampered, trusting } from '../support/tokens.mjs';

const scheme = 'DPoP';

/** A token that is bound to the key of a client. */
async function setUp(options = {}, alg = 'ES256') {
  const key = await keyOf('ES256');
  const prover = await createProver(alg);
  const verifier = createVerifier(trusting(key, options));
  const token = await mint(key, { claims: { cnf: { jkt: prover.jkt } } });
  return { key, prover, verifier, token };
}

async function checkAlgorithm(alg) {
  const { prover, verifier, token } = await setUp({}, alg);
  equal(await judge(verifier, token, { scheme, proof: await prover.prove(token) }), '200');
  const proof = tampered(await prover.prove(token));
  equal(await judge(verifier, token, { scheme, proof }), '401 bad_proof_signature');
}

async function checkReplay() {
  const { prover, verifier, token } = await setUp();
  const proof = await prover.prove(token);
  const outcomes = await Promise.all([0, 1, 2].map(() => judge(verifier, token, { scheme, proof })));
  equal(outcomes.toSorted(), ['200', '401 replayed_proof', '401 replayed_proof'], 'the outcomes');
}

async function checkRequest() {
  const { prover, verifier, token } = await setUp();
  const outcome = async (claims, more) =>
    judge(verifier, token, { scheme, proof: await prover.prove(token, claims), ...more });
  equal(await outcome({ htu: `${url}/1` }), '401 proof_url_mismatch');
  equal(await outcome({ htm: 'POST' }), '401 proof_method_mismatch');
  equal(await outcome({}, { url: `${url}?page=2` }), '200', 'the outcome with a query');
  equal(await outcome({ htm: 'DELETE' }, { method: 'DELETE' }), '200', 'the outcome of another method');
}

async function checkBinding() {
  const { key, prover, verifier, token } = await setUp();
  const other = await createProver();
  const outcome = (proof, more) => judge(verifier, token, { scheme, proof, ...more });
  equal(await outcome(await other.prove(token)), '401 proof_key_mismatch');
  equal(await outcome(await prover.prove(await mint(key))), '401 proof_token_mismatch');
  equal(await outcome(undefined), '401 missing_proof');
  equal(await judge(verifier, token), '401 bound_token_as_bearer');
}

async function checkAge() {
  const { prover, verifier, token } = await setUp();
  const at = Math.floor(Date.now() / 1000);
  const outcome = async (iat) =>
    judge(verifier, token, { scheme, proof: await prover.prove(token, { iat }) });
  equal(await outcome(at - 100), '401 proof_too_old');
  equal(await outcome(at + 100), '401 proof_in_future');
}

async function checkNonce() {
  const secret = 'a secret of 32 bytes or more for nonces';
  const { prover, verifier, token } = await setUp({ dpop: { nonce: { secret } } });
  const refused = await verifier.authenticate(
    requestWith(token, { scheme, proof: await prover.prove(token) }),
  );
  const { status, error, headers } = refused.rejection;
  equal(`${status} ${error}`, '401 use_dpop_nonce');
  matches(headers['WWW-Authenticate'], /DPoP .*error="use_dpop_nonce"/, 'the challenge');
  const nonce = headers['DPoP-Nonce'];
  const accepted = await verifier.authenticate(
    requestWith(token, { scheme, proof: await prover.prove(token, { nonce }) }),
  );
  equal(accepted.ok, true, 'that the nonce is taken');
  matches(accepted.headers['DPoP-Nonce'], /./, 'the nonce of the answer');
  const wrong = await prover.prove(token, { nonce: 'made-up' });
  equal(await judge(verifier, token, { scheme, proof: wrong }), '401 wrong_nonce');
}

async function checkModes() {
  const { key, prover, verifier, token } = await setUp({ dpop: 'required' });
  equal(await judge(verifier, await mint(key)), '401 token_not_bound');
  equal(await judge(verifier, token, { scheme, proof: await prover.prove(token) }), '200');
  const without = createVerifier(trusting(key, { dpop: false }));
  const outcome = await judge(without, token);
  matches(outcome, /^401 /, 'the outcome where DPoP is off');
}

export const dpopInbound = {
  title: 'DPoP, inbound',
  checks: {
    ...Object.fromEntries(
      ['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'].map((alg) => [
        `${alg}: a good proof passes, a wrong signature does not`,
        () => checkAlgorithm(alg),
      ]),
    ),
    'a proof is used once': checkReplay,
    'a proof is for one method and one URL': checkRequest,
    'another key, another token, no proof, as Bearer': checkBinding,
    'a proof that is old, or from the future': checkAge,
    'a nonce is asked for, and taken': checkNonce,
    'required, and off': checkModes,
  },
};
