/** Every framework's own way to be tested, with plain and with bound tokens. */
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { requireServiceAuth as forExpress } from '../../../adapters/express.ts';
import serviceAuth from '../../../adapters/fastify.ts';
import { requireServiceAuth as forHono } from '../../../adapters/hono.ts';
import { requireServiceAuth as forKoa, type ServiceAuthState } from '../../../adapters/koa.ts';
import { createTestIssuer } from '../../../adapters/testing.ts';
import { withServiceAuth } from '../../../adapters/web.ts';

const issuer = createTestIssuer();
const options = { ...issuer.verifierOptions(), scope: 'orders:read' };
const wanted = { clientId: 'billing', scope: 'orders:read' };

const expressApp = express().all('/orders', forExpress(options), (req, res) => {
  res.json({ hello: req.caller?.clientId });
});
const koaApp = new Koa<ServiceAuthState>().use(forKoa(options)).use((ctx) => {
  ctx.body = { hello: ctx.state.caller?.clientId };
});

describe.each([
  ['express', expressApp],
  ['koa', koaApp.callback()],
])('supertest with %s', (_name, app) => {
  it('a token', async () => {
    const token = await issuer.mint(wanted);
    await request(app).get('/orders').set(token.headers()).expect(200, { hello: 'billing' });
    await request(app).get('/orders').expect(401);
    const { headers } = await issuer.mint({ ...wanted, fault: 'expired' });
    await request(app).get('/orders').set(headers()).expect(401);
  });

  it('a token and its proof, for whatever port there will be', async () => {
    const token = await issuer.mint({ ...wanted, dpop: true });
    const hello = { hello: 'billing' };
    await request(app).get('/orders?page=2').use(token.forSupertest()).expect(200, hello);
    await request(app).post('/orders').use(token.forSupertest()).send({ order: 1 }).expect(200, hello);
    await request(app)
      .get('/orders')
      .use(token.forSupertest({ fault: 'wrong_url' }))
      .expect(401);
  });

  it('a token and its certificate', async () => {
    const token = await issuer.mint({ ...wanted, certificate: true });
    await request(app).get('/orders').set(token.headers()).expect(200);
    await request(app)
      .get('/orders')
      .set(token.headers({ fault: 'missing' }))
      .expect(401);
  });
});

describe('inject of Fastify', () => {
  const app = Fastify();
  app.register(serviceAuth, issuer.verifierOptions());
  app.post('/orders', { config: { serviceAuth: { scope: 'orders:read' } } }, (req) => ({
    hello: req.caller?.clientId,
  }));

  it.each([false, true])('a token (bound: %s)', async (dpop) => {
    const call = { method: 'POST', url: '/orders?page=2' } as const;
    const headers = await issuer.headers({ ...wanted, dpop }, call);
    const response = await app.inject({ ...call, headers });
    expect([response.statusCode, response.json()]).toEqual([200, { hello: 'billing' }]);
    expect((await app.inject(call)).statusCode).toBe(401);
  });
});

describe('request of Hono', () => {
  const app = new Hono().get('/orders', forHono(options), (c) => c.json({ hello: c.var.caller.clientId }));

  it.each([false, true])('a token (bound: %s)', async (dpop) => {
    const headers = await issuer.headers({ ...wanted, dpop }, { url: '/orders' });
    const response = await app.request('/orders', { headers });
    expect([response.status, await response.json()]).toEqual([200, { hello: 'billing' }]);
    expect((await app.request('/orders')).status).toBe(401);
  });
});

describe('web handlers', () => {
  const handler = withServiceAuth((_request, caller) => Response.json({ hello: caller.clientId }), options);

  it('take a request of the token', async () => {
    const token = await issuer.mint({ ...wanted, dpop: true });
    const put = token.request('https://service.test/orders', { method: 'PUT', body: 'an order' });
    expect(await put.clone().text()).toBe('an order');
    expect((await handler(put)).status).toBe(200);
  });

  it('get the headers of the test where it has some of its own', async () => {
    const token = await issuer.mint(wanted);
    const init = { headers: { authorization: 'Bearer of-somebody-else', 'x-trace': '1' } };
    const own = token.request('https://service.test/orders', init);
    expect(Object.fromEntries(own.headers)).toEqual(init.headers);
  });
});
