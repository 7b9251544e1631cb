/** What somebody who knows the specifications to the letter tries on the issuer, and what outages at any point do to it. */
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createIssuer, type IssuerStorage, memoryStorage, serveIssuer } from '../../src/issuer/index.ts';
import { createDpopClient } from '../helpers/dpop.ts';
import { ask, exchangeOf, proofFor } from '../unit/issuer/grants/support.ts';
import {
  ADMIN_TOKEN,
  type Answer,
  BILLING,
  basic,
  createHarness,
  ISSUER,
  ORDERS,
} from '../unit/issuer/harness.ts';
import { addSecretService, SECRET_KEY } from '../unit/issuer/service-records.ts';

const GRANT = { grant_type: 'client_credentials' };

type Work = () => unknown;
type Fault = (work: Work) => unknown;

const away = (): Error => new Error('away');
const neverAnswers: Fault = () => new Promise(() => {});
const faults: readonly (readonly [string, Fault])[] = [
  [
    'throws at once',
    () => {
      throw away();
    },
  ],
  ['rejects', () => Promise.reject(away())],
  [
    'rejects after it has done its work',
    async (work) => {
      await work();
      throw away();
    },
  ],
];

/** A storage of which one call fares badly. */
function createFaultyStorage(inner: IssuerStorage = memoryStorage()) {
  const calls: string[] = [];
  let fault: { readonly at: number; readonly run: Fault } | undefined;
  const storage = new Proxy(inner, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...parameters: unknown[]) => {
        const at = calls.push(String(name)) - 1;
        const work = (): unknown => member.apply(target, parameters);
        return fault?.at === at ? fault.run(work) : work();
      };
    },
  });
  return {
    storage,
    /** The call with this number from now on; `undefined` ends it. */
    fail(at: number | undefined, run: Fault = neverAnswers): void {
      calls.length = 0;
      fault = at === undefined ? undefined : { at, run };
    },
    /** The function that a fault was met in. */
    failed: (): string | undefined => (fault === undefined ? undefined : calls[fault.at]),
  };
}

type Send = () => Promise<Answer>;

/** Every endpoint with a request that is good: prepared first, so that faults meet that request alone. */
async function createScene(tokenFormat: 'jwt' | 'opaque') {
  const faulty = createFaultyStorage();
  const { storage } = faulty;
  const harness = createHarness({ storage, secretKey: SECRET_KEY });
  const register = async (clientId: string, serves: string[]) => {
    const changes = { clientId, serves, tokenFormat, resources: [BILLING, ORDERS] };
    return { clientId, clientSecret: await addSecretService(storage, changes) };
  };
  const worker = await register('worker', []);
  const orders = await register('orders', [ORDERS]);
  const client = await createDpopClient();
  const subject = (): Promise<string> => harness.token(worker, { resource: ORDERS });
  const introspect = async (accept: string): Promise<Send> => {
    const init = {
      method: 'POST',
      headers: { authorization: basic(orders), accept },
      body: new URLSearchParams({ token: await subject() }),
    };
    return () => harness.call('/introspect', init);
  };

  const requests: Record<string, () => Promise<Send>> = {
    'a token': async () => async () =>
      ask(harness, worker, { ...GRANT, resource: ORDERS }, { dpop: await proofFor(harness, client) }),
    'an exchange': async () => {
      const parameters = exchangeOf(await subject(), { audience: 'orders' });
      return () => ask(harness, orders, parameters);
    },
    introspection: () => introspect('application/json'),
    'signed introspection': () => introspect('application/token-introspection+jwt'),
    revocation: async () => {
      const token = await subject();
      return () => harness.post('/revoke', { token }, worker);
    },
    'the keys': async () => () => harness.call('/jwks'),
  };
  if (tokenFormat === 'jwt') {
    requests['a status list'] = async () => {
      const revoke = await requests.revocation?.();
      await revoke?.();
      return () => harness.call('/status-lists/1');
    };
  }

  /** Meets each storage call of each request with the fault, until a request makes no more calls. */
  async function forEachCall(
    run: Fault,
    meet: (what: string, send: Send) => Promise<void>,
  ): Promise<string[]> {
    const met = new Set<string>();
    for (const [what, prepare] of Object.entries(requests)) {
      for (let at = 0; ; at++) {
        // Whatever is kept for some time is due to be read again, and housekeeping with it.
        harness.advance(7200);
        const send = await prepare();
        await settle();
        harness.advance(61);
        faulty.fail(at, run);
        await meet(what, send);
        const failed = faulty.failed();
        faulty.fail(undefined);
        if (failed === undefined) break;
        met.add(failed);
        const again = await prepare();
        expect((await soon(again()))?.status, `${what} after ${failed}`).toBe(200);
      }
    }
    return [...met];
  }

  return { forEachCall, hasFailed: () => faulty.failed() !== undefined };
}

