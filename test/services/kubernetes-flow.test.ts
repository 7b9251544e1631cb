/**
 * The example for Kubernetes without a cluster: its pods as processes, with the arguments, environments and files of
 * the manifests. Addresses and paths are other ones; the cluster's token issuer and its Services are stand-ins.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { tlsFetch } from '../../adapters/undici.ts';
import {
  createTokenClient,
  type FetchFunction,
  federatedAssertion,
  type TokenClient,
} from '../../src/index.ts';
import { type Cluster, type ServiceAccountToken, startCluster } from '../helpers/kubernetes-cluster.ts';
import { buildOverlay } from '../helpers/kubernetes-manifests.ts';
import { createPods, type Pod, type Pods } from '../helpers/kubernetes-pods.ts';
import { probeStatus, type ServiceStandIn, startService } from '../helpers/kubernetes-service.ts';
import { hasPostgres, type PrivatePostgres, startPostgres } from '../helpers/postgres.ts';
import { createAuthority } from '../helpers/tls.ts';
import { buildProgram, type Program } from '../unit/cli/harness.ts';

const adminToken = 'an-admin-token-from-outside';
const TOKEN_FILE = '/var/run/secrets/tokens/service-auth';
const WORKERS = 4;
/** With one token, at each place: the issuer gives one client 6,000 tokens a minute. */
const CALLS_EACH = 10;
/** No more tell anything new. */
const MOST_FAILURES = 100;
/** Of the status list, as the manifest of the issuer says; and the time to fetch it. */
const REVOKED_WITHIN_MS = 15_000;

