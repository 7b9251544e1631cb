import { X509Certificate } from 'node:crypto';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { memoryStorage } from '../../../../src/issuer/index.ts';
import { certificatePem, certificateThumbprint } from '../../../helpers/certificates.ts';
import { createDpopClient } from '../../../helpers/dpop.ts';
import { type Answer, createHarness, type Harness, ORDERS } from '../harness.ts';
import { addService, ask, exchangeOf, proofFor } from './support.ts';

const GRANT = { grant_type: 'client_credentials' };
const certificate = new Uint8Array(new X509Certificate(certificatePem).raw);

const errorOf = ({ status, body }: Answer): unknown => [status, body.error];

function cnfOf({ body }: Answer): unknown {
  return decodeJwt(body.access_token).cnf;
}

describe('a DPoP proof at the token endpoint (RFC 9449 section 5)', () => {
  it.each(['ES256', 'EdDSA', 'ES384', 'ES512', 'PS256', 'RS256'])('%s binds the token', async (algorithm) => {
    const harness = createHarness();
    const service = await harness.register();
    const key = await createDpopClient(algorithm);
    const answer = await ask(harness, service, GRANT, { dpop: await proofFor(harness, key) });
    expect(answer.status).toBe(200);
    expect(answer.body.token_type).toBe('DPoP');
    expect(answer.headers.has('dpop-nonce')).toBe(false);
    expect(cnfOf(answer)).toEqual({ jkt: key.jkt });
  });

  it('without one the token is a bearer token, unless the service must send one', async () => {
    const harness = createHarness();
    const free = await harness.register();
    const { body } = await ask(harness, free, GRANT);
    expect(body.token_type).toBe('Bearer');
    expect(decodeJwt(body.access_token)).not.toHaveProperty('cnf');
    const bound = await addService(harness, { clientId: 'bound' }, { dpopBound: true });
    expect(errorOf(await ask(harness, bound, GRANT))).toEqual([400, 'invalid_dpop_proof']);
    const dpop = await proofFor(harness, await createDpopClient());
    expect((await ask(harness, bound, GRANT, { dpop })).body.token_type).toBe('DPoP');
  });

  it.each<[string, object, object]>([
    ['of another method', { htm: 'GET' }, {}],
    ['for another endpoint', { htu: 'https://idp.example/introspect' }, {}],
    ['for another host', { htu: 'https://evil.example/token' }, {}],
    ['of yesterday', { iat: 1 }, {}],
    ['of tomorrow', { iat: 4e9 }, {}],
    ['without jti', { jti: undefined }, {}],
    ['of another type', {}, { typ: 'JWT' }],
    ['without key', {}, { jwk: undefined }],
  ])('%s is refused, though the service need not send any', async (_, claims, header) => {
    const harness = createHarness();
    const service = await harness.register();
    const dpop = await proofFor(harness, await createDpopClient(), claims, header);
    const answer = await ask(harness, service, GRANT, { dpop });
    expect(errorOf(answer)).toEqual([400, 'invalid_dpop_proof']);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(harness.events.at(-1)).toMatchObject({ error: 'invalid_dpop_proof', clientId: service.clientId });
  });

  it.each(['', 'nonsense', 'a.b.c', 'x'.repeat(9000)])('nonsense is refused', async (dpop) => {
    const harness = createHarness();
    expect(errorOf(await ask(harness, await harness.register(), GRANT, { dpop }))).toEqual([
      400,
      'invalid_dpop_proof',
    ]);
  });

  it('threat 19: private members in the key, and a signature by another key', async () => {
    const harness = createHarness();
    const service = await harness.register();
    const [key, other] = [await createDpopClient(), await createDpopClient()];
    for (const jwk of [key.privateJwk, other.publicJwk]) {
      const dpop = await proofFor(harness, key, {}, { jwk });
      expect(errorOf(await ask(harness, service, GRANT, { dpop }))).toEqual([400, 'invalid_dpop_proof']);
    }
  });

  it('two of them are refused, good as they may be', async () => {
    const harness = createHarness();
    const key = await createDpopClient();
    const dpop = [await proofFor(harness, key), await proofFor(harness, key)];
    const answer = await ask(harness, await harness.register(), GRANT, { dpop });
    expect(errorOf(answer)).toEqual([400, 'invalid_dpop_proof']);
    expect(answer.body.error_description).toBe('there is more than one DPoP header');
  });

  it('no description repeats what the proof says', async () => {
    const harness = createHarness();
    const claims = { htu: 'https://canary.example/canary', htm: 'canary', jti: 'canary' };
    const dpop = await proofFor(harness, await createDpopClient(), claims);
    const { text } = await ask(harness, await harness.register(), GRANT, { dpop });
    expect(text + JSON.stringify(harness.events)).not.toContain('canary');
  });
});