/** Lets go on what needs no timer. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for what needs no timer, in real time, and no longer than it may take. */
async function until(condition: () => boolean): Promise<void> {
  const start = performance.now();
  while (!condition() && performance.now() - start < 5000)
    await new Promise((resolve) => setImmediate(resolve));
}

/** What an answer is that needs no timer; `undefined` if there is none. */
async function soon(answer: Promise<Answer>): Promise<Answer | undefined> {
  let given: Answer | undefined;
  void answer.then((it) => {
    given = it;
  });
  await until(() => given !== undefined);
  return given;
}

function watchUnhandled() {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  onTestFinished(() => void process.off('unhandledRejection', unhandled));
  return unhandled;
}

const reached = [
  'findService',
  'takeFromLimit',
  'listSigningKeys',
  'touchSecrets',
  'deleteExpired',
  'useOnce',
];

describe.each([
  ['jwt', ['reserveStatuses', 'revokeToken', 'isTokenRevoked', 'statusListRevision', 'statusList']],
  ['opaque', ['saveToken', 'findToken', 'revokeToken', 'isTokenRevoked']],
] as const)('threat 25: a call of the storage, with %s tokens,', (format, own) => {
  it.each(faults)('that %s makes a request fail with 503 at most, and nothing else', async (_name, run) => {
    const unhandled = watchUnhandled();
    const { forEachCall } = await createScene(format);
    const met = await forEachCall(run, async (what, send) => {
      const { status, text } = await send();
      expect([200, 503], `${what}: ${text}`).toContain(status);
      if (status === 503) expect(text).not.toContain('access_token');
    });
    await settle();
    expect(met).toEqual(expect.arrayContaining([...reached, ...own]));
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('that never ends harms nobody once the storage answers again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { forEachCall, hasFailed } = await createScene(format);
    const met = await forEachCall(neverAnswers, async (_what, send) => {
      let isDone = false;
      void send().then(() => {
        isDone = true;
      });
      await until(() => isDone || hasFailed());
      await settle();
      await vi.advanceTimersByTimeAsync(60_000);
    });
    expect(met).toEqual(expect.arrayContaining([...reached, ...own]));
  });
});

it('threat 25: housekeeping goes on after a call that never ended', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const storage = memoryStorage();
  const harness = createHarness({ storage });
  const clear = vi.spyOn(storage, 'deleteExpired').mockImplementationOnce(() => new Promise(() => {}));
  for (let minute = 0; minute < 3; minute++) {
    harness.advance(61);
    await harness.call('/healthz');
    await vi.advanceTimersByTimeAsync(61_000);
  }
  expect(clear).toHaveBeenCalledTimes(3);
});

it('threat 25: an issuer closes though the storage never answers', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const storage = memoryStorage();
  const harness = createHarness({ storage });
  await harness.token(await harness.register());
  vi.spyOn(storage, 'touchSecrets').mockImplementation(() => new Promise(() => {}));
  const closed = vi.fn();
  void harness.issuer.close().then(closed);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(closed).toHaveBeenCalled();
});

it('threat 18: what was used once stays used for an instance whose clock is behind that of another one', async () => {
  const storage = memoryStorage();
  const harness = createHarness({ storage, secretKey: SECRET_KEY });
  const service = { clientId: 'billing', clientSecret: await addSecretService(storage) };
  const dpop = await proofFor(harness, await createDpopClient());
  expect((await ask(harness, service, GRANT, { dpop })).status).toBe(200);
  let aheadMs = harness.nowSeconds() * 1000;
  const options = { issuer: ISSUER, adminToken: ADMIN_TOKEN, storage, secretKey: SECRET_KEY };
  const ahead = createIssuer({ ...options, now: () => aheadMs });
  harness.advance(64);
  aheadMs += 69_000;
  await ahead.fetch(new Request(`${ISSUER}/jwks`));
  await settle();
  expect((await ask(harness, service, GRANT, { dpop })).body.error).toBe('invalid_dpop_proof');
});

