/** System A calls system B, and B asks C on A's behalf: as the recipe of an auth platform has it written, with jose. */
import express, { type Express, type RequestHandler } from 'express';
import { createRemoteJWKSet, jwtVerify } from 'jose';

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in: number;
}

async function requestToken(tokenUrl: string, parameters: Record<string, string>): Promise<TokenAnswer> {
  const response = await fetch(tokenUrl, { method: 'POST', body: new URLSearchParams(parameters) });
  if (!response.ok) throw new Error(`the token request was answered ${response.status}`);
  return (await response.json()) as TokenAnswer;
}

/** The calling side: a token is kept, and renewed a minute before it expires. */
export function createSystemA(): (url: string) => Promise<Response> {
  const tokenUrl = setting('TOKEN_URL');
  const parameters = {
    grant_type: 'client_credentials',
    client_id: setting('CLIENT_ID'),
    client_secret: setting('CLIENT_SECRET'),
    resource: setting('API_B'),
  };
  let token = '';
  let renewAt = 0;

  return async (url) => {
    if (Date.now() >= renewAt) {
      const answer = await requestToken(tokenUrl, parameters);
      token = answer.access_token;
      renewAt = Date.now() + (answer.expires_in - 60) * 1000;
    }
    return fetch(url, { headers: { authorization: `Bearer ${token}` } });
  };
}

/** The called side: issuer, audience and one client, checked with the issuer's keys. */
function requireSystemA(issuer: string, audience: string): RequestHandler {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  return async (req, res, next) => {
    const [scheme, token] = (req.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer' || token === undefined) {
      res.sendStatus(401);
      return;
    }
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience });
      if (payload.client_id !== 'system-a' || !String(payload.scope).split(' ').includes('read')) {
        res.sendStatus(403);
        return;
      }
      res.locals.token = token;
    } catch {
      res.sendStatus(401);
      return;
    }
    next();
  };
}

export function createSystemB(systemC: string): Express {
  const [issuer, tokenUrl, resource] = [setting('ISSUER'), setting('TOKEN_URL'), setting('API_C')];
  const credentials = { client_id: 'system-b', client_secret: setting('SYSTEM_B_SECRET') };
  const app = express();
  app.use(requireSystemA(issuer, setting('API_B')));
  app.get('/orders', (_req, res) => void res.json({ orders: ['tea'] }));
  app.get('/stock', async (_req, res) => {
    const { access_token } = await requestToken(tokenUrl, {
      ...credentials,
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: res.locals.token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      resource,
      scope: 'read',
    });
    const response = await fetch(systemC, { headers: { authorization: `Bearer ${access_token}` } });
    res.status(response.status).json(await response.json());
  });
  return app;
}
