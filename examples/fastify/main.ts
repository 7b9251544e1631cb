/** Orders on Fastify. `SERVICE_AUTH_ISSUER` and `SERVICE_AUTH_AUDIENCE` say whose tokens are accepted, and for whom. */
import Fastify from 'fastify';
import { createVerifier, logEvents } from 'service-auth';
import serviceAuth from 'service-auth/fastify';

const app = Fastify({ logger: { level: 'warn' } });
// Callers are told nothing of what goes into the log.
const verifier = createVerifier({ onEvent: logEvents(app.log) });
// What opens nothing by itself: a route that says nothing asks for a valid token.
await app.register(serviceAuth, { verifier, global: true });

const orders: unknown[] = ['tea'];

app.get('/orders', { config: { serviceAuth: { scope: 'orders:read' } } }, (request) => ({
  orders,
  caller: request.caller?.clientId,
}));

app.post(
  '/orders',
  { config: { serviceAuth: { scope: 'orders:write', clients: ['billing'], serviceOnly: true } } },
  (request, reply) => {
    orders.push(request.body);
    return reply.status(201).send({ orders: orders.length });
  },
);

app.get('/health', { config: { serviceAuth: false } }, () => verifier.health());

const url = await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) });
console.log(`orders on ${url}`);
