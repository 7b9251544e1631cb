import Koa from 'koa';
import { requireServiceAuth, type ServiceAuthState } from 'service-auth/koa';
import { listening, policies } from '../service.ts';

const read = requireServiceAuth(policies.read);
const write = requireServiceAuth(policies.write);

const app = new Koa<ServiceAuthState>();
app.use((ctx, next) => (ctx.method === 'POST' ? write(ctx, next) : read(ctx, next)));
app.use((ctx) => {
  ctx.body = { framework: 'koa', client: ctx.state.caller?.clientId };
});

const server = app.listen(0, '127.0.0.1', () => listening(server.address()));