describe('a proof is used once', () => {
  it('by whichever instance and client', async () => {
    const secretKey = 'k'.repeat(32);
    const first = createHarness({ secretKey });
    const second = createHarness({ storage: first.storage, secretKey });
    const [service, other] = [await first.register(), await first.register()];
    const key = await createDpopClient();
    const dpop = await proofFor(first, key);
    expect((await ask(first, service, GRANT, { dpop })).status).toBe(200);
    for (const [harness, as] of [
      [first, service],
      [second, service],
      [second, other],
    ] as const) {
      expect(errorOf(await ask(harness, as, GRANT, { dpop }))).toEqual([400, 'invalid_dpop_proof']);
      expect(harness.events).toContainEqual(
        expect.objectContaining({ type: 'dpop.replay', clientId: as.clientId, jkt: key.jkt }),
      );
    }
  });

  it('one of many at the same time gets a token', async () => {
    const harness = createHarness();
    const service = await harness.register();
    const dpop = await proofFor(harness, await createDpopClient());
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask(harness, service, GRANT, { dpop })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it('a request that is refused for another reason has not used it up', async () => {
    const harness = createHarness();
    const service = await harness.register();
    const dpop = await proofFor(harness, await createDpopClient());
    const refused = await ask(harness, service, { ...GRANT, scope: 'admin' }, { dpop });
    expect(errorOf(refused)).toEqual([400, 'invalid_scope']);
    expect((await ask(harness, service, GRANT, { dpop })).status).toBe(200);
  });

  it('the same jti of another key is another proof; what is stored has one length and says nothing', async () => {
    const memory = memoryStorage();
    const names: string[] = [];
    const storage = {
      ...memory,
      useOnce: (name: string, expiresAtMs: number) => {
        names.push(name);
        return memory.useOnce(name, expiresAtMs);
      },
    };
    const harness = createHarness({ storage });
    const service = await harness.register();
    for (const jti of ['canary', 'canary', 'canary'.repeat(40)]) {
      const dpop = await proofFor(harness, await createDpopClient(), { jti });
      expect((await ask(harness, service, GRANT, { dpop })).status).toBe(200);
    }
    expect(new Set(names).size).toBe(3);
    expect(new Set(names.map(({ length }) => length)).size).toBe(1);
    expect(names.join()).not.toContain('canary');
  });

  it('it is remembered for as long as it would be accepted', async () => {
    const harness = createHarness();
    const service = await harness.register();
    // As early as a proof may be.
    const dpop = await proofFor(harness, await createDpopClient(), { iat: harness.nowSeconds() + 5 });
    expect((await ask(harness, service, GRANT, { dpop })).status).toBe(200);
    for (let second = 0; second <= 80; second++) {
      await harness.storage.deleteExpired(harness.nowSeconds() * 1000);
      expect(errorOf(await ask(harness, service, GRANT, { dpop }))).toEqual([400, 'invalid_dpop_proof']);
      harness.advance(1);
    }
  });
});

describe('nonces (RFC 9449 section 8)', () => {
  async function challenged(harness: Harness): Promise<string> {
    const dpop = await proofFor(harness, await createDpopClient());
    const answer = await ask(harness, await harness.register(), GRANT, { dpop });
    expect(errorOf(answer)).toEqual([400, 'use_dpop_nonce']);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    return answer.headers.get('dpop-nonce') ?? '';
  }

  it('are asked for, accepted, and given for the next request', async () => {
    const harness = createHarness({ dpopNonce: true });
    const nonce = await challenged(harness);
    const dpop = await proofFor(harness, await createDpopClient(), { nonce });
    const answer = await ask(harness, await harness.register(), GRANT, { dpop });
    expect(answer.status).toBe(200);
    const next = answer.headers.get('dpop-nonce') ?? '';
    const again = await proofFor(harness, await createDpopClient(), { nonce: next });
    expect((await ask(harness, await harness.register(), GRANT, { dpop: again })).status).toBe(200);
  });

  it.each([['one that was made up'], [''], [1], [null], [['a']]])('%j is refused', async (nonce) => {
    const harness = createHarness({ dpopNonce: true });
    const dpop = await proofFor(harness, await createDpopClient(), { nonce });
    const answer = await ask(harness, await harness.register(), GRANT, { dpop });
    expect(errorOf(answer)).toEqual([400, 'use_dpop_nonce']);
    expect(answer.headers.get('dpop-nonce')).toMatch(/^[\w-]{20,}$/);
  });

  it('end: after two slots of five minutes', async () => {
    const harness = createHarness({ dpopNonce: true });
    const nonce = await challenged(harness);
    const service = await harness.register();
    const statuses: number[] = [];
    for (let slot = 0; slot < 3; slot++) {
      const dpop = await proofFor(harness, await createDpopClient(), { nonce });
      statuses.push((await ask(harness, service, GRANT, { dpop })).status);
      harness.advance(300);
    }
    expect(statuses).toEqual([200, 200, 400]);
  });

  it('are the same for all instances with the same key, and no others', async () => {
    const secretKey = 'k'.repeat(32);
    const nonce = await challenged(createHarness({ dpopNonce: true, secretKey }));
    expect(await challenged(createHarness({ dpopNonce: true, secretKey }))).toBe(nonce);
    expect(await challenged(createHarness({ dpopNonce: true, secretKey: 'x'.repeat(32) }))).not.toBe(nonce);
    expect(nonce).not.toBe('');
  });

  it('a service that must prove a key and does not is given one, too', async () => {
    const harness = createHarness({ dpopNonce: true });
    const bound = await addService(harness, {}, { dpopBound: true });
    const answer = await ask(harness, bound, GRANT);
    expect(errorOf(answer)).toEqual([400, 'invalid_dpop_proof']);
    expect(answer.headers.get('dpop-nonce')).toMatch(/^[\w-]{20,}$/);
  });
});

describe('threat 20: htu is what is configured', () => {
  it('neither Host nor forwarded headers move it', async () => {
    const harness = createHarness();
    const service = await harness.register();
    const headers = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example;proto=http',
    };
    const key = await createDpopClient();
    const url = 'http://evil.example/token';
    const evil = await proofFor(harness, key, { htu: url });
    const refused = await ask(harness, service, GRANT, { dpop: evil, headers, url });
    expect(errorOf(refused)).toEqual([400, 'invalid_dpop_proof']);
    const good = await proofFor(harness, key);
    expect((await ask(harness, service, GRANT, { dpop: good, headers, url })).status).toBe(200);
  });

  it('the path of the issuer belongs to it', async () => {
    const secretKey = 'k'.repeat(32);
    const { register, storage } = createHarness({ secretKey });
    const service = await register();
    const harness = createHarness({ issuer: 'https://idp.example/tenant', storage, secretKey });
    const key = await createDpopClient();
    const url = 'https://idp.example/tenant/token';
    const wrong = await proofFor(harness, key);
    expect(errorOf(await ask(harness, service, GRANT, { dpop: wrong, url }))).toEqual([
      400,
      'invalid_dpop_proof',
    ]);
    const dpop = await proofFor(harness, key, { htu: url });
    expect((await ask(harness, service, GRANT, { dpop, url })).status).toBe(200);
  });
});

describe('tokens bound to a certificate (RFC 8705 section 3)', () => {
  it('of a service that is registered for it', async () => {
    const harness = createHarness();
    const service = await addService(harness, {}, { certificateBound: true });
    const answer = await ask(harness, service, GRANT, { certificate });
    expect(answer.body.token_type).toBe('Bearer');
    expect(cnfOf(answer)).toEqual({ 'x5t#S256': certificateThumbprint });
    expect(errorOf(await ask(harness, service, GRANT))).toEqual([400, 'invalid_request']);
    const noCertificate = new Uint8Array([1, 2, 3]);
    expect(errorOf(await ask(harness, service, GRANT, { certificate: noCertificate }))).toEqual([
      400,
      'invalid_request',
    ]);
  });

  it('and of no other', async () => {
    const harness = createHarness();
    const answer = await ask(harness, await harness.register(), GRANT, { certificate });
    expect(cnfOf(answer)).toBeUndefined();
  });

  it('and to a DPoP key besides, where both are proven', async () => {
    const harness = createHarness();
    const service = await addService(harness, {}, { certificateBound: true, dpopBound: true });
    const key = await createDpopClient();
    const dpop = await proofFor(harness, key);
    const answer = await ask(harness, service, GRANT, { certificate, dpop });
    expect(cnfOf(answer)).toEqual({ jkt: key.jkt, 'x5t#S256': certificateThumbprint });
  });

  it('that a proxy in front hands on', async () => {
    const harness = createHarness({
      clientCertificate: ({ headers }) => headers.get('x-client-cert') ?? undefined,
    });
    const service = await addService(harness, {}, { certificateBound: true });
    const headers = { 'x-client-cert': encodeURIComponent(certificatePem) };
    expect(cnfOf(await ask(harness, service, GRANT, { headers }))).toEqual({
      'x5t#S256': certificateThumbprint,
    });
    // That of the connection is the proxy's own.
    expect(errorOf(await ask(harness, service, GRANT, { certificate }))).toEqual([400, 'invalid_request']);
  });

  it('threat 26: a bound token is exchanged for one that is bound to the certificate of the request', async () => {
    const harness = createHarness();
    const caller = await harness.register();
    const service = await addService(harness, { serves: [ORDERS] });
    const dpop = await proofFor(harness, await createDpopClient());
    const { body } = await ask(harness, caller, GRANT, { dpop });
    const exchange = exchangeOf(body.access_token);
    expect(errorOf(await ask(harness, service, exchange))).toEqual([400, 'invalid_request']);
    const answer = await ask(harness, service, exchange, { certificate });
    expect(cnfOf(answer)).toEqual({ 'x5t#S256': certificateThumbprint });
  });

  it('threat 26: a token bound to a certificate keeps that with its client, or is bound to a proven key', async () => {
    const harness = createHarness();
    const input = { serves: [ORDERS] };
    const caller = await addService(harness, input, { certificateBound: true });
    const service = await addService(harness, input);
    const { body } = await ask(harness, caller, GRANT, { certificate });
    const exchange = exchangeOf(body.access_token);
    expect(errorOf(await ask(harness, caller, exchange))).toEqual([400, 'invalid_request']);
    expect(cnfOf(await ask(harness, caller, exchange, { certificate }))).toEqual({
      'x5t#S256': certificateThumbprint,
    });
    expect(errorOf(await ask(harness, service, exchange))).toEqual([400, 'invalid_request']);
    const key = await createDpopClient();
    const dpop = await proofFor(harness, key);
    expect(cnfOf(await ask(harness, service, exchange, { dpop }))).toEqual({ jkt: key.jkt });
  });
});
