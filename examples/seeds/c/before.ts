/** A token client with DPoP, and the Hono middleware for it, as they are written on top of jose. */
import { createHash, randomUUID } from 'node:crypto';
import { Hono, type MiddlewareHandler } from 'hono';
import {
  calculateJwkThumbprint,
  createRemoteJWKSet,
  EmbeddedJWK,
  exportJWK,
  type GenerateKeyPairResult,
  generateKeyPair,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose';

export interface ClientOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | readonly string[];
  readonly resource: string;
  /** Where the token may go. */
  readonly origins: readonly string[];
}

export interface Client {
  /** Calls with a token and a proof. */
  call(url: string): Promise<Response>;
  /** The headers of such a call. */
  headers(url: string): Promise<Record<string, string>>;
  /** The status and the OAuth code of a token request for this scope. */
  failure(scope: string): Promise<string>;
}

class AuthClientError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(`the token request was answered ${status} ${code}`);
    this.status = status;
    this.code = code;
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('base64url');

export function createClient({ issuer, clientId, clientSecret, scope, resource }: ClientOptions): Client {
  const cached = new Map<string, { token: string; renewAt: number }>();
  let keys: Promise<GenerateKeyPairResult> | undefined;

  async function buildDpopProof(htm: string, htu: string, accessToken?: string): Promise<string> {
    keys ??= generateKeyPair('Ed25519');
    const { privateKey, publicKey } = await keys;
    return new SignJWT({ htm, htu, jti: randomUUID(), ...(accessToken && { ath: hash(accessToken) }) })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'Ed25519', jwk: await exportJWK(publicKey) })
      .setIssuedAt()
      .sign(privateKey);
  }

  async function getToken(scopes: string): Promise<string> {
    const key = `${scopes}|${resource}`;
    const found = cached.get(key);
    if (found !== undefined && Date.now() < found.renewAt) return found.token;
    const url = `${issuer}/token`;
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
        dpop: await buildDpopProof('POST', url),
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: scopes, resource }),
    });
    const answer = (await response.json()) as { access_token: string; expires_in: number; error: string };
    if (!response.ok) throw new AuthClientError(response.status, answer.error);
    cached.set(key, {
      token: answer.access_token,
      renewAt: Date.now() + (answer.expires_in - 30) * 1000,
    });
    return answer.access_token;
  }

  async function headers(url: string): Promise<Record<string, string>> {
    const token = await getToken([scope].flat().join(' '));
    return { authorization: `DPoP ${token}`, dpop: await buildDpopProof('GET', url, token) };
  }

  return {
    headers,
    call: async (url) => fetch(url, { headers: await headers(url) }),
    failure: (scopes) =>
      getToken(scopes).then(String, (error: unknown) =>
        error instanceof AuthClientError ? `${error.status} ${error.code}` : 'the connection',
      ),
  };
}

function requireAuth(issuer: string, audience: string, scope: string): MiddlewareHandler {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));

  async function checkProof(proof: string, token: string, url: string, { cnf }: JWTPayload): Promise<void> {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt' });
    const { jwk } = protectedHeader;
    const age = Math.abs(Date.now() / 1000 - (payload.iat ?? 0));
    if (jwk === undefined || age > 60) throw new Error('the proof is too old');
    if (payload.htm !== 'GET' || payload.htu !== url || payload.ath !== hash(token))
      throw new Error('not for this');
    const { jkt } = Object(cnf);
    if (jkt !== (await calculateJwkThumbprint(jwk))) throw new Error('another key');
  }

  return async (c, next) => {
    const [kind, token = ''] = (c.req.header('authorization') ?? '').split(' ');
    if (kind !== 'DPoP') return c.json({ error: 'unauthorized' }, 401);
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience });
      await checkProof(c.req.header('dpop') ?? '', token, c.req.url, payload);
      if (!String(payload.scope).split(' ').includes(scope)) return c.json({ error: 'forbidden' }, 403);
      c.set('clientId', payload.client_id);
    } catch {
      return c.json({ error: 'unauthorized' }, 401);
    }
    await next();
    return;
  };
}

export function createService(issuer: string, audience: string): Hono<{ Variables: { clientId: string } }> {
  const app = new Hono<{ Variables: { clientId: string } }>();
  app.get('/orders', requireAuth(issuer, audience, 'orders:read'), (c) =>
    c.json({ orders: ['tea'], caller: c.get('clientId') }),
  );
  return app;
}
