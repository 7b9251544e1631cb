/** What a runtime cannot do, and why: the one place where a check may be said not to hold. */

const plainWorker = 'workerd';
const workers = [plainWorker, 'workerd, nodejs_compat'];

const exceptions = [
  {
    runtimes: workers,
    reason: 'there a request must not wait for what another began, so each asks for itself',
    checks: [
      'Keys of the issuer: tokens that come together lead to one fetch',
      'Introspection and status lists: 50 requests with one token lead to one question',
      'Calls with tokens: 100 calls at once lead to one token request',
    ],
  },
  {
    runtimes: workers,
    reason: 'signatures are verified by WebCrypto there, which is asynchronous',
    checks: ['Keys of the issuer: with keys in memory the outcome is there at once'],
  },
  {
    runtimes: [plainWorker],
    reason: 'a Worker has neither environment variables nor files without nodejs_compat',
    checks: [
      'Start, events, closing: options from the environment',
      'Client authentication: a secret in a file',
    ],
  },
  {
    runtimes: [plainWorker],
    reason: 'the issuer needs node:crypto, which a Worker has with nodejs_compat alone',
    checks: [
      'The issuer in the runtime: ES256: a service gets a token, and a verifier accepts it',
      'The issuer in the runtime: EdDSA: a service gets a token, and a verifier accepts it',
      'The issuer in the runtime: RS256: a service gets a token, and a verifier accepts it',
      'The issuer in the runtime: a closed issuer: 503',
    ],
  },
];

/** The checks that are excepted on a runtime, by `group: name`, each with its reason. */
export function exceptionsOf({ name }) {
  return exceptions
    .filter(({ runtimes }) => runtimes.includes(name))
    .flatMap(({ checks, reason }) => checks.map((check) => [check, reason]));
}
