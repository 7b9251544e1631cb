import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type DynamicModule,
  type ExceptionFilter,
  Get,
  HttpException,
  type INestApplication,
  Inject,
  Injectable,
  Module,
  Next,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, NestFactory, REQUEST } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import express from 'express';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { requireServiceAuth } from '../../../adapters/express.ts';
import {
  CurrentCaller,
  RequireServiceAuth,
  SERVICE_AUTH_VERIFIER,
  ServiceAuthException,
  ServiceAuthGuard,
  ServiceAuthModule,
  type ServiceAuthModuleAsyncOptions,
  type ServiceAuthModuleOptions,
} from '../../../adapters/nest.ts';
import { optionError } from '../../../src/errors.ts';
import {
  type AuthOutcome,
  type Caller,
  createVerifier,
  type Policy,
  type ServiceAuthEvent,
  type Verifier,
} from '../../../src/index.ts';
import { createDpopClient, hashOf } from '../../helpers/dpop.ts';
import { audience, goodClaims, issuer, sharedSecret, signHmac } from '../../helpers/tokens.ts';
import {
  bearer,
  options,
  refusal,
  rejecting,
  throwing,
  verifier,
  verifierOf,
  withHeader,
} from './support.ts';

const globally = { provide: APP_GUARD, useClass: ServiceAuthGuard };
const platforms = ['express', 'fastify'] as const;
type Platform = (typeof platforms)[number];

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function create(root: Type | DynamicModule, platform: Platform = 'express'): Promise<INestApplication> {
  const settings = { logger: false, abortOnError: false } as const;
  const app =
    platform === 'fastify'
      ? await NestFactory.create(root, new FastifyAdapter(), settings)
      : await NestFactory.create(root, settings);
  open.push(() => app.close());
  return app;
}

/** A root module of these controllers. */
function moduleOf(controllers: readonly Type[], more: Partial<DynamicModule> = {}): DynamicModule {
  class Root {}
  Module({})(Root);
  const imports = [ServiceAuthModule.forRoot({ verifier })];
  return { module: Root, controllers: [...controllers], imports, ...more };
}

