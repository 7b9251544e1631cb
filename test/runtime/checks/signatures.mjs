import { createVerifier } from 'service-auth';
import { equal } from '../support/expect.mjs';
import { judge } from '../support/judge.mjs';
import { issuerUrl, keyOf, mint, sign, tampered, trusting } from '../support/tokens.mjs';

const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'HS256',
  'HS384',
  'HS512',
];

async function checkAlgorithm(alg) {
  const key = await keyOf(alg);
  const verifier = createVerifier(trusting(key));
  const token = await mint(key);
  equal(await judge(verifier, token), '200');
  equal(await judge(verifier, token), '200', 'the outcome of the cached token');
  equal(await judge(verifier, tampered(await mint(key))), '401 bad_signature');
}

/** A MAC by the text of a public key, which everybody knows. */
async function checkConfusion() {
  const key = await keyOf('ES256');
  const signer = new TextEncoder().encode(JSON.stringify(key.jwk));
  const token = await mint({ alg: 'HS256', kid: key.kid, signer });
  equal(await judge(createVerifier(trusting(key)), token), '401 algorithm_not_allowed');
}

async function checkNone() {
  const text = (value) => btoa(JSON.stringify(value)).replaceAll('=', '');
  const token = `${text({ alg: 'none' })}.${text({ iss: issuerUrl })}.`;
  const outcome = await judge(createVerifier(trusting(await keyOf('ES256'))), token);
  equal(outcome.startsWith('401 '), true, `the refusal, not ${outcome},`);
}

/** On Node the rest of such a burst is verified by the thread pool. */
async function checkBurst() {
  const key = await keyOf('RS256');
  const verifier = createVerifier(trusting(key));
  const tokens = await Promise.all(Array.from({ length: 200 }, () => mint(key)));
  const outcomes = await Promise.all(
    tokens.map((token, at) => judge(verifier, at % 2 === 0 ? token : tampered(token))),
  );
  equal(outcomes.filter((outcome) => outcome === '200').length, 100, 'the number of good tokens');
  equal(outcomes.filter((outcome) => outcome === '401 bad_signature').length, 100, 'of bad ones');
}

async function checkKeyOfOther() {
  const [first, second] = [await keyOf('ES256'), await keyOf('ES256', 'second')];
  const verifier = createVerifier(trusting(first));
  equal(await judge(verifier, await mint({ ...second, kid: first.kid })), '401 bad_signature');
  equal(await judge(verifier, await mint(second)), '401 unknown_key');
}

/** The same text, signed as another kind of JWT. */
async function checkKind() {
  const key = await keyOf('ES256');
  const seconds = Math.floor(Date.now() / 1000);
  const token = await sign(key, { iss: issuerUrl, iat: seconds, exp: seconds + 60 }, { typ: 'dpop+jwt' });
  equal(await judge(createVerifier(trusting(key)), token), '401 wrong_typ');
}

export const signatures = {
  title: 'Signatures',
  checks: {
    ...Object.fromEntries(
      algorithms.map((alg) => [
        `${alg}: a good token passes, a wrong signature does not`,
        () => checkAlgorithm(alg),
      ]),
    ),
    'a public key is no secret': checkConfusion,
    'a token without a signature is refused': checkNone,
    'keys of others are refused': checkKeyOfOther,
    'a JWT of another kind is refused': checkKind,
    '200 new tokens at once': checkBurst,
  },
};
