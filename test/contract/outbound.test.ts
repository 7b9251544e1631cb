/** What calls do, whatever sends them: over real HTTP, against an issuer and services that do as they are told. */
import { describe, expect, it } from 'vitest';
import type { CallAuthorizerOptions } from '../../src/index.ts';
import {
  createClock,
  createDeferred,
  eventTypes,
  type Handler,
  rejection,
  secretCanary,
  sendJson,
  startServer,
  startTokenServer,
} from '../unit/outbound/support.ts';
import { proofOf, startDpopScene } from './outbound-dpop.ts';
import { codeOf, forms } from './outbound-forms.ts';

const echo: Handler = ({ method, url, headers, body }, response) =>
  sendJson(response, { method, url, authorization: headers.authorization, body });

const refuse =
  (challenge: string, body = '{"refused":true}'): Handler =>
  (_, response) =>
    void response.writeHead(401, { 'www-authenticate': challenge }).end(body);

/** Accepts one token alone, as a service that has seen a revocation. */
const acceptOnly =
  (token: string, challenge = 'Bearer error="invalid_token"'): Handler =>
  (request, response) =>
    (request.headers.authorization === `Bearer ${token}` ? echo : refuse(challenge))(request, response);

const streamOf = (text: string): ReadableStream<Uint8Array> => new Blob([text]).stream();