it('threat 26: an exchange that takes longer than its subject token lives gives no token', async () => {
  const storage = memoryStorage();
  const harness = createHarness({ storage, secretKey: SECRET_KEY });
  const service = {
    clientId: 'billing',
    clientSecret: await addSecretService(storage, { serves: [ORDERS] }),
  };
  const subject = await harness.token(service);
  harness.advance(899);
  vi.spyOn(storage, 'useOnce').mockImplementation(async () => {
    harness.advance(2);
    return true;
  });
  const dpop = await proofFor(harness, await createDpopClient());
  const { status, text } = await ask(harness, service, exchangeOf(subject), { dpop });
  expect(status, text).toBe(503);
});

it('threat 26: a token for the issuer itself has no scope that the registry does not let it take', async () => {
  const harness = createHarness();
  const resource = { resource: ISSUER, scopes: ['services:read'] };
  expect((await harness.admin('POST', '/admin/resources', resource)).status).toBe(201);
  const scopes = ['services:admin', 'services:read'];
  for (const resources of [[], [ISSUER]]) {
    const { body } = await harness.post('/token', GRANT, await harness.register({ resources, scopes }));
    expect(body.scope).toBe('services:read');
  }
});

it.each([
  ['is not on its curve', 'ES256', { kty: 'EC', crv: 'P-256', x: repeated(1, 32), y: repeated(1, 32) }],
  ['is no point of Ed25519', 'EdDSA', { kty: 'OKP', crv: 'Ed25519', x: repeated(255, 32) }],
  ['has an even modulus', 'RS256', { kty: 'RSA', e: 'AQAB', n: repeated(254, 256) }],
])('threat 19: a DPoP proof whose key %s is refused, which is no outage', async (_name, alg, jwk) => {
  const harness = createHarness();
  const service = await harness.register();
  const claims = { jti: '1', htm: 'POST', htu: `${ISSUER}/token`, iat: harness.nowSeconds() };
  const signed = [{ typ: 'dpop+jwt', alg, jwk }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  for (const length of [64, 256]) {
    const dpop = [...signed, repeated(1, length)].join('.');
    const { status, body } = await ask(harness, service, GRANT, { dpop });
    expect([status, body.error]).toEqual([400, 'invalid_dpop_proof']);
  }
});

function repeated(byte: number, length: number): string {
  return Buffer.alloc(length, byte).toString('base64url');
}

describe('threat 20: a path', () => {
  it.each([
    '/status-lists/../admin/services',
    '/status-lists/%2e%2e/admin/services',
    '/status-lists/.%2E/admin/services',
    '/./admin/services',
    '/admin/services/.',
    '/status-lists\\..\\admin\\services',
    '/admin/services#',
  ])('has no other spelling that a proxy would let pass as another path: %s', async (target) => {
    const server = await serveIssuer({ port: 0, adminToken: ADMIN_TOKEN });
    onTestFinished(() => server.close());
    expect(await statusOf(server.url, target)).toBe(400);
    expect(await statusOf(server.url, `http://idp.example${target}`)).toBe(400);
  });

  it('may have a query, and stand in a whole URL', async () => {
    const server = await serveIssuer({ port: 0, adminToken: ADMIN_TOKEN });
    onTestFinished(() => server.close());
    expect(await statusOf(server.url, '/jwks?at=/../x')).toBe(200);
    expect(await statusOf(server.url, 'http://idp.example/jwks')).toBe(200);
    expect(await statusOf(server.url, '/.well-known/oauth-authorization-server')).toBe(200);
  });
});

/** Of a GET whose target is sent as it is, where clients would tidy it up. */
function statusOf(url: string, target: string): Promise<number> {
  const { port, hostname } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('end', () => resolve(Number(answer.split(' ')[1])));
    socket.on('error', reject);
    socket.write(`GET ${target} HTTP/1.1\r\nHost: idp.example\r\nConnection: close\r\n\r\n`);
  });
}
