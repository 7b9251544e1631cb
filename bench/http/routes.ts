/** What each server answers, and with what it is asked: the open route first, which is the floor. */
import type { JWK } from 'jose';

export type Framework = 'node:http' | 'Express' | 'Fastify' | 'Hono' | 'Koa';

/** One of 1,000 tokens that come again and again; one that never came; one of 1,000 with a proof that never came. */
export type Credentials = 'known' | 'new' | 'proven';

export interface Route {
  readonly name: string;
  readonly path: string;
  readonly credentials: Credentials;
}

export const frameworks: readonly Framework[] = ['node:http', 'Express', 'Fastify', 'Hono', 'Koa'];

const own: readonly Route[] = [
  // With a token that nobody looks at: the longer header must not count as the cost of judging it.
  { name: 'floor: open route', path: '/open', credentials: 'known' },
  { name: 'service-auth, 1,000 tokens', path: '/known', credentials: 'known' },
  { name: 'service-auth, every token new', path: '/new', credentials: 'new' },
  { name: 'service-auth, DPoP', path: '/proven', credentials: 'proven' },
  { name: 'limit: the header read, 1,000 tokens', path: '/header', credentials: 'known' },
  { name: 'limit: crypto.verify alone, every token new', path: '/signature', credentials: 'new' },
];

const peers: Readonly<Record<Framework, readonly (readonly [name: string, path: string])[]>> = {
  'node:http': [],
  Express: [['express-oauth2-jwt-bearer', '/bearer']],
  Fastify: [
    ['@fastify/jwt', '/jwt'],
    ['@fastify/jwt with cache', '/jwt-cache'],
  ],
  Hono: [
    ['hono jwk', '/jwk'],
    ['hono jwt, CryptoKey', '/jwt'],
  ],
  Koa: [
    ['koa-jwt with jwks-rsa', '/jwks-rsa'],
    ['koa-jwt, KeyObject', '/jwt'],
  ],
};

export function routesOf(framework: Framework): readonly Route[] {
  const others = peers[framework].flatMap(([name, path]): Route[] => [
    { name: `${name}, 1,000 tokens`, path, credentials: 'known' },
    { name: `${name}, every token new`, path, credentials: 'new' },
  ]);
  return [...own, ...others];
}

/** What servers know of the issuer. */
export interface Setup {
  readonly jwk: JWK & { readonly kty: string; readonly kid: string };
  readonly jwksUri: string;
}

/** What every route answers. */
export const order = { id: 4711, item: 'a book', quantity: 1 };
