import Fastify5, { type FastifyInstance } from 'fastify';
import Fastify4 from 'fastify4';
import { describe, expect, it } from 'vitest';
import serviceAuth, { type ServiceAuthPluginOptions } from '../../../adapters/fastify.ts';
import { createVerifier, type Policy, type ServiceAuthEvent } from '../../../src/index.ts';
import { bearer, options, rejecting, throwing, verifier, withHeader } from './support.ts';

const open = (): string => 'let in';

async function status(
  app: FastifyInstance,
  url: string,
  headers: Record<string, string> = {},
): Promise<number> {
  return (await app.inject({ url, headers })).statusCode;
}

describe.each([
  ['Fastify 5', Fastify5],
  ['Fastify 4', Fastify4],
])('%s', (_name, Fastify) => {
  describe('routes declared while the plugin is not loaded yet', () => {
    it('are protected by their config', async () => {
      const app = Fastify();
      app.register(serviceAuth, { verifier });
      app.get('/', { config: { serviceAuth: { scope: 'orders:read' } } }, open);
      expect(await status(app, '/')).toBe(401);
      expect(await status(app, '/', bearer({ scope: 'stock:read' }))).toBe(403);
      expect(await status(app, '/', bearer())).toBe(200);
    });

    it('are protected by global', async () => {
      const app = Fastify();
      app.register(serviceAuth, { verifier, global: true });
      app.get('/', open);
      app.get('/open', { config: { serviceAuth: false } }, open);
      expect([await status(app, '/'), await status(app, '/open')]).toEqual([401, 200]);
    });

    it('answer 500 to everyone if their policy is a mistake', async () => {
      const app = Fastify();
      app.register(serviceAuth, { verifier });
      app.get('/', { config: { serviceAuth: { scopes: 'orders:read' } as Policy } }, open);
      expect([await status(app, '/'), await status(app, '/', bearer())]).toEqual([500, 500]);
    });
  });

  describe('global', () => {
    async function protectedApp(): Promise<FastifyInstance> {
      const app = Fastify();
      await app.register(serviceAuth, { verifier, global: true });
      return app;
    }

    it('protects plugins that are registered later, and their routes may still say more or be open', async () => {
      const app = await protectedApp();
      app.register(async (scope) => {
        scope.get('/any', open);
        scope.get('/write', { config: { serviceAuth: { scope: 'orders:write' } } }, open);
        scope.get('/open', { config: { serviceAuth: false } }, open);
      });
      expect(await status(app, '/any')).toBe(401);
      expect(await status(app, '/any', bearer())).toBe(200);
      expect(await status(app, '/write', bearer())).toBe(403);
      expect(await status(app, '/open')).toBe(200);
    });

    it('gives unknown routes their plain 404', async () => {
      const app = await protectedApp();
      const bare = await app.inject('/unknown');
      const { statusCode, body } = await app.inject({ url: '/unknown', headers: bearer() });
      expect([bare.statusCode, statusCode]).toEqual([404, 404]);
      expect(body).toBe(bare.body);
    });

    it('judges once, also for the HEAD route that Fastify adds to GET', async () => {
      const events: string[] = [];
      const onEvent = ({ type }: ServiceAuthEvent): void => void events.push(type);
      const app = Fastify();
      await app.register(serviceAuth, { ...options, onEvent, global: true });
      app.get('/', open);
      expect((await app.inject({ method: 'HEAD', url: '/' })).statusCode).toBe(401);
      expect((await app.inject({ method: 'HEAD', url: '/', headers: bearer() })).statusCode).toBe(200);
      expect(events).toEqual(['request.rejected', 'request.accepted']);
    });

    it('runs before the hooks that are added after it', async () => {
      const app = await protectedApp();
      const ran: string[] = [];
      app.addHook('onRequest', async () => void ran.push('hook'));
      app.get('/', open);
      await app.inject('/');
      expect(ran).toEqual([]);
      await app.inject({ url: '/', headers: bearer() });
      expect(ran).toEqual(['hook']);
    });
  });

  describe('encapsulation', () => {
    it('reaches the scope it is registered in, and no other', async () => {
      const other = createVerifier({ ...options, audience: 'https://stock.example' });
      const app = Fastify();
      app.register(async (scope) => {
        await scope.register(serviceAuth, { verifier, global: true });
        scope.get('/orders', open);
      });
      app.register(async (scope) => {
        await scope.register(serviceAuth, { verifier: other, global: true });
        scope.get('/stock', open);
      });
      app.get('/open', open);
      const headers = bearer();
      expect(await status(app, '/orders', headers)).toBe(200);
      expect(await status(app, '/stock', headers)).toBe(401);
      expect(await status(app, '/open')).toBe(200);
    });

    it('allows one registration for each scope', async () => {
      const app = Fastify();
      app.register(serviceAuth, { verifier });
      app.register(serviceAuth, { verifier });
      await expect(app.ready()).rejects.toMatchObject({ code: 'FST_ERR_DEC_ALREADY_PRESENT' });
    });
  });

  describe('mistakes', () => {
    it.each<[string, unknown, RegExp]>([
      [
        'an unknown option',
        { isuer: 'https://issuer.example' },
        /unknown option isuer in options; did you mean issuer/,
      ],
      [
        'an option beside a verifier',
        { verifier, audience: 'https://a.example' },
        /verifier must be given without audience/,
      ],
      [
        'a policy beside a verifier',
        { verifier, scope: 'orders:read' },
        /scope must stand in the policy of a route/,
      ],
      [
        'a misspelt global',
        { verifier, globl: true },
        /unknown option globl in options; did you mean global\?/,
      ],
      [
        'a policy',
        { issuer: 'https://issuer.example', scope: 'a' },
        /scope must stand in the policy of a route/,
      ],
      ['a global that is no boolean', { verifier, global: 'yes' }, /global must be true or false/],
      ['a verifier that is none', { verifier: {} }, /verifier must be made by createVerifier/],
    ])('%s stops the start', async (_name, given, message) => {
      const app = Fastify();
      app.register(serviceAuth, given as ServiceAuthPluginOptions);
      const error = await app.ready().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).toMatch(message);
    });

    it.each<[string, unknown]>([
      ['an unknown policy option', { scopes: 'orders:read' }],
      ['a policy that is a text', 'orders:read'],
      ['a policy that is null', null],
      ['a scope that is none', { scope: 1 }],
      ['a list', ['orders:read']],
      ['a number', 1],
      ['a policy that may be undefined', undefined],
    ])('%s is reported when the route is declared', async (_name, policy) => {
      const app = Fastify();
      await app.register(serviceAuth, { verifier });
      const declare = (): unknown => app.get('/', { config: { serviceAuth: policy as Policy } }, open);
      expect(declare).toThrow(TypeError);
    });

    const misspelt = [
      'serviceauth',
      'service_auth',
      'service-auth',
      'ServiceAuth',
      'SERVICE_AUTH',
      'serviceAuths',
      'servceAuth',
      'serivceAuth',
    ];

    it.each(misspelt)('%s in a config is reported when the route is declared', async (name) => {
      const app = Fastify();
      await app.register(serviceAuth, { verifier });
      const config = { [name]: { scope: 'orders:read' } };
      expect(() => app.get('/', { config }, open)).toThrow(`unknown ${name} in the config of a route`);
      expect(() => app.get('/other', { config }, open)).toThrow(/did you mean serviceAuth\?/);
    });

    it.each(misspelt)('%s leaves no route open that was declared before', async (name) => {
      const app = Fastify();
      app.register(serviceAuth, { verifier });
      app.get('/', { config: { [name]: { scope: 'orders:read' } } }, open);
      expect([await status(app, '/'), await status(app, '/', bearer())]).toEqual([500, 500]);
    });

    it('beside the config of a route is reported', async () => {
      const app = Fastify();
      await app.register(serviceAuth, { verifier });
      const route: object = { serviceAuth: { scope: 'orders:read' } };
      expect(() => app.get('/', route, open)).toThrow('serviceAuth: must stand in the config of a route');
    });

    it('leaves other members of a config alone', async () => {
      const app = Fastify();
      await app.register(serviceAuth, { verifier });
      app.get('/', { config: { service: 'orders', auth: true, rateLimit: {} } as object }, open);
      expect(await status(app, '/')).toBe(200);
    });

    it('in the policy of a hook is reported when the hook is made', async () => {
      const app = Fastify();
      await app.register(serviceAuth, { verifier });
      expect(() => app.requireServiceAuth({ scopes: 'orders:read' } as Policy)).toThrow(/did you mean scope/);
    });
  });

  describe('errors and headers', () => {
    it.each([
      ['throws', throwing],
      ['rejects', rejecting],
    ])("passes the error of a guard that %s to Fastify's error handler", async (_how, broken) => {
      const app = Fastify();
      await app.register(serviceAuth, { verifier: broken, global: true });
      app.get('/', open);
      app.get('/hook', { config: { serviceAuth: false }, preHandler: app.requireServiceAuth() }, open);
      for (const url of ['/', '/hook']) {
        const { statusCode, body } = await app.inject(url);
        expect(statusCode).toBe(500);
        expect(body).toContain('the guard is broken');
      }
    });

    it('leaves errors of handlers to the application', async () => {
      const app = Fastify();
      app.setErrorHandler((error: Error, _request, reply) => reply.code(502).send(error.message));
      await app.register(serviceAuth, { verifier });
      const broken = (): never => {
        throw new Error('the handler is broken');
      };
      app.get('/', { onRequest: app.requireServiceAuth({ check: async () => true }) }, broken);
      const { statusCode, body } = await app.inject({ url: '/', headers: bearer() });
      expect([statusCode, body]).toEqual([502, 'the handler is broken']);
    });

    it('sets the headers of an acceptance', async () => {
      const app = Fastify();
      await app.register(serviceAuth, { verifier: withHeader, global: true });
      app.get('/', open);
      expect((await app.inject('/')).headers['dpop-nonce']).toBe('nonce-1');
    });

    it('shows checks the URL as it came, before a rewrite', async () => {
      const seen: (string | undefined)[] = [];
      const app = Fastify({ rewriteUrl: (raw) => (raw.url ?? '').replace('/v1', '') });
      await app.register(serviceAuth, { verifier });
      const check: Policy['check'] = (_caller, inbound) => {
        seen.push(inbound?.url);
        return true;
      };
      app.get('/orders', { config: { serviceAuth: { check } } }, open);
      expect(await status(app, '/v1/orders', bearer())).toBe(200);
      expect(seen).toEqual(['/v1/orders']);
    });
  });
});
