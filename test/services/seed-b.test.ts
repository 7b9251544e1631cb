/**
 * Moving over from the introspection cookbook: an authorization server on PostgreSQL, a resource server that
 * introspects with its credentials in the body, and a caller, each a process of its own.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAdminClient } from '../../src/issuer/index.ts';
import { startProcess, type TalkingProcess } from '../helpers/issuer-process.ts';
import { hasPostgres, type PrivatePostgres, startPostgres } from '../helpers/postgres.ts';
import { buildProgram, type Program, type RunningIssuer } from '../unit/cli/harness.ts';

const adminToken = 'an-admin-token-from-outside';
const RESOURCE = 'https://orders.example';
const resourceServerFile = new URL('../helpers/issuer-introspecting-server.ts', import.meta.url);
const callerFile = new URL('../helpers/issuer-caller.ts', import.meta.url);
/** The default of introspection. */
const CACHE_MS = 30_000;

describe.runIf(hasPostgres()).each(['jwt', 'opaque'] as const)('introspected %s tokens', (tokenFormat) => {
  let postgres: PrivatePostgres;
  let program: Program;
  beforeAll(async () => {
    [postgres, program] = await Promise.all([startPostgres(), buildProgram()]);
  });
  afterAll(async () => {
    program.endAll();
    await Promise.all([postgres.remove(), program.remove()]);
  });

  let issuer: RunningIssuer;
  let environment: Record<string, string>;
  let resourceServer: TalkingProcess;
  let caller: TalkingProcess;
  beforeEach(async () => {
    environment = {
      SERVICE_AUTH_ADMIN_TOKEN: adminToken,
      SERVICE_AUTH_SECRET_KEY: 'a secret key of at least 32 bytes, for tests',
      SERVICE_AUTH_DATABASE_URL: await postgres.createDatabase(),
    };
    issuer = await program.startIssuer([], environment);
    const admin = createAdminClient({ issuer: issuer.url, adminToken });
    const orders = await admin.services.create({ name: 'Orders', scopes: [], serves: [RESOURCE] });
    const billing = await admin.services.create({
      name: 'Billing',
      scopes: ['read'],
      resources: [RESOURCE],
      tokenFormat,
    });
    resourceServer = await startProcess(resourceServerFile, {
      ISSUER: issuer.url,
      AUDIENCE: RESOURCE,
      CLIENT_ID: orders.clientId,
      CLIENT_SECRET: orders.clientSecret ?? '',
    });
    caller = await startProcess(callerFile, {
      TARGET: `${resourceServer.greeting}/orders`,
      SERVICE_AUTH_ISSUER: issuer.url,
      SERVICE_AUTH_CLIENT_ID: billing.clientId,
      CLIENT_SECRET: billing.clientSecret ?? '',
      RESOURCE,
    });
    expect(caller.greeting).toBe('ready');
    accepted = `200 ${billing.clientId}`;
  });
  afterEach(async () => {
    await Promise.all([resourceServer.end(), caller.end(), issuer.stop()]);
  });

  let accepted: string;
  const refused = '401 Bearer error="invalid_token"';

  it('401 without a token, 200 with one, 401 after revocation: at once when told', async () => {
    expect(await caller.ask('without')).toBe('401 Bearer');
    const token = await caller.ask('new');
    expect(token.split('.').length).toBe(tokenFormat === 'jwt' ? 3 : 1);
    expect(await caller.ask('with')).toBe(accepted);
    expect(await caller.ask('revoke')).toBe('200');
    expect(await resourceServer.ask(`forget ${token}`)).toBe('done forget');
    expect(await caller.ask('with')).toBe(refused);
    await caller.ask('new');
    expect(await caller.ask('with')).toBe(accepted);
  });

  it('within the cache time otherwise', async () => {
    expect(await caller.ask('with')).toBe(accepted);
    expect(await caller.ask('revoke')).toBe('200');
    expect(await caller.ask('with')).toBe(accepted);
    await resourceServer.ask(`wait ${CACHE_MS}`);
    expect(await caller.ask('with')).toBe(refused);
  });

  it('the issuer is stopped and started again: what was issued holds, and what was revoked stays so', async () => {
    const kept = await caller.ask('new');
    expect(await caller.ask('with')).toBe(accepted);
    const port = new URL(issuer.url).port;
    expect((await issuer.stop()).code).toBe(0);
    issuer = await program.startIssuer(['--port', port], environment);
    await resourceServer.ask(`wait ${CACHE_MS}`);
    expect(await caller.ask('with')).toBe(accepted);
    expect(await caller.ask('revoke')).toBe('200');
    await issuer.stop();
    issuer = await program.startIssuer(['--port', port], environment);
    await resourceServer.ask(`wait ${CACHE_MS}`);
    expect(await caller.ask('with')).toBe(refused);
    expect(await caller.ask('new')).not.toBe(kept);
    expect(await caller.ask('with')).toBe(accepted);
  });
});
