import { memoryStorage } from '../../src/issuer/index.ts';
import { createIssuerContext, issuerOf } from '../../src/issuer/issuer.ts';
import { resolveIssuerOptions } from '../../src/issuer/issuer-settings.ts';
import { OptionChecker } from '../../src/shared/options.ts';
import { createTestClients } from './clients.ts';
import { createTestClock } from './clock.ts';
import { createFaultScript } from './faults.ts';
import { type ReplacedFetch, replaceGlobalFetch } from './global-fetch.ts';
import { createLedger } from './ledger.ts';
import { createMint } from './mint.ts';
import { createNetwork, readServices } from './network.ts';
import { optionsOfIssuer, ownOptions, type TestIssuerOptions } from './options.ts';
import { createRevocation } from './revocation.ts';
import type { TestIssuer } from './test-issuer.ts';
import { createWiring } from './wiring.ts';

/**
 * Makes an issuer for tests: the reference issuer in this process, without a port, with a clock that stands still.
 *
 * For tests alone: it gives any token to whoever asks. No limits count its clients, unless `limits` says so.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import { createVerifier } from 'service-auth';
 * import { createTestIssuer } from 'service-auth/testing';
 *
 * const issuer = createTestIssuer();
 * const verifier = createVerifier(issuer.verifierOptions());
 *
 * const token = await issuer.mint({ clientId: 'billing', scope: 'orders:read' });
 * const request = token.request('https://service.test/orders');
 * console.log((await verifier.authenticate(request, { scope: 'orders:read' })).ok); // true
 * issuer.advance({ minutes: 16 });
 * console.log((await verifier.authenticate(request)).ok); // false
 * ```
 */
export function createTestIssuer(options: TestIssuerOptions = {}): TestIssuer {
  const check = new OptionChecker('createTestIssuer');
  const given = check.object('options', options, [...ownOptions, ...optionsOfIssuer]);
  const audience = check.string('audience', given.audience ?? 'https://service.test');
  const otherFetch = check.function('otherFetch', given.otherFetch);
  const clock = createTestClock(check, given);
  const context = createIssuerContext(
    resolveIssuerOptions({
      limits: false,
      ...onlyIssuerOptions(given),
      issuer: given.issuer ?? 'https://issuer.test',
      storage: memoryStorage(),
      now: clock.now,
      // Where keys of services are, which may be one of the services here.
      fetch: (url, init) => fetch(url, init),
    }),
  );
  const issuer = issuerOf(context);
  const { requests, ...ledger } = createLedger(clock.now);
  const faults = createFaultScript(new OptionChecker('TestIssuer.fail'));
  const clients = createTestClients(context, issuer, given.clients ?? []);
  const services = readServices(check, issuer.issuer, given.services ?? {});
  const network = createNetwork({ issuer, ledger, faults, services, settle: clients.settle });
  const fetch = network.fetch(otherFetch);
  const mint = createMint(context, clients, audience);
  const wiring = createWiring({ issuer: issuer.issuer, audience, clients, fetch, now: clock.now });

  const replaced: ReplacedFetch[] = [];

  function replace(): ReplacedFetch {
    const one = replaceGlobalFetch((before) => network.fetch(otherFetch ?? before));
    replaced.push(one);
    return one;
  }

  async function close(): Promise<void> {
    faults.clear();
    for (const one of replaced) one.restore();
    await issuer.close();
  }

  return Object.freeze<TestIssuer>({
    issuer: issuer.issuer,
    audience,
    requests,
    mint,
    headers: async (wanted, use) => (await mint(wanted)).headers(use),
    revoke: createRevocation(context, clients.settle),
    ...wiring,
    fetch,
    replaceGlobalFetch: replace,
    now: clock.now,
    advance: clock.advance,
    fail: (endpoint, fault, times = 1) => faults.add(endpoint, fault, times),
    outage: (endpoint = 'all') => faults.add(endpoint, 'connection_error', Number.POSITIVE_INFINITY),
    recover: faults.clear,
    async rotateKeys(rotation) {
      await clients.settle();
      return issuer.rotateKeys(rotation);
    },
    close,
    [Symbol.asyncDispose]: close,
  });
}

/** Without the test's own, which the issuer does not know. */
function onlyIssuerOptions(given: TestIssuerOptions): Partial<TestIssuerOptions> {
  const own: readonly string[] = ownOptions;
  return Object.fromEntries(Object.entries(given).filter(([name]) => !own.includes(name)));
}
