/** An issuer with so many registered services, or the least that signs a token for each POST, in a process of its own. */
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Database from 'libsql';
import {
  createEventLog,
  type IssuerServer,
  type IssuerStorage,
  libsqlStorage,
  memoryStorage,
  serveIssuer,
} from 'service-auth/issuer';
import { answerParent } from './children.ts';
import { encode } from './tokens.ts';

export type Start =
  | { readonly kind: 'floor' }
  /** Without a directory in memory. */
  | { readonly kind: 'registering'; readonly directory: string | undefined; readonly services: number }
  | { readonly kind: 'filled'; readonly directory: string; readonly services: number };

/** What a client of the benchmark needs. */
export interface Registered {
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface Serving {
  readonly url: string;
  readonly services: readonly Registered[];
}

const adminToken = 'an-admin-token-of-the-benchmark';
/** So many of the services ask for tokens; the others are only there. */
const MAX_ASKING = 200;
/** Never reached, but counted. */
const limit = { requests: 1_000_000, windowSeconds: 60 };

answerParent(async (start: Start) => {
  if (start.kind === 'floor') return serveFloor();
  const { kind, directory, services } = start;
  if (kind === 'filled') fill(join(directory, 'issuer.db'), services);
  const { url } = await serve(directory === undefined ? memoryStorage() : await libsqlStorage({ directory }));
  return { url, services: kind === 'filled' ? [] : await registerSome(url, services) };
});

async function registerSome(url: string, total: number): Promise<readonly Registered[]> {
  const services: Registered[] = [];
  while (services.length < Math.min(total, MAX_ASKING)) services.push(await register(url));
  return services;
}

function serve(storage: IssuerStorage): Promise<IssuerServer> {
  return serveIssuer({
    port: 0,
    storage,
    adminToken,
    secretKey: 'the secret key of an issuer, for the benchmark alone',
    limits: { client: limit, address: limit },
    onEvent: createEventLog({ level: 'warn' }),
  });
}

/** Copies the service that was registered last, and its secret, until there are so many. */
function fill(path: string, total: number): void {
  const database = new Database(path);
  const copies = Math.max(0, total - MAX_ASKING);
  for (const [table, columns] of [
    ['services', 'client_id, registration, version, created_at_ms, updated_at_ms, revoked_at_ms'],
    ['secrets', 'client_id, id, hash, sealed, hint, created_at_ms, expires_at_ms, last_used_at_ms'],
  ] as const) {
    const copied = columns.replace('client_id,', "'copy-' || n,").replace(' id,', " 'copy-' || n,");
    database.exec(`
      with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${copies})
      insert into ${table} (${columns})
      select ${copied} from numbers, (select * from ${table} order by sequence desc limit 1) where n <= ${copies}`);
  }
  database.close();
}

async function register(url: string): Promise<Registered> {
  const response = await fetch(`${url}/admin/services`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      name: 'a service',
      scopes: ['orders:read', 'orders:write'],
      resources: ['https://orders.example'],
    }),
  });
  if (response.status !== 201) throw new Error(`a service was not registered: ${response.status}`);
  const { clientId, clientSecret } = (await response.json()) as Registered;
  return { clientId, clientSecret };
}

/** No client is known, nothing is read of the form, nothing is kept. */
async function serveFloor(): Promise<Serving> {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const header = encode({ alg: 'ES256', typ: 'at+jwt', kid: randomUUID() });
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const iat = Math.floor(Date.now() / 1000);
      const claims = { iss: 'https://issuer.example', sub: 'billing', aud: 'https://orders.example' };
      const more = { exp: iat + 900, iat, jti: randomUUID(), client_id: 'billing', scope: 'orders:read' };
      const input = `${header}.${encode({ ...claims, ...more })}`;
      const signature = sign('SHA256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
      const token = `${input}.${signature.toString('base64url')}`;
      const text = JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 900 });
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
      response.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, services: [{ clientId: 'billing', clientSecret: 'none' }] };
}
