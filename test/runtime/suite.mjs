/** Every check, and how they are run: the same on every runtime, with nothing but what web standards have. */
import { calls } from './checks/calls.mjs';
import { certificates } from './checks/certificates.mjs';
import { clientAuthentication } from './checks/client-authentication.mjs';
import { dpopInbound } from './checks/dpop-inbound.mjs';
import { dpopOutbound } from './checks/dpop-outbound.mjs';
import { exchange } from './checks/exchange.mjs';
import { handlers } from './checks/handlers.mjs';
import { introspection } from './checks/introspection.mjs';
import { ownIssuer } from './checks/issuer.mjs';
import { keys } from './checks/keys.mjs';
import { conduct, lifetime } from './checks/lifetime.mjs';
import { server } from './checks/server.mjs';
import { signatures } from './checks/signatures.mjs';
import { tokens } from './checks/tokens.mjs';
import { exceptionsOf } from './exceptions.mjs';

const groups = [
  signatures,
  tokens,
  keys,
  introspection,
  dpopInbound,
  certificates,
  handlers,
  calls,
  clientAuthentication,
  dpopOutbound,
  exchange,
  lifetime,
  server,
  ownIssuer,
  conduct,
];

/** More than any check needs, on a busy machine. */
const LONGEST_CHECK_MS = 20_000;

/**
 * Runs every check on a host: `{ runtime, issuers, issuerFetch, adminToken, ... }`, as host.mjs makes it.
 *
 * Gives `{ group, name, outcome, detail }` for each. A check that the runtime is declared not to pass is run all the
 * same, and fails if it passes, so that no exception outlives its reason.
 */
export async function runSuite(host, report = () => {}) {
  const excepted = new Map(exceptionsOf(host.runtime));
  const results = [];
  for (const { title: group, checks } of groups) {
    for (const [name, check] of Object.entries(checks)) {
      const key = `${group}: ${name}`;
      const result = { group, name, ...judge(await failureOf(check, host), excepted.get(key)) };
      excepted.delete(key);
      results.push(result);
      report(result);
    }
  }
  for (const key of excepted.keys()) {
    const result = { group: 'Exceptions', name: key, outcome: 'failed', detail: 'there is no such check' };
    results.push(result);
    report(result);
  }
  return results;
}

function judge(failure, exception) {
  if (exception === undefined) {
    return failure === undefined ? { outcome: 'passed' } : { outcome: 'failed', detail: failure };
  }
  if (failure !== undefined) return { outcome: 'excepted', detail: exception };
  return { outcome: 'failed', detail: 'it passes, though exceptions.mjs says that it cannot' };
}

/** What went wrong, in words; nothing where the check holds. */
async function failureOf(check, host) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve('it did not end'), LONGEST_CHECK_MS);
  });
  const run = Promise.resolve(host)
    .then(check)
    .then(
      () => undefined,
      (error) => `${error?.name}: ${error?.message}\n${error?.stack ?? ''}`,
    );
  try {
    return await Promise.race([run, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function lineOf({ group, name, outcome, detail }) {
  const mark = { passed: '✓', excepted: '–', failed: '✗' }[outcome];
  return `${mark} ${group}: ${name}${detail === undefined ? '' : `\n    ${detail}`}`;
}

export function countsOf(results) {
  const count = (outcome) => results.filter((result) => result.outcome === outcome).length;
  return `${count('passed')} passed, ${count('excepted')} excepted, ${count('failed')} failed`;
}
