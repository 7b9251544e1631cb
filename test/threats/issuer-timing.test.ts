import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Jwk } from '../../src/index.ts';
import {
  createIssuer,
  type IssuerStorage,
  memoryStorage,
  type StoredService,
  serveIssuer,
} from '../../src/issuer/index.ts';
import { compareTimes, type TimedCases, type TimingOptions } from '../helpers/timing.ts';
import { createKey, encodeJson, signHmac, type TestKey } from '../helpers/tokens.ts';
import { JWT_BEARER } from '../unit/issuer/clients/support.ts';
import { basic, form, ISSUER, type Parameters, START_MS } from '../unit/issuer/harness.ts';
import { addSecretService, addService, SECRET_KEY, secrets } from '../unit/issuer/service-records.ts';

const GRANT = { grant_type: 'client_credentials' };
const options: TimingOptions = { samples: 600, boundMicroseconds: 15, attempts: 6 };
const LEAK_MICROSECONDS = 30;

type Send = (parameters: Parameters, headers?: Record<string, string>) => Promise<number>;

function sendTo(storage: IssuerStorage): Send {
  const issuer = createIssuer({ issuer: ISSUER, storage, secretKey: SECRET_KEY, now: () => START_MS });
  return async (parameters, headers = {}) => {
    const init = { method: 'POST', headers, body: form({ ...GRANT, ...parameters }) };
    return (await issuer.fetch(new Request(`${ISSUER}/token`, init))).status;
  };
}

/** One client for each way of being refused. */
async function addClients(storage: IssuerStorage): Promise<void> {
  const expired = { expiresAtMs: START_MS - 1 };
  const sealed = ['one', 'two', 'three'].map((secret) =>
    secrets.seal('several', secret, { nowMs: START_MS }),
  );
  await addSecretService(storage, { clientId: 'wrong-secret' });
  await addSecretService(storage, { clientId: 'revoked', revokedAtMs: START_MS });
  await addSecretService(storage, { clientId: 'expired' }, expired);
  await addSecretService(storage, { clientId: 'wrong-method', authMethods: ['private_key_jwt'] });
  await addService(storage, { clientId: 'without' });
  await addService(storage, { clientId: 'several', secrets: sealed });
}

const clients = [
  'unknown',
  'wrong-secret',
  'revoked',
  'expired',
  'wrong-method',
  'without',
  'several',
] as const;

function refusedBySecret(send: Send, names: readonly string[]): TimedCases {
  const clientSecret = secrets.generate();
  return Object.fromEntries(
    names.map((clientId) => {
      const headers = { authorization: basic({ clientId, clientSecret }) };
      return [clientId, async () => expect401(await send({}, headers))];
    }),
  );
}

function expect401(status: number): void {
  if (status !== 401) throw new Error(`the answer was ${status}`);
}

/** As if something were done for services that there are, which is left out for those that there are not. */
function leaking(storage: IssuerStorage): IssuerStorage {
  return {
    ...storage,
    async findService(clientId) {
      const found = await storage.findService(clientId);
      const end = process.hrtime.bigint() + BigInt(LEAK_MICROSECONDS * 1000);
      while (found !== undefined && process.hrtime.bigint() < end);
      return found;
    },
  };
}