describe.each(Object.entries(forms))('%s', (_name, { create, keepsBodies }) => {
  /** A token server, a service, and a client between them. */
  async function createBench(handle: Handler = echo, options: Partial<CallAuthorizerOptions> = {}) {
    const tokenServer = await startTokenServer();
    const service = await startServer(handle);
    const client = create({ ...tokenServer.options, targets: [service.origin], ...options });
    return { tokenServer, service, client };
  }

  it('sends the token with everything else as it was', async () => {
    const { service, client } = await createBench();
    const got = await client.send(`${service.origin}/orders?open=1`, {
      method: 'PUT',
      headers: { 'X-Trace': 'abc', 'content-type': 'text/plain' },
      body: 'hello',
    });
    expect(JSON.parse(got.body)).toEqual({
      method: 'PUT',
      url: '/orders?open=1',
      authorization: 'Bearer token-1',
      body: 'hello',
    });
    expect(service.received[0]?.headers).toMatchObject({ 'x-trace': 'abc', 'content-type': 'text/plain' });
  });

  it('asks for one token where 1,000 calls begin at once', async () => {
    const { service, client, tokenServer } = await createBench();
    const calls = Array.from({ length: 1000 }, (_, at) => client.send(`${service.origin}/${at}`));
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(service.received).toHaveLength(1000);
    expect(tokenServer.received).toHaveLength(1);
  });

  it('never sends a token that has expired', async () => {
    const clock = createClock();
    const { service, client, tokenServer } = await createBench(echo, { now: clock.now });
    await client.send(service.origin);
    await client.send(service.origin);
    clock.advance(600_000);
    await client.send(service.origin);
    expect(service.received.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-1',
      'Bearer token-2',
    ]);
    expect(tokenServer.received).toHaveLength(2);
  });

  it('rejects while no token can be had, and sends nothing', async () => {
    const { service, client, tokenServer } = await createBench();
    tokenServer.next.push((_, response) => sendJson(response, { error: 'invalid_scope' }, 400));
    const error = await rejection(client.send(service.origin));
    expect(codeOf(error)).toBe('token_request_rejected');
    expect(JSON.stringify(error) + String(error)).not.toContain(secretCanary);
    expect(service.received).toHaveLength(0);
  });

  it('refuses everything after close', async () => {
    const { service, client } = await createBench();
    await client.send(service.origin);
    client.close();
    expect(codeOf(await rejection(client.send(service.origin)))).toBe('closed');
    expect(service.received).toHaveLength(1);
  });

  it('says which token a URL would get', async () => {
    const { service, client } = await createBench(echo, { scope: 'orders:read' });
    await client.send(service.origin);
    expect(client.explain(`${service.origin}/x`)).toMatchObject({
      target: { origin: service.origin, scope: 'orders:read' },
      token: { ageMs: expect.any(Number) },
    });
  });

  describe('targets', () => {
    it('sends nothing to what is no target, and asks for no token', async () => {
      const other = await startServer(echo);
      const { client, tokenServer } = await createBench();
      for (const url of [other.origin, other.origin.replace('127.0.0.1', 'localhost')]) {
        expect(codeOf(await rejection(client.send(`${url}/?secret=1`)))).toBe('untrusted_target');
      }
      expect(other.received).toHaveLength(0);
      expect(tokenServer.received).toHaveLength(0);
    });

    it('gives each path what its target asks for', async () => {
      const tokenServer = await startTokenServer();
      const service = await startServer(echo);
      const { origin } = service;
      const client = create({
        ...tokenServer.options,
        targets: [
          { origin, pathPrefix: '/orders', scope: 'orders:read' },
          { origin, pathPrefix: '/bills', scope: 'bills:read' },
        ],
      });
      for (const path of ['/orders/1', '/bills/1', '/orders/2']) await client.send(origin + path);
      expect(service.received.map(({ headers }) => headers.authorization)).toEqual([
        'Bearer token-1',
        'Bearer token-2',
        'Bearer token-1',
      ]);
      expect(tokenServer.received.map(({ body }) => new URLSearchParams(body).get('scope'))).toEqual([
        'orders:read',
        'bills:read',
      ]);
      expect(codeOf(await rejection(client.send(`${origin}/admin`)))).toBe('untrusted_target');
      expect(codeOf(await rejection(client.send(`${origin}/orders/..%2fadmin`)))).toBe('untrusted_target');
    });

    it.each(['Authorization', 'authorization', 'DPoP'])('refuses a header %s of the caller', async (name) => {
      const { service, client } = await createBench();
      const error = await rejection(client.send(service.origin, { headers: { [name]: 'x' } }));
      expect(error).toBeInstanceOf(TypeError);
      expect(service.received).toHaveLength(0);
    });
  });

  describe('a refused token', () => {
    it('is renewed, and the call sent once more', async () => {
      const { service, client, tokenServer } = await createBench(acceptOnly('token-2'));
      expect((await client.send(service.origin)).status).toBe(200);
      expect((await client.send(service.origin)).status).toBe(200);
      expect(tokenServer.received).toHaveLength(2);
      expect(service.received).toHaveLength(3);
      expect(eventTypes(tokenServer.events)).toContain('retry');
    });

    it('leads to one token request for 100 parallel refusals', async () => {
      const { service, client, tokenServer } = await createBench(acceptOnly('token-2'));
      const calls = Array.from({ length: 100 }, () => client.send(service.origin));
      const statuses = (await Promise.all(calls)).map(({ status }) => status);
      expect(statuses.every((status) => status === 200)).toBe(true);
      expect(tokenServer.received).toHaveLength(2);
    });

    it('is renewed once: the second refusal is the answer, whole', async () => {
      const body = 'x'.repeat(200_000);
      const { service, client } = await createBench(refuse('Bearer error="invalid_token"', body));
      expect(await client.send(service.origin)).toEqual({ status: 401, body });
      expect(service.received).toHaveLength(2);
    });

    it.each([
      'Bearer',
      'Bearer realm="orders"',
      'Bearer error="insufficient_scope"',
      'Basic realm="x"',
      'DPoP error="use_dpop_nonce"',
    ])('is no matter of renewal where the challenge is %s', async (challenge) => {
      const { service, client, tokenServer } = await createBench(refuse(challenge));
      expect(await client.send(service.origin)).toEqual({ status: 401, body: '{"refused":true}' });
      expect(service.received).toHaveLength(1);
      expect(tokenServer.received).toHaveLength(1);
    });

    it('gives back the refusal, whole, if no other token can be had', async () => {
      const { service, client, tokenServer } = await createBench(acceptOnly('none'));
      await client.tokens.getToken();
      tokenServer.next.push((_, response) => sendJson(response, { error: 'unauthorized_client' }, 400));
      expect(await client.send(service.origin)).toEqual({ status: 401, body: '{"refused":true}' });
      expect(service.received).toHaveLength(1);
    });

    it.each([
      ['text', () => 'hello'],
      ['bytes', () => new TextEncoder().encode('hello')],
    ])('is renewed, and %s sent again if it is still there', async (_, body) => {
      const { service, client, tokenServer } = await createBench(acceptOnly('token-2'));
      const { status } = await client.send(service.origin, { method: 'POST', body: body() });
      expect(service.received.every((received) => received.body === 'hello')).toBe(true);
      if (keepsBodies) expect([status, service.received.length]).toEqual([200, 2]);
      else expect(eventTypes(tokenServer.events)).toContain('retry.refused');
    });

    it('is renewed, but a stream is not sent again: the refusal is the answer', async () => {
      const { service, client, tokenServer } = await createBench(acceptOnly('token-2'));
      const got = await client.send(service.origin, { method: 'POST', body: streamOf('hello') });
      expect(got).toEqual({ status: 401, body: '{"refused":true}' });
      expect(service.received).toHaveLength(1);
      const reasons = tokenServer.events.filter(({ type }) => type === 'retry.refused');
      expect(reasons).toEqual([
        {
          type: 'retry.refused',
          reason: 'body_not_replayable',
          origin: service.origin,
          at: expect.any(Number),
        },
      ]);
      expect((await client.send(service.origin)).status).toBe(200);
    });

    it('is renewed though its answer never ends', async () => {
      const { service, client } = await createBench((request, response) => {
        if (request.headers.authorization === 'Bearer token-2') return echo(request, response);
        response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' });
        response.write('and so on');
      });
      expect((await client.send(service.origin)).status).toBe(200);
    });
  });

  describe('redirects', () => {
    const redirectTo =
      (location: () => string, status = 302): Handler =>
      (request, response) =>
        request.url === '/end'
          ? echo(request, response)
          : void response.writeHead(status, { location: location() }).end();

    it.each([302, 303, 307])('within the target are followed with the token (%i)', async (status) => {
      const { service, client } = await createBench(redirectTo(() => '/end', status));
      const got = await client.send(`${service.origin}/start`);
      expect(JSON.parse(got.body)).toMatchObject({ url: '/end', authorization: 'Bearer token-1' });
    });

    it('never take a token to what is no target', async () => {
      const other = await startServer(echo);
      const { service, client } = await createBench(redirectTo(() => `${other.origin}/end`));
      const code = codeOf(await rejection(client.send(`${service.origin}/start`)));
      expect(['redirect_refused', 'untrusted_target']).toContain(code);
      expect(other.received).toHaveLength(0);
    });

    it('never take a token out of the path prefix', async () => {
      const tokenServer = await startTokenServer();
      const service = await startServer(redirectTo(() => '/end'));
      const targets = [{ origin: service.origin, pathPrefix: '/api' }];
      const client = create({ ...tokenServer.options, targets });
      const code = codeOf(await rejection(client.send(`${service.origin}/api/start`)));
      expect(['redirect_refused', 'untrusted_target']).toContain(code);
      expect(service.received.map(({ url }) => url)).toEqual(['/api/start']);
    });

    it('never take the token of one target to another', async () => {
      const tokenServer = await startTokenServer();
      const other = await startServer(echo);
      const service = await startServer(redirectTo(() => `${other.origin}/end`));
      const targets = [
        { origin: service.origin, scope: 'a' },
        { origin: other.origin, scope: 'b' },
      ];
      const client = create({ ...tokenServer.options, targets });
      await client.send(`${service.origin}/start`).catch(() => {});
      const [seen] = service.received.map(({ headers }) => headers.authorization);
      for (const { headers } of other.received) expect(headers.authorization).not.toBe(seen);
    });
  });

  describe('aborted', () => {
    it('a call that waits for a token rejects at once with the reason, and is not sent', async () => {
      const { service, client, tokenServer } = await createBench();
      const [asked, answered] = [createDeferred(), createDeferred()];
      tokenServer.next.push(async (_, response) => {
        asked.resolve();
        await answered.promise;
        sendJson(response, { access_token: 'late', token_type: 'Bearer', expires_in: 600 });
      });
      const controller = new AbortController();
      const call = rejection(client.send(service.origin, { signal: controller.signal }));
      const patient = client.send(service.origin);
      await asked.promise;
      controller.abort();
      expect(await call).toMatchObject({ name: 'AbortError' });
      answered.resolve();
      // What others wait for goes on.
      expect((await patient).status).toBe(200);
      expect(service.received).toHaveLength(1);
    });

    it('a call that waits for a new token rejects at once', async () => {
      const { service, client, tokenServer } = await createBench(acceptOnly('token-2'));
      await client.tokens.getToken();
      const [asked, answered] = [createDeferred(), createDeferred()];
      tokenServer.next.push(async (_, response) => {
        asked.resolve();
        await answered.promise;
        sendJson(response, { access_token: 'token-2', token_type: 'Bearer', expires_in: 600 });
      });
      const controller = new AbortController();
      const call = rejection(client.send(service.origin, { signal: controller.signal }));
      await asked.promise;
      controller.abort();
      expect(await call).toMatchObject({ name: 'AbortError' });
      expect(service.received).toHaveLength(1);
      answered.resolve();
      expect((await client.send(service.origin)).status).toBe(200);
      // This one was refused for the old token as well; what was aborted was not sent again.
      expect(service.received).toHaveLength(3);
    });

    it('a call that is aborted already is never sent', async () => {
      const { service, client } = await createBench();
      const call = client.send(service.origin, { signal: AbortSignal.abort() });
      expect(await rejection(call)).toMatchObject({ name: 'AbortError' });
      expect((await client.send(service.origin)).status).toBe(200);
      expect(service.received).toHaveLength(1);
    });
  });

  describe('DPoP', () => {
    const options = (origin: string): CallAuthorizerOptions => ({
      tokenEndpoint: `${origin}/token`,
      clientId: 'billing',
      clientSecret: secretCanary,
      dpop: true,
    });

    it('proves possession to both ends, with the nonces that they ask for', async () => {
      const scene = await startDpopScene();
      const { origin } = scene.service;
      const client = create({ ...options(scene.issuer.origin), targets: [origin] });
      expect(await client.send(`${origin}/a?b=c`)).toEqual({ status: 200, body: '{"hello":true}' });
      expect(await client.send(`${origin}/a`, { method: 'DELETE' })).toMatchObject({ status: 200 });
      // One refused for its nonce at either end; the second call knows it.
      expect(scene.issuer.received).toHaveLength(2);
      expect(scene.service.received).toHaveLength(3);
      const [first, second, third] = scene.service.received.map(proofOf);
      expect(first).toMatchObject({ htm: 'GET', htu: `${origin}/a` });
      expect(first).not.toHaveProperty('nonce');
      expect(second?.nonce).toEqual(expect.any(String));
      expect(third).toMatchObject({ htm: 'DELETE', nonce: second?.nonce });
      expect(new Set([first?.jti, second?.jti, third?.jti]).size).toBe(3);
    });

    it('makes a proof of its own for every hop', async () => {
      const scene = await startDpopScene(({ url }, response) =>
        url === '/start'
          ? void response.writeHead(307, { location: '/end' }).end()
          : sendJson(response, { url }),
      );
      const { origin } = scene.service;
      const client = create({ ...options(scene.issuer.origin), targets: [origin] });
      expect(await client.send(`${origin}/start`)).toEqual({ status: 200, body: '{"url":"/end"}' });
      expect(scene.service.received.map(proofOf).map(({ htu }) => htu)).toEqual([
        `${origin}/start`,
        `${origin}/start`,
        `${origin}/end`,
      ]);
    });

    it('does not send a stream again for a nonce, but has learned it', async () => {
      const scene = await startDpopScene();
      const { origin } = scene.service;
      const client = create({ ...options(scene.issuer.origin), targets: [origin] });
      expect(await client.send(origin, { method: 'POST', body: streamOf('x') })).toMatchObject({
        status: 401,
      });
      expect(await client.send(origin, { method: 'POST', body: streamOf('x') })).toMatchObject({
        status: 200,
      });
      expect(scene.service.received).toHaveLength(2);
    });

    it('32 first calls at once all pass', async () => {
      const scene = await startDpopScene();
      const { origin } = scene.service;
      const client = create({ ...options(scene.issuer.origin), targets: [origin] });
      const calls = Array.from({ length: 32 }, (_, at) => client.send(`${origin}/${at}`));
      expect((await Promise.all(calls)).every(({ status }) => status === 200)).toBe(true);
      expect(scene.issuer.received).toHaveLength(2);
    });
  });
});
