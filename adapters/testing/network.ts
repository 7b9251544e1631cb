/** A network without sockets: requests to the issuer and to the services of a test are answered in this process. */
import type { FetchFunction } from '../../src/index.ts';
import type { Issuer } from '../../src/issuer/issuer.ts';
import type { OptionChecker } from '../../src/shared/options.ts';
import { parseUrl } from '../../src/shared/url.ts';
import { endpointOf } from './endpoints.ts';
import type { FaultScript } from './faults.ts';
import type { Ledger } from './ledger.ts';
import { untilAborted } from './until-aborted.ts';

/** What answers the calls of a service: a web handler, or an app with one, such as that of Hono. */
export type TestService =
  | ((request: Request) => Response | Promise<Response>)
  | { fetch(request: Request): Response | Promise<Response> };

export interface NetworkOptions {
  readonly issuer: Issuer;
  readonly ledger: Omit<Ledger, 'requests'>;
  readonly faults: FaultScript;
  readonly services: ReadonlyMap<string, TestService>;
  /** Registers what was noted, before the issuer is asked. */
  readonly settle: () => Promise<void>;
}

export interface Network {
  /** A fetch that leaves what nobody here answers to the other one, or refuses it. */
  fetch(otherFetch: FetchFunction | undefined): FetchFunction;
}

export function createNetwork({ issuer, ledger, faults, services, settle }: NetworkOptions): Network {
  const issuerOrigin = new URL(issuer.issuer).origin;

  async function askIssuer(request: Request): Promise<Response> {
    const endpoint = endpointOf(new URL(request.url).pathname);
    const entry = ledger.toIssuer(
      endpoint,
      request,
      request.body === null ? '' : await request.clone().text(),
    );
    const meeting = faults.take(endpoint);
    if (meeting !== undefined) entry.met(meeting.name);
    const scripted = await meeting?.answer(request);
    const response = scripted ?? (await answer(request));
    await entry.answered(response);
    return response;
  }

  async function answer(request: Request): Promise<Response> {
    await settle();
    return issuer.fetch(request);
  }

  async function askService(service: TestService, request: Request): Promise<Response> {
    const entry = ledger.toService(request);
    const response = await (typeof service === 'function' ? service(request) : service.fetch(request));
    await entry.answered(response);
    return response;
  }

  const fetch: Network['fetch'] = (otherFetch) => async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const { origin } = new URL(url);
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    signal?.throwIfAborted();
    if (origin === issuerOrigin) return untilAborted(signal, askIssuer(new Request(input, init)));
    const service = services.get(origin);
    if (service !== undefined) return untilAborted(signal, askService(service, new Request(input, init)));
    if (otherFetch !== undefined) return otherFetch(input, init);
    throw nobodyAnswers(origin, [issuerOrigin, ...services.keys()]);
  };

  return { fetch };
}

function nobodyAnswers(origin: string, known: readonly string[]): TypeError {
  return new TypeError(
    `TestIssuer.fetch: nothing answers at ${origin}; known are ${known.join(', ')}. ` +
      `Give services: { '${origin}': app } to createTestIssuer, or otherFetch: fetch for real requests`,
  );
}

/** @throws TypeError for an origin that is none, or the issuer's, or a service that cannot answer. */
export function readServices(
  check: OptionChecker,
  issuer: string,
  services: Readonly<Record<string, TestService>>,
): ReadonlyMap<string, TestService> {
  const read = new Map<string, TestService>();
  for (const [name, service] of Object.entries(services)) {
    const rule = 'origins such as https://orders.internal, and not that of the issuer';
    const origin = parseUrl(name)?.origin;
    if (
      origin === undefined ||
      (name !== origin && name !== `${origin}/`) ||
      origin === new URL(issuer).origin
    ) {
      check.fail('services', rule, name);
    }
    const answers =
      typeof service === 'function' || typeof Reflect.get(Object(service), 'fetch') === 'function';
    if (!answers)
      check.failKind(`services['${origin}']`, 'a function of a Request, or an app with fetch', service);
    read.set(origin ?? name, service);
  }
  return read;
}