describe('26: unknown client and wrong secret cost the same', () => {
  it('for secrets', async () => {
    const storage = memoryStorage();
    await addClients(storage);
    expect(await compareTimes(refusedBySecret(sendTo(storage), clients), options)).toMatchObject({
      isUniform: true,
    });
  });

  it('and 30 microseconds more would be seen', async () => {
    const storage = memoryStorage();
    await addClients(storage);
    const cases = refusedBySecret(sendTo(leaking(storage)), ['unknown', 'wrong-secret']);
    expect(await compareTimes(cases, options)).toMatchObject({ isUniform: false });
  });

  describe('for assertions', () => {
    let key: TestKey;
    let storage: IssuerStorage;
    beforeAll(async () => {
      key = await createKey('ES256', 'one');
      storage = memoryStorage();
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one' } as Jwk] };
      const byKey = { authMethods: ['private_key_jwt'], jwks } as const;
      const bySecret = { authMethods: ['client_secret_jwt'] } as const;
      await addService(storage, { clientId: 'wrong-key', ...byKey });
      await addService(storage, { clientId: 'revoked', ...byKey, revokedAtMs: START_MS });
      await addService(storage, {
        clientId: 'wrong-kid',
        ...byKey,
        jwks: { keys: [{ ...jwks.keys[0], kid: 'two' }] },
      });
      await addService(storage, { clientId: 'wrong-method', jwks });
      await addSecretService(storage, { clientId: 'wrong-secret', ...bySecret }, { keepSecret: true });
      await addSecretService(storage, { clientId: 'not-kept', ...bySecret });
      const federatedIdentities = [{ issuer: 'https://cluster.example', subject: 'a', jwks }];
      await addService(storage, { clientId: 'federated', authMethods: [], federatedIdentities });
    });

    const claimsOf = (clientId: string) => ({
      iss: clientId,
      sub: clientId,
      aud: ISSUER,
      exp: START_MS / 1000 + 60,
      jti: 'j',
    });

    async function refusedByAssertion(
      names: readonly StoredService['clientId'][],
      sign: (claims: object) => Promise<string> | string,
      changes: object = {},
    ): Promise<TimedCases> {
      const send = sendTo(storage);
      const entries = names.map(async (clientId): Promise<[string, () => Promise<void>]> => {
        const assertion = await sign({ ...claimsOf(clientId), ...changes });
        const sent = { client_id: clientId, client_assertion: assertion, client_assertion_type: JWT_BEARER };
        return [clientId, async () => expect401(await send(sent))];
      });
      return Object.fromEntries(await Promise.all(entries));
    }

    it('under a key', async () => {
      const names = ['unknown', 'wrong-key', 'wrong-kid', 'revoked', 'wrong-method'];
      const cases = await refusedByAssertion(names, (claims) => key.sign({}, claims));
      expect(await compareTimes(cases, { ...options, samples: 300 })).toMatchObject({ isUniform: true });
    });

    it('under a secret', async () => {
      const names = ['unknown', 'wrong-secret', 'not-kept', 'wrong-key'];
      const cases = await refusedByAssertion(names, (claims) => signHmac('x', {}, claims));
      expect(await compareTimes(cases, options)).toMatchObject({ isUniform: true });
    });

    it('of another issuer, about somebody else', async () => {
      const names = ['unknown', 'federated', 'wrong-method', 'revoked'];
      const changes = { iss: 'https://cluster.example', sub: 'b' };
      const cases = await refusedByAssertion(names, (claims) => key.sign({}, claims), changes);
      expect(await compareTimes(cases, { ...options, samples: 300 })).toMatchObject({ isUniform: true });
    });

    it('of an algorithm that nobody uses', async () => {
      const names = ['unknown', 'wrong-key', 'wrong-secret', 'federated'];
      const sign = (claims: object) => `${encodeJson({ alg: 'none' })}.${encodeJson(claims)}.AA`;
      expect(await compareTimes(await refusedByAssertion(names, sign), options)).toMatchObject({
        isUniform: true,
      });
    });
  });

  it('over HTTP', async () => {
    const storage = memoryStorage();
    await addClients(storage);
    const server = await serveIssuer({ port: 0, storage, secretKey: SECRET_KEY, now: () => START_MS });
    onTestFinished(() => server.close());
    const send: Send = async (parameters, headers = {}) => {
      const body = form({ ...GRANT, ...parameters });
      const response = await fetch(`${server.url}/token`, { method: 'POST', headers, body });
      await response.arrayBuffer();
      return response.status;
    };
    const names = ['unknown', 'wrong-secret', 'revoked', 'expired'];
    const loose = { samples: 250, boundMicroseconds: 60, attempts: 6 };
    expect(await compareTimes(refusedBySecret(send, names), loose)).toMatchObject({ isUniform: true });
  });
});
