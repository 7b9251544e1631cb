/** A resource server for opaque tokens, and a client of it, on an OpenID provider: by hand with fetch. */
import express, { type Express } from 'express';

export interface Credentials {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

interface Introspection {
  readonly active: boolean;
  readonly exp?: number;
  readonly scope?: string;
  readonly client_id?: string;
  readonly sub?: string;
}

const CACHE_SECONDS = 30;
const DEFAULT_LIFETIME_SECONDS = 300;

const basic = ({ clientId, clientSecret }: Credentials): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')}`;

export function createResourceServer(credentials: Credentials, _audience: string): Express {
  const cache = new Map<string, { readonly answer: Introspection; readonly until: number }>();

  async function introspect(token: string): Promise<Introspection> {
    const found = cache.get(token);
    if (found !== undefined && Date.now() < found.until) return found.answer;
    const response = await fetch(`${credentials.issuer}/token/introspection`, {
      method: 'POST',
      headers: { authorization: basic(credentials) },
      body: new URLSearchParams({ token }),
    });
    if (!response.ok) throw new Error(`introspection was answered ${response.status}`);
    const answer = (await response.json()) as Introspection;
    // No longer than the token has left.
    const until = Math.min(Date.now() + CACHE_SECONDS * 1000, (answer.exp ?? 0) * 1000);
    if (answer.active) cache.set(token, { answer, until });
    return answer;
  }

  const app = express();
  app.get(['/orders', '/services-only'], async (req, res) => {
    const [scheme, token] = (req.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer' || token === undefined) {
      res.sendStatus(401);
      return;
    }
    const { active, scope = '', sub, client_id } = await introspect(token);
    const kind = sub === undefined || sub === client_id ? 'service' : 'user';
    if (!active) res.sendStatus(401);
    else if (!scope.split(' ').includes('orders:read')) res.sendStatus(403);
    else if (kind === 'user' && req.path === '/services-only') res.sendStatus(403);
    else res.json({ kind, caller: client_id });
  });
  return app;
}

/** Some providers leave `expires_in` out. */
export function createCaller(
  credentials: Credentials,
  resource: string,
  _origin: string,
): (url: string) => Promise<Response> {
  let token = '';
  let renewAt = 0;
  return async (url) => {
    if (Date.now() >= renewAt) {
      const response = await fetch(`${credentials.issuer}/token`, {
        method: 'POST',
        headers: { authorization: basic(credentials) },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders:read', resource }),
      });
      if (!response.ok) throw new Error(`the token request was answered ${response.status}`);
      const answer = (await response.json()) as { access_token: string; expires_in?: number };
      token = answer.access_token;
      renewAt = Date.now() + ((answer.expires_in ?? DEFAULT_LIFETIME_SECONDS) - 60) * 1000;
    }
    return fetch(url, { headers: { authorization: `Bearer ${token}` } });
  };
}
