/** The Nest adapter on both platforms, over real HTTP. */
import {
  All,
  Controller,
  type DynamicModule,
  Header,
  HttpCode,
  type INestApplication,
  Module,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { protectedResource as expressMetadata } from '../../adapters/express.ts';
import { protectedResource as fastifyMetadata } from '../../adapters/fastify.ts';
import {
  CurrentCaller,
  RequireServiceAuth,
  ServiceAuthGuard,
  ServiceAuthModule,
} from '../../adapters/nest.ts';
import type { Caller, ProtectedResourceOptions, Verifier } from '../../src/index.ts';
import type { ProtectedRoute } from './routes.ts';
import { describeCaller, overHttp, overServer, type Transport } from './transport.ts';

export type Platform = 'express' | 'fastify';

/** How a route is protected: its handler decorated, its controller, or all of the application with one verifier. */
export type Style = 'handler' | 'controller' | 'global';

const settings = { logger: false, abortOnError: false } as const;
const globally = { provide: APP_GUARD, useClass: ServiceAuthGuard };

function rootOf(imports: readonly DynamicModule[], more: Partial<DynamicModule> = {}): DynamicModule {
  class Root {}
  Module({})(Root);
  return { module: Root, imports: [...imports], ...more };
}

function controllerOf({ path, policy }: ProtectedRoute, style: Style): Type {
  class Route {
    @All()
    @HttpCode(200)
    @Header('content-type', 'application/json')
    handle(@CurrentCaller() caller: Caller | undefined): string {
      return describeCaller(caller);
    }
  }
  Controller(path)(Route);
  const protect = RequireServiceAuth(policy);
  if (style === 'controller') protect(Route);
  else protect(Route.prototype, 'handle', Object.getOwnPropertyDescriptor(Route.prototype, 'handle') ?? {});
  return Route;
}

/** One module for each route, with a verifier of its own. */
function byModules(routes: readonly ProtectedRoute[], style: Style): DynamicModule {
  return rootOf(
    routes.map((route) =>
      rootOf([ServiceAuthModule.forRoot({ verifier: route.verifier })], {
        controllers: [controllerOf(route, style)],
      }),
    ),
  );
}

const createExpress = (root: DynamicModule): Promise<NestExpressApplication> =>
  NestFactory.create<NestExpressApplication>(root, settings);

function createFastify(root: DynamicModule): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({ http: { maxHeaderSize: 64 * 1024 } });
  return NestFactory.create<NestFastifyApplication>(root, adapter, settings);
}

async function listening(app: INestApplication): Promise<Transport> {
  await app.listen(0, '127.0.0.1');
  const { send } = await overServer(app.getHttpServer());
  return { send, close: () => app.close() };
}

async function listen(root: DynamicModule, platform: Platform): Promise<Transport> {
  if (platform === 'fastify') return listening(await createFastify(root));
  const app = await createExpress(root);
  await app.init();
  const { send, close } = await overHttp(app.getHttpAdapter().getInstance());
  return { send, close: () => close().then(() => app.close()) };
}

/** A guard of the application has one verifier, so that each verifier of the table gets an application. */
async function byApplications(routes: readonly ProtectedRoute[], platform: Platform): Promise<Transport> {
  const byVerifier = new Map<Verifier, readonly ProtectedRoute[]>();
  for (const route of routes) {
    byVerifier.set(route.verifier, [...(byVerifier.get(route.verifier) ?? []), route]);
  }
  const byPath = new Map<string, Transport>();
  for (const [verifier, own] of byVerifier) {
    const controllers = own.map((route) => controllerOf(route, 'global'));
    const root = rootOf([ServiceAuthModule.forRoot({ verifier })], { controllers, providers: [globally] });
    const transport = await listen(root, platform);
    for (const { path } of own) byPath.set(path, transport);
  }
  return {
    send(sent) {
      const transport = byPath.get(sent.path);
      if (transport === undefined) throw new Error(`no route ${sent.path}`);
      return transport.send(sent);
    },
    async close() {
      for (const transport of new Set(byPath.values())) await transport.close();
    },
  };
}

export async function nestOverHttp(
  routes: readonly ProtectedRoute[],
  platform: Platform,
  style: Style,
): Promise<Transport> {
  if (style === 'global') return byApplications(routes, platform);
  return listen(byModules(routes, style), platform);
}

/** Beside a guard of the application, which must not close the documents; every other path answers with this text. */
export async function nestMetadata(
  documents: readonly ProtectedResourceOptions[],
  verifier: Verifier,
  platform: Platform,
  text: string,
): Promise<Transport> {
  @Controller()
  class Everything {
    // Nest 10 knows no other pattern; its successors make one of theirs of it.
    @All('*')
    @HttpCode(200)
    handle(): string {
      return text;
    }
  }
  const root = rootOf([ServiceAuthModule.forRoot({ verifier })], {
    controllers: [Everything],
    providers: [globally],
  });
  if (platform === 'fastify') {
    const app = await createFastify(root);
    for (const options of documents) await app.register(fastifyMetadata, options);
    return listening(app);
  }
  const app = await createExpress(root);
  for (const options of documents) app.use(expressMetadata(options));
  return listening(app);
}
