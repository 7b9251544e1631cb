/** A resource server that asks the authorization server about every token, as an introspection cookbook shows it. */
import express, { type Express } from 'express';

export interface ResourceServerOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

interface Introspection {
  readonly active: boolean;
  readonly client_id?: string;
  readonly scope?: string;
}

const TIMEOUT_MS = 2000;

export function createResourceServer({ issuer, clientId, clientSecret }: ResourceServerOptions): Express {
  async function introspect(token: string): Promise<Introspection> {
    const response = await fetch(`${issuer}/introspect`, {
      method: 'POST',
      body: new URLSearchParams({ token, client_id: clientId, client_secret: clientSecret }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`introspection was answered ${response.status}`);
    return (await response.json()) as Introspection;
  }

  const app = express();
  app.get('/orders', async (req, res) => {
    const [, token] = /^Bearer (.+)$/.exec(req.headers.authorization ?? '') ?? [];
    if (token === undefined) {
      res.status(401).json({ error: 'unauthorized' });
      return;
    }
    try {
      const { active, scope = '', client_id } = await introspect(token);
      if (!active || !scope.split(' ').includes('read')) {
        res.status(401).json({ error: 'unauthorized' });
        return;
      }
      res.json({ orders: ['tea'], caller: client_id });
    } catch {
      res.status(401).json({ error: 'unauthorized' });
    }
  });
  return app;
}
