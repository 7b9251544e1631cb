/** Compiled, never run: the interceptor for undici, and its fetch with a certificate. */
import {
  type AuthedFetchOptions,
  type Caller,
  createAuthedFetch,
  type Explanation,
  type FetchFunction,
  type TokenClient,
  tlsClientAuth,
} from 'service-auth';
import {
  type AuthInterceptor,
  type AuthInterceptorOptions,
  authInterceptor,
  type TlsFetchFiles,
  tlsFetch,
} from 'service-auth/undici';
import { Agent, type Dispatcher, interceptors, Pool } from 'undici';
import type { Equal } from './equal.ts';

declare const caller: Caller;

const auth: AuthInterceptor = authInterceptor({ targets: ['https://orders.example'] });
export const agent: Dispatcher = new Agent().compose(interceptors.dns(), auth, interceptors.retry());
const ofPool: AuthInterceptorOptions = { origin: 'https://orders.example', dpop: true };
export const pool: Dispatcher = new Pool('https://orders.example').compose(authInterceptor(ofPool));
authInterceptor();
// @ts-expect-error: redirects are led through it by undici's own interceptor
authInterceptor({ redirectPolicy: 'refuse' });
// @ts-expect-error: an origin is a text
authInterceptor({ origin: new URL('https://orders.example') });
// @ts-expect-error: an unknown option
authInterceptor({ origins: ['https://orders.example'] });
// @ts-expect-error: what is composed is made first
new Agent().compose(authInterceptor);

type Own = Exclude<keyof AuthInterceptorOptions, keyof AuthedFetchOptions>;
export const own: Equal<Own, 'origin'> = true;

export const delegated: AuthInterceptor = auth.onBehalfOf(caller);
export const tokens: TokenClient = auth.tokens;
export const explanation: Explanation = auth.explain('https://orders.example');
// @ts-expect-error: an interceptor sends nothing by itself
auth('https://orders.example');
// @ts-expect-error: nobody must not mean everybody
auth.onBehalfOf(null);

// A literal needs every option, and may have no other.
const files: Required<TlsFetchFiles> = { certFile: 'tls.crt', keyFile: 'tls.key', caFile: 'ca.crt' };
const send: FetchFunction = tlsFetch(files);
createAuthedFetch({ fetch: send, clientAuth: tlsClientAuth() });
// @ts-expect-error: a certificate is of no use without its key
tlsFetch({ certFile: 'tls.crt' });
// @ts-expect-error: paths, which are read again, not what is in them
tlsFetch({ cert: 'certificate', key: 'key' });
// @ts-expect-error: a path that may be unset
tlsFetch({ certFile: 'tls.crt', keyFile: process.env.KEY_FILE });
