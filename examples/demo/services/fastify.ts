import Fastify from 'fastify';
import serviceAuth from 'service-auth/fastify';
import { listening, policies } from '../service.ts';

const app = Fastify();
await app.register(serviceAuth);
app.get('/orders', { config: { serviceAuth: policies.read } }, (request) => ({
  framework: 'fastify',
  client: request.caller?.clientId,
}));
app.post('/orders', { onRequest: app.requireServiceAuth(policies.write) }, () => ({ framework: 'fastify' }));

await app.listen({ host: '127.0.0.1', port: 0 });
listening(app.server.address());
