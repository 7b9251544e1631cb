/** The recipes of examples/clients with the real packages: each sends tokens, renews them, and leaks none. */
import { describe, expect, it } from 'vitest';
import { createAxios } from '../../examples/clients/axios.ts';
import { createGot } from '../../examples/clients/got.ts';
import { createKy } from '../../examples/clients/ky.ts';
import { createOfetch } from '../../examples/clients/ofetch.ts';
import { createOpenapiClient } from '../../examples/clients/openapi-fetch.ts';
import {
  type CallAuthorizerOptions,
  createAuthedFetch,
  createCallAuthorizer,
  isServiceAuthError,
  type ServiceAuthErrorCode,
} from '../../src/index.ts';
import { proofOf, startDpopScene } from '../contract/outbound-dpop.ts';
import {
  type Handler,
  rejection,
  secretCanary,
  sendJson,
  startServer,
  startTokenServer,
} from '../unit/outbound/support.ts';

interface Client {
  /** Posts JSON and gives the JSON of the answer; rejects where that is no success. */
  post(path: string, json: object): Promise<unknown>;
  get(path: string): Promise<unknown>;
}

interface Paths {
  '/{path}': {
    get: { parameters: { path: { path: string } }; responses: { 200: JsonResponse } };
    post: {
      parameters: { path: { path: string } };
      requestBody: { content: { 'application/json': object } };
      responses: { 200: JsonResponse };
    };
  };
}
interface JsonResponse {
  content: { 'application/json': object };
}

const clients: Record<string, (options: CallAuthorizerOptions, base: string) => Client> = {
  ky(options, base) {
    const ky = createKy(createAuthedFetch(options), base);
    return { post: (path, json) => ky.post(path, { json }).json(), get: (path) => ky.get(path).json() };
  },
  ofetch(options, base) {
    const ofetch = createOfetch(createAuthedFetch(options), base);
    return {
      post: (path, json) => ofetch(path, { method: 'POST', body: { ...json } }),
      get: (path) => ofetch(path),
    };
  },
  axios(options, base) {
    const axios = createAxios(createAuthedFetch(options), base);
    return {
      post: async (path, json) => (await axios.post(path, json)).data,
      get: async (path) => (await axios.get(path)).data,
    };
  },
  'openapi-fetch'(options, base) {
    const client = createOpenapiClient<Paths>(createAuthedFetch(options), base);
    const succeed = ({ data, response }: { data?: unknown; response: Response }): unknown => {
      if (!response.ok) throw new Error(`status ${response.status}`);
      return data;
    };
    return {
      post: async (path, body) => succeed(await client.POST('/{path}', { params: { path: { path } }, body })),
      get: async (path) => succeed(await client.GET('/{path}', { params: { path: { path } } })),
    };
  },
  got(options, base) {
    const got = createGot(createCallAuthorizer(options), base);
    return { post: (path, json) => got.post(path, { json }).json(), get: (path) => got(path).json() };
  },
};

/** The error of this library, wherever the client has put it. */
function codeOf(error: unknown): ServiceAuthErrorCode | undefined {
  if (isServiceAuthError(error)) return error.code;
  return error instanceof Error ? codeOf(error.cause) : undefined;
}

const echo: Handler = ({ method, url, headers, body }, response) =>
  sendJson(response, { method, url, authorization: headers.authorization, body });

describe.each(Object.entries(clients))('%s', (_, create) => {
  async function createBench(handle: Handler = echo) {
    const tokenServer = await startTokenServer();
    const service = await startServer(handle);
    const client = create({ ...tokenServer.options, targets: [service.origin] }, service.origin);
    return { tokenServer, service, client };
  }

  it('sends the token with GET and POST', async () => {
    const { client, service, tokenServer } = await createBench();
    const authorization = 'Bearer token-1';
    expect(await client.get('orders')).toMatchObject({ method: 'GET', url: '/orders', authorization });
    expect(await client.post('orders', { a: 1 })).toMatchObject({
      method: 'POST',
      authorization,
      body: '{"a":1}',
    });
    expect(service.received[1]?.headers['content-type']).toMatch(/^application\/json/);
    expect(tokenServer.received).toHaveLength(1);
  });

  it('gets a new token where one is refused, and sends the body again', async () => {
    const { client, service, tokenServer } = await createBench((request, response) =>
      request.headers.authorization === 'Bearer token-2'
        ? echo(request, response)
        : sendJson(response, {}, 401, { 'www-authenticate': 'Bearer error="invalid_token"' }),
    );
    expect(await client.post('orders', { a: 1 })).toMatchObject({ body: '{"a":1}' });
    expect(service.received.map(({ body }) => body)).toEqual(['{"a":1}', '{"a":1}']);
    expect(tokenServer.received).toHaveLength(2);
  });

  it('gives other refusals to the caller', async () => {
    const { client, service } = await createBench((_, response) =>
      sendJson(response, {}, 401, { 'www-authenticate': 'Bearer error="insufficient_scope"' }),
    );
    expect(await rejection(client.get('orders'))).toBeInstanceOf(Error);
    expect(service.received).toHaveLength(1);
  });

  it('sends nothing to what is no target', async () => {
    const { service, tokenServer } = await createBench();
    const client = create({ ...tokenServer.options, targets: ['https://orders.internal'] }, service.origin);
    expect(codeOf(await rejection(client.post('orders', {})))).toBe('untrusted_target');
    expect(service.received).toHaveLength(0);
    expect(tokenServer.received).toHaveLength(0);
  });

  it('is led to no other place', async () => {
    const other = await startServer(echo);
    const { client } = await createBench((_, response) => {
      response.writeHead(302, { location: `${other.origin}/end` }).end();
    });
    expect(codeOf(await rejection(client.get('orders')))).toMatch(/^(?:untrusted_target|redirect_refused)$/);
    expect(other.received).toHaveLength(0);
  });

  it('says why no token can be had, without the secret', async () => {
    const { client, service, tokenServer } = await createBench();
    tokenServer.next.push((_, response) => sendJson(response, { error: 'invalid_scope' }, 400));
    const error = await rejection(client.get('orders'));
    expect(codeOf(error)).toBe('token_request_rejected');
    expect(String(error)).not.toContain(secretCanary);
    expect(service.received).toHaveLength(0);
  });

  it('proves possession of its key, with the nonce that the service asks for', async () => {
    const scene = await startDpopScene();
    const { origin } = scene.service;
    const options = {
      tokenEndpoint: `${scene.issuer.origin}/token`,
      clientId: 'billing',
      clientSecret: secretCanary,
      dpop: true,
      targets: [origin],
    };
    const client = create(options, origin);
    expect(await client.post('orders', { a: 1 })).toEqual({ hello: true });
    expect(await client.get('orders')).toEqual({ hello: true });
    const proofs = scene.service.received.map(proofOf);
    expect(proofs.map(({ htm }) => htm)).toEqual(['POST', 'POST', 'GET']);
    expect(new Set(proofs.map(({ jti }) => jti)).size).toBe(3);
  });
});