async function serve(
  app: INestApplication,
): Promise<(path: string, headers?: Record<string, string>) => Promise<Answer>> {
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return async (path, headers = {}) => {
    const response = await fetch(`${url}${path}`, { headers });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

const start = async (
  root: Type | DynamicModule,
  platform?: Platform,
): Promise<Awaited<ReturnType<typeof serve>>> => serve(await create(root, platform));

/** What the start says; the test fails if it says nothing. */
async function mistakeOf(root: Type | DynamicModule): Promise<unknown> {
  const app = await create(root);
  return app.init().then(
    () => undefined,
    (reason: unknown) => reason,
  );
}

@Controller('orders')
class Orders {
  @Get()
  @RequireServiceAuth({ scope: 'orders:read' })
  list(@CurrentCaller() caller: Caller): string {
    return caller.clientId ?? 'nobody';
  }

  @Get('open')
  anyone(@CurrentCaller() caller: Caller | undefined): string {
    return caller?.clientId ?? 'nobody';
  }
}

@Controller('stock')
@RequireServiceAuth({ scope: 'stock:read', clients: ['billing'] })
class Stock {
  @Get()
  list(): string {
    return 'let in';
  }

  @Get('write')
  @RequireServiceAuth({ scope: 'stock:write' })
  write(): string {
    return 'let in';
  }

  @Get('any')
  @RequireServiceAuth()
  any(): string {
    return 'let in';
  }

  @Get('open')
  @RequireServiceAuth(false)
  open(): string {
    return 'let in';
  }
}

@Controller('special')
class Special extends Stock {
  @Get('more')
  more(): string {
    return 'let in';
  }
}

describe.each(platforms)('on %s', (platform) => {
  it('a decorated handler is protected, and its neighbour is not', async () => {
    const get = await start(moduleOf([Orders]), platform);
    expect((await get('/orders')).status).toBe(401);
    expect((await get('/orders', bearer({ scope: 'stock:read' }))).status).toBe(403);
    expect(await get('/orders', bearer())).toMatchObject({ status: 200, body: 'billing' });
    expect(await get('/orders/open', bearer())).toMatchObject({ status: 200, body: 'nobody' });
  });

  it.each(['/stock', '/special'])(
    'what a handler of %s says replaces what its controller says',
    async (path) => {
      const get = await start(moduleOf([Stock, Special]), platform);
      const read = bearer({ scope: 'stock:read' });
      const write = bearer({ scope: 'stock:write', client_id: 'shipping' });
      const statuses = async (under: string): Promise<readonly number[]> =>
        Promise.all(
          [get(under), get(under, read), get(under, write)].map(async (answer) => (await answer).status),
        );
      expect(await statuses(path)).toEqual([401, 200, 403]);
      expect(await statuses(`${path}/write`)).toEqual([401, 403, 200]);
      expect(await statuses(`${path}/any`)).toEqual([401, 200, 200]);
      expect(await statuses(`${path}/open`)).toEqual([200, 200, 200]);
    },
  );

  it('a controller that extends a protected one is protected as that is', async () => {
    const get = await start(moduleOf([Special]), platform);
    expect((await get('/special/more')).status).toBe(401);
    expect((await get('/special/more', bearer({ scope: 'stock:read' }))).status).toBe(200);
  });

  it('APP_GUARD protects all but what is opened, and leaves unknown routes their 404', async () => {
    const get = await start(moduleOf([Orders, Stock], { providers: [globally] }), platform);
    expect((await get('/orders/open')).status).toBe(401);
    expect(await get('/orders/open', bearer())).toMatchObject({ status: 200, body: 'billing' });
    expect((await get('/orders', bearer({ scope: 'stock:read' }))).status).toBe(403);
    expect((await get('/stock/open')).status).toBe(200);
    expect((await get('/unknown')).status).toBe(404);
  });

  it('APP_GUARD and a decorator judge a request once, and its proof', async () => {
    const events: string[] = [];
    const counting = createVerifier({
      ...options,
      publicUrl: 'https://orders.example',
      dpop: { nonce: false },
      onEvent: ({ type }: ServiceAuthEvent) => void events.push(type),
    });
    const root = moduleOf([Orders], {
      imports: [ServiceAuthModule.forRoot({ verifier: counting })],
      providers: [globally],
    });
    const get = await start(root, platform);
    const client = await createDpopClient();
    const token = signHmac(sharedSecret, {}, goodClaims({ cnf: { jkt: client.jkt } }));
    const headers = {
      authorization: `DPoP ${token}`,
      dpop: await client.prove({ htu: 'https://orders.example/orders', ath: hashOf(token) }),
    };
    expect((await get('/orders', headers)).status).toBe(200);
    expect(events).toEqual(['request.accepted']);
    expect((await get('/orders', headers)).status).toBe(401);
    expect(events.slice(1)).toEqual(['dpop.replay', 'request.rejected']);
  });

  it('sets the headers of an acceptance', async () => {
    const root = moduleOf([Stock], { imports: [ServiceAuthModule.forRoot({ verifier: withHeader })] });
    const { status, headers } = await (await start(root, platform))('/stock');
    expect([status, headers.get('dpop-nonce')]).toEqual([200, 'nonce-1']);
  });

  it.each([
    ['throws', throwing],
    ['rejects', rejecting],
  ])('answers 500 where a guard %s, and says nothing of it', async (_how, broken) => {
    const root = moduleOf([Stock], { imports: [ServiceAuthModule.forRoot({ verifier: broken })] });
    const { status, body } = await (await start(root, platform))('/stock');
    expect(status).toBe(500);
    expect(body).not.toContain('broken');
  });

  it.each([
    ['a refusal', refusal],
    ['an acceptance', async (): Promise<AuthOutcome> => ({ ok: true, caller: undefined })],
  ])('leaves a response that was sent while the guard waited alone (%s)', async (_what, conclude) => {
    let settle = (_outcome: AuthOutcome): void => {};
    const late = new Promise<AuthOutcome>((resolve) => {
      settle = resolve;
    });
    let ran = 0;
    @Controller()
    class Slow {
      @Get()
      @RequireServiceAuth()
      handle(): string {
        ran++;
        return 'let in';
      }
    }
    let isDone = (): void => {};
    const done = new Promise<void>((resolve) => {
      isDone = resolve;
    });
    @Catch()
    class Last implements ExceptionFilter {
      catch(): void {
        isDone();
      }
    }
    const asked: (() => void)[] = [];
    const waiting = verifierOf(() => {
      asked.shift()?.();
      return late;
    });
    const app = await create(
      moduleOf([Slow], { imports: [ServiceAuthModule.forRoot({ verifier: waiting })] }),
      platform,
    );
    app.useGlobalFilters(new Last());
    // A time limit, which answers as soon as the guard waits.
    app.use((_request: unknown, response: ServerResponse, next: () => void) => {
      asked.push(() => response.writeHead(504).end('too late'));
      next();
    });
    const get = await serve(app);
    expect(await get('/')).toMatchObject({ status: 504, body: 'too late' });
    settle(await conclude());
    await done;
    expect(ran).toBe(0);
  });

  it('protects controllers that are made for each request', async () => {
    @Controller({ path: 'scoped', scope: Scope.REQUEST })
    @RequireServiceAuth({ scope: 'orders:read' })
    class Scoped {
      @Get()
      handle(@CurrentCaller() caller: Caller): string {
        return caller.clientId ?? 'nobody';
      }
    }
    const get = await start(moduleOf([Scoped]), platform);
    expect((await get('/scoped')).status).toBe(401);
    expect(await get('/scoped', bearer())).toMatchObject({ status: 200, body: 'billing' });
  });

  it('by UseGuards alone, any good token will do', async () => {
    @Controller()
    @UseGuards(ServiceAuthGuard)
    class Plain {
      @Get()
      handle(): string {
        return 'let in';
      }
    }
    const get = await start(moduleOf([Plain]), platform);
    expect((await get('/')).status).toBe(401);
    expect((await get('/', bearer({ scope: 'none' }))).status).toBe(200);
  });

  it('has the headers and the body of the other adapters, and no more', async () => {
    const shown = async (url: string, headers: object): Promise<object> => {
      const response = await fetch(url, { headers: { ...headers } });
      const {
        date,
        connection,
        'keep-alive': alive,
        'x-powered-by': by,
        ...rest
      } = Object.fromEntries(response.headers);
      return { status: response.status, rest, body: await response.text() };
    };
    const plain = express().get('/stock', requireServiceAuth({ verifier, scope: 'stock:read' }));
    const server = createServer(plain);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => new Promise((resolve) => void server.close(() => resolve())));
    const other = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stock`;
    const app = await create(moduleOf([Stock]), platform);
    await app.listen(0, '127.0.0.1');
    for (const headers of [
      {},
      bearer({ exp: 1 }),
      bearer({ scope: 'none' }),
      { authorization: 'Bearer "' },
    ]) {
      expect(await shown(`${await app.getUrl()}/stock`, headers)).toEqual(await shown(other, headers));
    }
  });
});

describe('exception filters', () => {
  const seen: unknown[] = [];

  @Catch(HttpException)
  class OwnFilter implements ExceptionFilter<HttpException> {
    catch(exception: HttpException, host: ArgumentsHost): void {
      seen.push(exception);
      host.switchToHttp().getResponse().status(exception.getStatus()).send(`own: ${exception.message}`);
    }
  }

  @Controller()
  @UseFilters(OwnFilter)
  class Filtered {
    @Get()
    @RequireServiceAuth({ scope: 'orders:write' })
    handle(): string {
      return 'let in';
    }
  }

  @Controller()
  class Unfiltered {
    @Get()
    @RequireServiceAuth({ scope: 'orders:write' })
    handle(): string {
      return 'let in';
    }
  }

  async function refused(root: DynamicModule, ...filters: ExceptionFilter[]): Promise<Answer> {
    const app = await create(root);
    app.useGlobalFilters(...filters);
    return (await serve(app))('/', bearer());
  }

  it.each([
    ['of a controller', () => refused(moduleOf([Filtered]))],
    ['of useGlobalFilters', () => refused(moduleOf([Unfiltered]), new OwnFilter())],
  ])('%s may write the body, and the challenge stays', async (_where, ask) => {
    const { status, headers, body } = await ask();
    expect([status, body]).toEqual([403, 'own: The access token does not permit this request']);
    expect(headers.get('www-authenticate')).toMatch(/error="insufficient_scope".*scope="orders:write"/);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    const exception = seen.at(-1);
    if (!(exception instanceof ServiceAuthException)) throw new Error('another exception');
    expect(exception.rejection).toMatchObject({ reason: 'insufficient_scope', status: 403 });
    expect(exception.getResponse()).toEqual({
      error: 'insufficient_scope',
      error_description: 'The access token does not permit this request',
    });
    expect(JSON.stringify(exception)).not.toContain('expected');
  });

  it('of APP_FILTER in a module above come after the answer of this one', async () => {
    const root = moduleOf([Unfiltered], { providers: [{ provide: APP_FILTER, useClass: OwnFilter }] });
    const { status, body } = await refused(root);
    expect(status).toBe(403);
    expect(JSON.parse(body)).toHaveProperty('error_description');
  });
});

it('a request that is passed on to another route is judged by the policy of that one too', async () => {
  @Controller()
  class First {
    @Get('orders/:id')
    @RequireServiceAuth({ scope: 'orders:read' })
    handle(@Next() next: () => void): void {
      next();
    }
  }
  @Controller()
  class Second {
    @Get('orders/secret')
    @RequireServiceAuth({ scope: 'orders:admin' })
    handle(): string {
      return 'let in';
    }
  }
  const get = await start(moduleOf([First, Second]));
  expect((await get('/orders/secret', bearer())).status).toBe(403);
  expect((await get('/orders/secret', bearer({ scope: 'orders:read orders:admin' }))).status).toBe(200);
});

describe('modules with verifiers of their own', () => {
  const stockAudience = 'https://stock.example';
  const ofStock = createVerifier({ ...options, audience: stockAudience });
  const modules = (): DynamicModule[] => [
    moduleOf([Orders]),
    moduleOf([Stock], { imports: [ServiceAuthModule.forRoot({ verifier: ofStock })] }),
  ];

  @Controller('partner')
  @RequireServiceAuth({ clients: { 'https://partner.example': ['billing'] } })
  class Partner {
    @Get()
    handle(): string {
      return 'let in';
    }
  }
  const partner = createVerifier({
    ...options,
    issuer: { issuer: 'https://partner.example', secret: sharedSecret },
  });
  const ofPartner = (): DynamicModule =>
    moduleOf([Partner], { imports: [ServiceAuthModule.forRoot({ verifier: partner })] });

  it('judge by these', async () => {
    const get = await start(moduleOf([], { imports: modules() }));
    const scope = 'orders:read stock:read';
    expect((await get('/orders', bearer({ scope }))).status).toBe(200);
    expect((await get('/stock', bearer({ scope }))).status).toBe(401);
    expect((await get('/orders', bearer({ scope, aud: stockAudience }))).status).toBe(401);
    expect((await get('/stock', bearer({ scope, aud: stockAudience }))).status).toBe(200);
  });

  it('do not go together with one for all modules', async () => {
    const shared = ServiceAuthModule.forRoot({ verifier, isGlobal: true });
    const error = await mistakeOf(moduleOf([], { imports: [shared, ...modules()] }));
    expect(error).toEqual(
      optionError('options_conflict', 'serviceAuth: a ServiceAuthModule with isGlobal must be the only one'),
    );
  });

  it('compile the policies of their own routes alone', async () => {
    const imports = [...modules(), ofPartner()];
    const get = await start(moduleOf([], { imports }));
    expect((await get('/partner', bearer({ iss: 'https://partner.example' }))).status).toBe(200);
    expect((await get('/partner', bearer())).status).toBe(401);
  });

  it('are under APP_GUARD too, which compiles the policies of all', async () => {
    const root = moduleOf([], {
      imports: [ServiceAuthModule.forRoot({ verifier }), ofPartner()],
      providers: [globally],
    });
    expect(String(await mistakeOf(root))).toMatch(
      /^TypeError: Partner\.handle: policy: clients must be by issuers of/,
    );
  });

  it('are not seen by others, whose start fails', async () => {
    const root = moduleOf([], { imports: [moduleOf([Orders]), moduleOf([Stock], { imports: [] })] });
    await expect(create(root)).rejects.toThrow(/ServiceAuthGuard/);
  });

  it('serve all modules with isGlobal', async () => {
    const shared = ServiceAuthModule.forRoot({ verifier, isGlobal: true });
    const get = await start(moduleOf([], { imports: [moduleOf([Stock], { imports: [] }), shared] }));
    expect((await get('/stock')).status).toBe(401);
    expect((await get('/stock', bearer({ scope: 'stock:read' }))).status).toBe(200);
  });
});

describe('forRootAsync', () => {
  @Injectable()
  class Settings {
    readonly audience = audience;
  }
  @Module({ providers: [Settings], exports: [Settings] })
  class SettingsModule {}

  it.each([
    ['a factory', (settings: Settings) => ({ ...options, audience: settings.audience })],
    ['one that takes time', async (settings: Settings) => ({ ...options, audience: settings.audience })],
    ['one that gives a verifier', () => ({ verifier })],
  ])('takes options of %s', async (_what, useFactory) => {
    const given = ServiceAuthModule.forRootAsync({
      imports: [SettingsModule],
      inject: [Settings],
      useFactory,
    });
    const get = await start(moduleOf([Orders], { imports: [given] }));
    expect((await get('/orders')).status).toBe(401);
    expect((await get('/orders', bearer())).status).toBe(200);
  });

  it('reports mistakes when the application starts', async () => {
    const useFactory = (): ServiceAuthModuleOptions => ({ isuer: issuer }) as ServiceAuthModuleOptions;
    const root = moduleOf([Orders], { imports: [ServiceAuthModule.forRootAsync({ useFactory })] });
    await expect(create(root)).rejects.toThrow(/unknown option isuer in options; did you mean issuer/);
  });

  it.each<[unknown, string]>([
    [{}, 'useFactory must be a function'],
    [undefined, 'options must be an object'],
    [
      { useFactory: () => options, isglobal: true },
      'unknown option isglobal; known are imports, inject, useFactory, isGlobal',
    ],
    [{ useClass: Settings }, 'unknown option useClass'],
  ])('of %j: %s', (given, message) => {
    const make = (): unknown => ServiceAuthModule.forRootAsync(given as ServiceAuthModuleAsyncOptions);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  it('makes no verifier for each request, which would forget what the one before knew of used proofs', async () => {
    const given = ServiceAuthModule.forRootAsync({ inject: [REQUEST], useFactory: () => options });
    const error = await mistakeOf(moduleOf([Orders], { imports: [given] }));
    expect(error).toEqual(
      optionError(
        'options_conflict',
        'serviceAuth: the verifier must not be made for each request; inject nothing that is',
      ),
    );
  });
});

it('gives the verifier to whoever injects it', async () => {
  @Controller()
  class Health {
    readonly verifier: Verifier;
    constructor(@Inject(SERVICE_AUTH_VERIFIER) given: Verifier) {
      this.verifier = given;
    }
    @Get()
    health(): object {
      return this.verifier.health();
    }
  }
  const get = await start(moduleOf([Health]));
  expect(JSON.parse((await get('/')).body)).toMatchObject({ issuers: [{ issuer }] });
});

describe('mistakes', () => {
  it.each<[string, unknown, RegExp]>([
    ['an unknown option', { isuer: issuer }, /unknown option isuer in options; did you mean issuer/],
    ['a misspelt isGlobal', { verifier, isglobal: true }, /did you mean isGlobal\?/],
    ['an isGlobal that is no boolean', { verifier, isGlobal: 'yes' }, /isGlobal must be true or false/],
    ['an option beside a verifier', { verifier, audience }, /verifier must be given without audience/],
    ['a policy', { verifier, scope: 'a' }, /scope must stand in the policy of a route/],
    ['a verifier that is none', { verifier: {} }, /verifier must be made by createVerifier/],
  ])('%s is reported at once', (_name, given, message) => {
    const make = (): unknown => ServiceAuthModule.forRoot(given as ServiceAuthModuleOptions);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  it('an environment that says nothing is reported at once', () => {
    vi.stubEnv('SERVICE_AUTH_ISSUER', undefined);
    expect(() => ServiceAuthModule.forRoot()).toThrow(/SERVICE_AUTH_ISSUER/);
    vi.unstubAllEnvs();
  });

  it.each<[string, unknown]>([
    ['a text', 'orders:read'],
    ['null', null],
    ['a list', ['orders:read']],
    ['a number', 1],
    ['a variable that is not set', undefined],
  ])('%s is no policy for a decorator', (_name, policy) => {
    expect(() => RequireServiceAuth(policy as Policy)).toThrow(TypeError);
  });

  it('two policies at one place, of which one would be dropped without a word, are refused', () => {
    const twice = 'serviceAuth: RequireServiceAuth is given twice at the same place; write one policy';
    expect(() => {
      class Twice {
        @RequireServiceAuth({ scope: 'orders:read' })
        @RequireServiceAuth({ clients: ['billing'] })
        handle(): void {}
      }
      return Twice;
    }).toThrow(optionError('options_conflict', twice));
    expect(() => {
      @RequireServiceAuth(false)
      @RequireServiceAuth()
      class Twice {}
      return Twice;
    }).toThrow(optionError('options_conflict', twice));
  });

  const wrong = { scopes: 'orders:read' } as Policy;

  @Controller('wrong')
  class Wrong {
    @Get()
    @RequireServiceAuth(wrong)
    list(): string {
      return 'let in';
    }
  }

  @RequireServiceAuth(wrong)
  @Controller('wrong')
  class WrongWhole {
    @Get()
    list(): string {
      return 'let in';
    }
  }

  const elsewhere = (): DynamicModule =>
    moduleOf([], {
      imports: [moduleOf([Wrong], { imports: [] }), ServiceAuthModule.forRoot({ verifier, isGlobal: true })],
    });

  it.each([
    ['of a handler', () => moduleOf([Wrong]), 'Wrong.list: policy: unknown option scopes'],
    ['of a controller', () => moduleOf([WrongWhole]), 'WrongWhole.list: policy: unknown option scopes'],
    ['of another module', elsewhere, 'Wrong.list: policy: unknown option scopes'],
  ])('in the policy %s stop the start', async (_where, root, message) => {
    const error = await mistakeOf(root());
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain(message);
  });
});

describe.each(['graphql', 'rpc', 'ws'])('a context of %s', (type) => {
  class Handlers {
    protectedOne(): void {}
    @RequireServiceAuth(false)
    openOne(): void {}
  }
  const contextOf = (handler: () => void): ExecutionContextHost => {
    const context = new ExecutionContextHost([{ headers: bearer() }, {}], Handlers, handler);
    context.setType(type);
    return context;
  };
  const guard = new ServiceAuthGuard(verifier, new Map() as never);

  it('is refused with an error that says so', () => {
    expect(() => guard.canActivate(contextOf(Handlers.prototype.protectedOne))).toThrow(
      optionError(
        'call_invalid',
        `serviceAuth: routes of HTTP alone are protected, and this is ${type}; use verifyToken`,
      ),
    );
  });

  it('passes where its handler was opened', () => {
    expect(guard.canActivate(contextOf(Handlers.prototype.openOne))).toBe(true);
  });
});
