/** Two issuer processes on one PostgreSQL, behind one name: they behave as one, and one goes on without the other. */
import { randomUUID } from 'node:crypto';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTokenClient, createVerifier } from '../../src/index.ts';
import { type AdminClient, createAdminClient } from '../../src/issuer/index.ts';
import { type Balancer, startBalancer } from '../helpers/balancer.ts';
import { createDpopClient } from '../helpers/dpop.ts';
import { createPartyKey } from '../helpers/issuer-world.ts';
import { judge } from '../helpers/judge.ts';
import { hasPostgres, type PrivatePostgres, startPostgres } from '../helpers/postgres.ts';
import { buildProgram, type Program, type RunningIssuer } from '../unit/cli/harness.ts';
import { basic, type Credentials, form, type Parameters } from '../unit/issuer/harness.ts';

const adminToken = 'an-admin-token-from-outside';
const RESOURCE = 'https://orders.example';
/** In a window so long that hardly a run sees its end. */
const LIMIT = 100;
const DAY_SECONDS = 86_400;
const FLAGS = ['--limit-client', `${LIMIT}/${DAY_SECONDS}`, '--dpop-nonce', '--status-list-ttl-seconds', '5'];

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

describe.runIf(hasPostgres())('two issuer processes on one PostgreSQL', () => {
  let postgres: PrivatePostgres;
  let program: Program;
  let balancer: Balancer;
  let a: RunningIssuer;
  let b: RunningIssuer;
  let admin: AdminClient;

  async function startIssuer(environment: Record<string, string>, more: readonly string[]) {
    const running = await program.startIssuer(['--issuer', balancer.url, ...FLAGS, ...more], environment);
    balancer.backends.push(running.url);
    return running;
  }

  beforeAll(async () => {
    [postgres, program, balancer] = await Promise.all([startPostgres(), buildProgram(), startBalancer()]);
    const environment = {
      SERVICE_AUTH_ADMIN_TOKEN: adminToken,
      SERVICE_AUTH_SECRET_KEY: 'a secret key of at least 32 bytes, for tests',
      SERVICE_AUTH_DATABASE_URL: await postgres.createDatabase(),
    };
    [a, b] = await Promise.all([startIssuer(environment, []), startIssuer(environment, [])]);
    admin = createAdminClient({ issuer: balancer.url, adminToken });
  });
  afterAll(async () => {
    program.endAll();
    await balancer.close();
    await Promise.all([postgres.remove(), program.remove()]);
  });

  const both = (turn: number): RunningIssuer => (turn % 2 === 0 ? a : b);

  async function post(
    at: RunningIssuer,
    path: string,
    parameters: Parameters,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${at.url}${path}`, { method: 'POST', body: form(parameters), headers });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? {} : JSON.parse(text),
    };
  }

  async function register(more: object = {}): Promise<Credentials> {
    const service = { name: 'a service', scopes: ['read'], resources: [RESOURCE], ...more };
    const { clientId, clientSecret = '' } = await admin.services.create(service);
    return { clientId, clientSecret };
  }

  const asked = { grant_type: 'client_credentials', resource: RESOURCE };

  async function token(at: RunningIssuer, as: Credentials): Promise<string> {
    const { status, body } = await post(at, '/token', asked, { authorization: basic(as) });
    expect(status).toBe(200);
    return String(body.access_token);
  }

  async function isActive(at: RunningIssuer, as: Credentials, text: string): Promise<unknown> {
    return (await post(at, '/introspect', { token: text }, { authorization: basic(as) })).body.active;
  }

  async function kidsOf({ url }: RunningIssuer): Promise<readonly string[]> {
    const { keys }: { keys: { kid: string }[] } = await (await fetch(`${url}/jwks`)).json();
    return keys.map(({ kid }) => kid);
  }

  it('have one key, and a new one that either adds is known to both', async () => {
    expect(await kidsOf(a)).toEqual(await kidsOf(b));
    const client = await register();
    const { kid } = await createAdminClient({ issuer: a.url, adminToken }).keys.rotate({ immediately: true });
    const signed = await token(a, client);
    expect(decodeProtectedHeader(signed).kid).toBe(kid);
    // The other one has not read the keys again yet, and finds this one when it must.
    expect(await isActive(b, client, signed)).toBe(true);
    expect(await kidsOf(b)).toEqual(await kidsOf(a));
    expect(decodeProtectedHeader(await token(b, client)).kid).toBe(kid);
    const keys = createRemoteJWKSet(new URL(`${b.url}/jwks`));
    const { payload } = await jwtVerify(signed, keys, { issuer: balancer.url, audience: RESOURCE });
    expect(payload.client_id).toBe(client.clientId);
  });

  it.each(['jwt', 'opaque'] as const)(
    'a %s token that one revokes is revoked at the other',
    async (tokenFormat) => {
      const client = await register({ tokenFormat });
      const text = await token(a, client);
      expect([await isActive(a, client, text), await isActive(b, client, text)]).toEqual([true, true]);
      const revoked = await post(b, '/revoke', { token: text }, { authorization: basic(client) });
      expect(revoked.status).toBe(200);
      expect([await isActive(a, client, text), await isActive(b, client, text)]).toEqual([false, false]);
    },
  );

  it('a service that one revokes gets nothing at the other, and its tokens are gone from its status list', async () => {
    const client = await register();
    const text = await token(a, client);
    const makeVerifier = (at: RunningIssuer) =>
      createVerifier({
        issuer: { issuer: balancer.url, statusList: true },
        audience: RESOURCE,
        fetch: (url, init) => fetch(url.replace(balancer.url, at.url), init),
      });
    expect(await judge(makeVerifier(b), text)).toBe('accepted');
    await createAdminClient({ issuer: a.url, adminToken }).services.revoke(client.clientId);
    const refusal = await post(b, '/token', asked, { authorization: basic(client) });
    expect([refusal.status, refusal.body.error]).toEqual([401, 'invalid_client']);
    expect(await judge(makeVerifier(a), text)).toBe('status_not_valid');
    expect(await judge(makeVerifier(b), text)).toBe('status_not_valid');
  });

  it('an assertion is used once between them, though it comes to both at the same time', async () => {
    const key = await createPartyKey();
    const { clientId } = await register({ jwks: { keys: [key.publicJwk] } });
    const assertion = (): Promise<string> =>
      new SignJWT({ iss: clientId, sub: clientId, aud: balancer.url, jti: randomUUID() })
        .setProtectedHeader({ alg: 'ES256', kid: 'service-1' })
        .setIssuedAt()
        .setExpirationTime('1m')
        .sign(key.privateKey);
    const send = async (at: RunningIssuer, text: string): Promise<number> => {
      const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      const credentials = { client_assertion_type: type, client_assertion: text };
      return (await post(at, '/token', { ...asked, ...credentials })).status;
    };
    const first = await assertion();
    expect([await send(a, first), await send(b, first)]).toEqual([200, 401]);
    const second = await assertion();
    const statuses = await inTurn(20, (turn) => send(both(turn), second));
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 401)).toHaveLength(19);
  });

  it('a nonce of one is good at the other, and a proof is used once between them', async () => {
    const client = await register();
    const prover = await createDpopClient();
    const send = (at: RunningIssuer, dpop: string): Promise<Answer> =>
      post(at, '/token', asked, { authorization: basic(client), dpop });
    const prove = (nonce?: string): Promise<string> =>
      prover.prove({
        htm: 'POST',
        htu: `${balancer.url}/token`,
        iat: Math.floor(Date.now() / 1000),
        ...(nonce !== undefined && { nonce }),
      });
    const refused = await send(a, await prove());
    expect([refused.status, refused.body.error]).toEqual([400, 'use_dpop_nonce']);
    const nonce = refused.headers.get('dpop-nonce') ?? '';
    const proof = await prove(nonce);
    const good = await send(b, proof);
    expect([good.status, good.body.token_type]).toEqual([200, 'DPoP']);
    const replayed = await send(a, proof);
    expect([replayed.status, replayed.body.error]).toEqual([400, 'invalid_dpop_proof']);
    const next = await prove(nonce);
    const statuses = await inTurn(20, async (turn) => (await send(both(turn), next)).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  });

  it('let a client through as often as one of them would', async () => {
    const client = await register();
    const answers = await inTurn(LIMIT + 60, (turn) =>
      post(both(turn), '/token', asked, { authorization: basic(client) }),
    );
    const limited = answers.filter(({ status }) => status === 429);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(LIMIT);
    expect(limited).toHaveLength(60);
    expect(Number(limited[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
    // Nobody else has fewer requests for it.
    await token(a, await register());
  });

  it('a create that is sent to both makes one service, and gives one answer', async () => {
    const create = async (at: RunningIssuer, key: string, name: string): Promise<Answer> => {
      const response = await fetch(`${at.url}/admin/services`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${adminToken}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body: JSON.stringify({ name, scopes: ['read'], resources: [RESOURCE] }),
      });
      return { status: response.status, headers: response.headers, body: await response.json() };
    };
    const key = randomUUID();
    const answers = await inTurn(10, (turn) => create(both(turn), key, 'Twin'));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    const { clientId, clientSecret } = answers[0]?.body ?? {};
    await token(b, { clientId: String(clientId), clientSecret: String(clientSecret) });
    const twins: string[] = [];
    for await (const service of admin.services.all())
      if (service.name === 'Twin') twins.push(service.clientId);
    expect(twins).toEqual([clientId]);
    expect((await create(b, key, 'Another')).status).toBe(422);
  });

  it('one is killed in the middle of token requests: the other goes on, and nothing that was given is lost', async () => {
    const clients = await inTurn(10, () => register());
    const given: string[] = [];
    const failures: unknown[] = [];
    let killed = false;
    const ask = async (turn: number): Promise<void> => {
      const client = clients[turn % clients.length];
      if (client === undefined) throw new Error('there is no client');
      const tokens = createTokenClient({ issuer: balancer.url, ...client, resource: RESOURCE });
      try {
        given.push((await tokens.getToken()).accessToken);
      } catch (error) {
        failures.push(error);
      } finally {
        tokens.close();
      }
      if (given.length === 60 && !killed) {
        killed = true;
        a.child.kill('SIGKILL');
      }
    };
    const WORKERS = 8;
    const EACH = 40;
    await inTurn(WORKERS, async (worker) => {
      for (let turn = 0; turn < EACH; turn++) await ask(worker * EACH + turn);
    });
    expect((await a.ended).code).toBeNull();
    expect(balancer.failovers()).toBeGreaterThan(0);
    expect(failures).toEqual([]);
    expect(given).toHaveLength(WORKERS * EACH);
    const verifier = createVerifier({
      issuer: { issuer: balancer.url, statusList: true },
      audience: RESOURCE,
    });
    const verdicts = await Promise.all(given.map((text) => judge(verifier, text)));
    expect(new Set(verdicts)).toEqual(new Set(['accepted']));
    const ids = new Set(given.map((text) => JSON.stringify(statusOf(text))));
    expect(ids.size).toBe(given.length);
    // What the killed one gave can be revoked at the other.
    const [first = ''] = given;
    const owner = clients.find(({ clientId }) => clientId === claimsOf(first).client_id);
    if (owner === undefined) throw new Error('the token has no owner');
    expect((await post(b, '/revoke', { token: first }, { authorization: basic(owner) })).status).toBe(200);
    expect(await isActive(b, owner, first)).toBe(false);
  });
});

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

const statusOf = (token: string): unknown => claimsOf(token).status;

function inTurn<T>(count: number, work: (turn: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, turn) => work(turn)));
}