describe.runIf(hasPostgres())('the example for Kubernetes', () => {
  let postgres: PrivatePostgres;
  let program: Program;
  let bundles: string;
  let cluster: Cluster;
  let pods: Pods;
  let issuer: ServiceStandIn;
  let orders: ServiceStandIn;
  const issuers: Pod[] = [];
  const ordersPods: Pod[] = [];
  let billing: Pod;
  /** Trusts the authority; its own certificate nobody asks for. */
  let trusting: FetchFunction;

  const issuerUrl = (): string => `https://127.0.0.1:${issuer.port}`;
  const ordersUrl = (): string => `https://127.0.0.1:${orders.port}`;

  async function startIssuer(): Promise<Pod> {
    const pod = await pods.start('issuer');
    issuer.add(pod.port, pod.container.readinessProbe);
    issuers.push(pod);
    return pod;
  }

  async function startOrders(): Promise<Pod> {
    const pod = await pods.start('orders');
    orders.add(pod.port, pod.container.readinessProbe);
    ordersPods.push(pod);
    return pod;
  }

  beforeAll(async () => {
    [postgres, program, bundles] = await Promise.all([startPostgres(), buildProgram(), bundleServices()]);
    const [authority, clusterAuthority] = await Promise.all([createAuthority(), createAuthority()]);
    const [ours, theirs] = await Promise.all([
      authority.issue('ip:127.0.0.1'),
      clusterAuthority.issue('ip:127.0.0.1'),
    ]);
    [cluster, issuer, orders] = await Promise.all([startCluster(theirs), startService(), startService()]);
    pods = createPods({
      manifests: buildOverlay('trial').manifests,
      cluster,
      programs: {
        'service-auth-issuer:trial': join(process.cwd(), program.path),
        'service-auth-orders:trial': join(bundles, 'orders.mjs'),
        'service-auth-billing:trial': join(bundles, 'billing.mjs'),
      },
      addresses: {
        'https://issuer.service-auth.svc': issuerUrl(),
        'https://orders.shop.svc': ordersUrl(),
        'https://kubernetes.default.svc.cluster.local': cluster.url,
        '0.0.0.0': '127.0.0.1',
      },
      given: {
        'issuer-database/url': await postgres.createDatabase(),
        'issuer-secrets/secret-key': 'a secret key of at least 32 bytes, for tests',
        'issuer-secrets/admin-token': adminToken,
        'issuer-tls/tls.key': ours.key,
        'issuer-tls/tls.crt': ours.cert,
        'orders-tls/tls.key': ours.key,
        'orders-tls/tls.crt': ours.cert,
        'service-auth-ca/ca.crt': authority.cert,
        'kube-root-ca.crt/ca.crt': clusterAuthority.cert,
      },
    });
    await Promise.all([startIssuer(), startIssuer()]);
    await issuer.reaches(2);
    await Promise.all([startOrders(), startOrders()]);
    await orders.reaches(2);
    billing = await pods.start('billing');
    trusting = tlsFetch({
      certFile: ordersPods[0]?.path('/etc/orders/tls/tls.crt') ?? '',
      keyFile: ordersPods[0]?.path('/etc/orders/tls/tls.key') ?? '',
      caFile: billing.path('/etc/service-auth-ca/ca.crt'),
    });
  });
  afterAll(async () => {
    await pods?.remove();
    await Promise.all([issuer?.close(), orders?.close(), cluster?.close()]);
    await Promise.all([postgres?.remove(), program?.remove(), rm(bundles, { recursive: true })]);
  });

  async function get(
    url: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: unknown; challenge: string | null }> {
    const response = await trusting(url, { headers });
    const text = await response.text();
    const challenge = response.headers.get('www-authenticate');
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text), challenge };
  }

  /** What a pod of the caller gets from the other service. */
  const callBy = (pod: Pod) => get(`http://127.0.0.1:${pod.port}/invoices`);

  /** A command of the operator's, who trusts the same authority. */
  async function operate(...args: string[]): Promise<void> {
    const environment = {
      SERVICE_AUTH_ISSUER: issuerUrl(),
      SERVICE_AUTH_ADMIN_TOKEN: adminToken,
      NODE_EXTRA_CA_CERTS: billing.path('/etc/service-auth-ca/ca.crt'),
    };
    const { code, stderr } = await program.run(args, environment);
    if (code !== 0) throw new Error(stderr);
  }

  /** A workload that takes a new token for each call. */
  function createTokens(assertion: { file: string } | (() => Promise<string>)): TokenClient {
    return createTokenClient({
      issuer: issuerUrl(),
      clientId: 'billing',
      clientAuth: federatedAssertion(assertion),
      resource: ordersUrl(),
      fetch: trusting,
    });
  }

  /** Calls without a pause, each time with a token that was just issued, until the work is done. */
  async function underLoad(work: (load: Load) => Promise<void>): Promise<Load> {
    const file = billing.path(TOKEN_FILE);
    const failures: string[] = [];
    const keys = new Set<string>();
    const load = {
      calls: 0,
      tokens: 0,
      failures,
      keys,
      more(calls: number): Promise<void> {
        const wanted = load.calls + calls;
        return vi.waitFor(() => expect(load.calls).toBeGreaterThanOrEqual(wanted), { timeout: 60_000 });
      },
    };
    let isDone = false;
    const callWithNewToken = async (tokens: TokenClient): Promise<void> => {
      const { accessToken } = await tokens.getToken({ forceRefresh: true });
      keys.add(decodeProtectedHeader(accessToken).kid ?? '');
      for (let call = 0; call < CALLS_EACH; call++) {
        const direct = await get(`${ordersUrl()}/orders`, bearer(accessToken));
        const relayed = await callBy(billing);
        const published = await get(`${issuerUrl()}/jwks`);
        const bad = [direct, relayed, published].filter(({ status }) => status !== 200);
        failures.push(...bad.map((answer) => JSON.stringify(answer)));
        load.calls += 3;
      }
    };
    const worker = async (): Promise<void> => {
      const tokens = createTokens({ file });
      while (!isDone && failures.length < MOST_FAILURES) {
        await callWithNewToken(tokens).catch((error: unknown) => {
          failures.push(`${error}, because of ${error instanceof Error ? error.cause : 'unknown'}`);
        });
        load.tokens++;
      }
      tokens.close();
    };
    const workers = Array.from({ length: WORKERS }, worker);
    try {
      await work(load);
    } finally {
      isDone = true;
      await Promise.all(workers);
    }
    return load;
  }

  it('401 without a token, 200 with one', async () => {
    const refused = await get(`${ordersUrl()}/orders`);
    expect(refused).toMatchObject({ status: 401, challenge: expect.stringMatching(/^Bearer, DPoP /) });
    expect(await callBy(billing)).toMatchObject({ status: 200, body: { caller: 'billing' } });
  });

  it.each<[string, Partial<ServiceAccountToken>]>([
    ['another service account', { serviceAccount: 'orders' }],
    ['the same name in another namespace', { namespace: 'default' }],
    ['another audience', { audience: 'https://kubernetes.default.svc' }],
  ])('no token for %s', async (_, changes) => {
    const good = {
      namespace: 'shop',
      serviceAccount: 'billing',
      audience: issuerUrl(),
      expirationSeconds: 600,
    };
    const ask = (token: ServiceAccountToken) => {
      const tokens = createTokens(() => cluster.mint(token));
      return tokens.getToken().finally(() => tokens.close());
    };
    expect((await ask(good)).tokenType).toBe('Bearer');
    await expect(ask({ ...good, ...changes })).rejects.toMatchObject({ oauthError: 'invalid_client' });
  });

  /** One after the other, as a rollout does it. */
  async function restartIssuers(load: Load): Promise<void> {
    for (const old of issuers.splice(0)) {
      await startIssuer();
      await issuer.reaches(3);
      old.child.kill('SIGTERM');
      await issuer.reaches(2);
      expect(await old.ended).toBe(0);
      await load.more(200);
    }
  }

  async function restartOneOfOrders(): Promise<void> {
    const [old] = ordersPods.splice(0, 1);
    await startOrders();
    await orders.reaches(3);
    old?.child.kill('SIGTERM');
    await orders.reaches(2);
    expect(await old?.ended).toBe(0);
  }

  it('keys of issuer and cluster are changed, and pods restarted, in the middle of calls: none fails', async () => {
    const asked = cluster.keyRequests();
    const { calls, failures, keys } = await underLoad(async (load) => {
      await load.more(200);
      await operate('keys', 'rotate');
      await cluster.rotateKey();
      const another = await pods.start('billing');
      expect(await callBy(another)).toMatchObject({ status: 200 });
      // Each issuer asks once for the new key of the cluster, however many tokens come with it.
      await vi.waitFor(() => expect(cluster.keyRequests() - asked).toBe(2), { timeout: 60_000 });
      await Promise.all([restartIssuers(load), restartOneOfOrders()]);
      // The new key signs once it has been published for the time that the manifest says.
      await vi.waitFor(() => expect(load.keys.size).toBe(2), { timeout: 60_000 });
      await load.more(200);
    });
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThanOrEqual(800);
    expect(keys.size).toBe(2);
    // And so does each of those that took their places.
    expect(cluster.keyRequests() - asked).toBe(4);
  }, 240_000);

  it('the issuer is gone: good tokens go on serving, new ones have to wait, and all recovers', async () => {
    const tokens = createTokens({ file: billing.path(TOKEN_FILE) });
    const { accessToken } = await tokens.getToken();
    for (const { child } of issuers) child.kill('SIGKILL');
    expect(await Promise.all(issuers.splice(0).map(({ ended }) => ended))).toEqual([null, null]);
    await issuer.reaches(0);

    // One that they have never seen, and those that pods of the caller hold.
    for (const { port } of ordersPods) {
      expect(await get(`https://127.0.0.1:${port}/orders`, bearer(accessToken))).toMatchObject({
        status: 200,
      });
    }
    const answers = await Promise.all(Array.from({ length: 100 }, () => callBy(billing)));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);

    const [newCaller, coldOrders] = await Promise.all([pods.start('billing'), startOrders()]);
    expect(await callBy(newCaller)).toMatchObject({ status: 502, body: { error: 'network_failed' } });
    expect(await probeStatus(coldOrders.port, coldOrders.container.readinessProbe)).toBe(503);
    expect(await probeStatus(coldOrders.port, coldOrders.container.livenessProbe)).toBe(200);
    const undecided = await get(`https://127.0.0.1:${coldOrders.port}/orders`, bearer(accessToken));
    expect(undecided.status).toBe(503);

    await Promise.all([startIssuer(), startIssuer()]);
    await Promise.all([issuer.reaches(2), orders.reaches(3)]);
    await vi.waitFor(async () => expect((await callBy(newCaller)).status).toBe(200), { timeout: 60_000 });
    expect(await get(`https://127.0.0.1:${coldOrders.port}/orders`, bearer(accessToken))).toMatchObject({
      status: 200,
    });
    tokens.close();
  });

  it('PostgreSQL is gone: no issuer is restarted for it, and all recovers', async () => {
    await postgres.kill9();
    await issuer.reaches(0);
    for (const { port, container } of issuers)
      expect(await probeStatus(port, container.livenessProbe)).toBe(200);
    expect(await callBy(billing)).toMatchObject({ status: 200 });
    await postgres.start();
    await issuer.reaches(2);
    const tokens = createTokens({ file: billing.path(TOKEN_FILE) });
    expect((await tokens.getToken()).tokenType).toBe('Bearer');
    tokens.close();
  });

  it('401 after revocation, at every replica, and no more tokens', async () => {
    const tokens = createTokens({ file: billing.path(TOKEN_FILE) });
    const { accessToken } = await tokens.getToken();
    expect(await callBy(billing)).toMatchObject({ status: 200 });
    await operate('services', 'revoke', 'billing', '--yes');
    const statuses = (): Promise<number[]> =>
      Promise.all(
        ordersPods.map(async ({ port }) => {
          const { status } = await get(`https://127.0.0.1:${port}/orders`, bearer(accessToken));
          return status;
        }),
      );
    const timeout = REVOKED_WITHIN_MS;
    await vi.waitFor(async () => expect(await statuses()).toEqual([401, 401, 401]), { timeout });
    expect(await callBy(billing)).toMatchObject({ status: 401 });
    await expect(tokens.getToken({ forceRefresh: true })).rejects.toMatchObject({
      oauthError: 'invalid_client',
    });
    tokens.close();
  });
});

interface Load {
  readonly calls: number;
  readonly tokens: number;
  readonly failures: readonly string[];
  /** Those that signed the tokens. */
  readonly keys: ReadonlySet<string>;
  /** Resolves after so many more calls. */
  more(calls: number): Promise<void>;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** As the Dockerfiles do it. */
async function bundleServices(): Promise<string> {
  const outdir = await mkdtemp(join(process.cwd(), 'node_modules/.service-auth-kubernetes-'));
  await build({
    entryPoints: ['orders', 'billing'].map((name) => `examples/kubernetes/services/${name}.ts`),
    bundle: true,
    tsconfig: 'tsconfig.json',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outdir,
    outExtension: { '.js': '.mjs' },
    logLevel: 'error',
  });
  return outdir;
}
