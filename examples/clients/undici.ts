import { authInterceptor } from 'service-auth/undici';
import { Agent, type Dispatcher, interceptors } from 'undici';

/** Names are resolved behind the token's back; every attempt and every hop gets a token, and a proof, of its own. */
export function createAgent(targets: readonly string[]): Dispatcher {
  return new Agent().compose(
    interceptors.dns(),
    authInterceptor({ targets }),
    interceptors.retry(),
    interceptors.redirect({ maxRedirections: 5 }),
  );
}
