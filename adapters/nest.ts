import {
  type DynamicModule,
  type FactoryProvider,
  Inject,
  Module,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { APP_FILTER, ModulesContainer } from '@nestjs/core';
import { optionError, resolveVerifier, type VerifierSource } from '../src/index.ts';
import { SERVICE_AUTH_VERIFIER } from './nest/guard.ts';
import { ServiceAuthFilter } from './nest/platform.ts';

export { CurrentCaller, RequireServiceAuth } from './nest/decorators.ts';
export { SERVICE_AUTH_VERIFIER, ServiceAuthGuard } from './nest/guard.ts';
export { ServiceAuthException } from './nest/platform.ts';

interface Visibility {
  /** Serves every module of the application, in which it must then be the only one. @default false */
  readonly isGlobal?: boolean | undefined;
}

/** Those of a verifier, or `{ verifier }`; nothing of either means the environment. */
export type ServiceAuthModuleOptions = VerifierSource & Visibility;

/** How the options are made when the application starts. */
export type ServiceAuthModuleAsyncOptions = Visibility &
  Pick<DynamicModule, 'imports'> &
  Pick<FactoryProvider<VerifierSource>, 'inject' | 'useFactory'>;

const asyncOptions: readonly string[] = [
  'imports',
  'inject',
  'useFactory',
  'isGlobal',
] satisfies (keyof ServiceAuthModuleAsyncOptions)[];

let made = 0;

/**
 * Gives modules a verifier, which the guards of their routes judge by. RFC 6750.
 *
 * @example
 * ```ts
 * import { Controller, Get, Module } from '@nestjs/common';
 * import type { Caller } from 'service-auth';
 * import { CurrentCaller, RequireServiceAuth, ServiceAuthModule } from 'service-auth/nest';
 *
 * @Controller('orders')
 * @RequireServiceAuth({ scope: 'orders:read' })
 * class OrdersController {
 *   @Get()
 *   list(@CurrentCaller() caller: Caller) {
 *     return { hello: caller.clientId };
 *   }
 * }
 *
 * @Module({
 *   imports: [ServiceAuthModule.forRoot({ issuer: 'https://idp.example', audience: 'https://orders.example' })],
 *   controllers: [OrdersController],
 * })
 * export class OrdersModule {}
 * ```
 */
export class ServiceAuthModule implements OnModuleInit {
  readonly #modules: ModulesContainer;

  constructor(modules: ModulesContainer) {
    this.#modules = modules;
  }

  /** One for each request would know nothing of used proofs and of keys, which those before it learned. */
  onModuleInit(): void {
    const verifiers = [...this.#modules.values()].map(({ providers }) =>
      providers.get(SERVICE_AUTH_VERIFIER),
    );
    if (verifiers.every((verifier) => verifier === undefined || verifier.isDependencyTreeStatic())) return;
    throw optionError(
      'options_conflict',
      'serviceAuth: the verifier must not be made for each request; inject nothing that is',
    );
  }

  /**
   * With options that are known, or those of the environment.
   *
   * @throws TypeError at once, for every mistake in the options or a missing environment variable.
   */
  static forRoot({ isGlobal, ...source }: ServiceAuthModuleOptions = {}): DynamicModule {
    return moduleOf({ useValue: resolveVerifier(source, ['isGlobal']) }, { isGlobal });
  }

  /**
   * With options that a factory gives when the application starts.
   *
   * @throws TypeError at the start, for every mistake in the options or a missing environment variable, and for a factory
   * that is asked for each request.
   */
  static forRootAsync(options: ServiceAuthModuleAsyncOptions): DynamicModule {
    checkAsyncOptions(options);
    const { imports = [], inject = [], useFactory, isGlobal } = options;
    if (typeof useFactory !== 'function') {
      throw optionError('option_invalid', 'serviceAuth: useFactory must be a function');
    }
    const makeVerifier = async (...injected: unknown[]) => resolveVerifier(await useFactory(...injected));
    return moduleOf({ inject, useFactory: makeVerifier }, { imports, isGlobal });
  }
}
Module({})(ServiceAuthModule);
Inject(ModulesContainer)(ServiceAuthModule, undefined, 0);

function checkAsyncOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw optionError('option_invalid', 'serviceAuth: options must be an object');
  }
  const unknown = Object.keys(options).find((name) => !asyncOptions.includes(name));
  if (unknown === undefined) return;
  throw optionError(
    'option_unknown',
    `serviceAuth: unknown option ${unknown}; known are ${asyncOptions.join(', ')}`,
  );
}

type Source = Pick<FactoryProvider, 'inject' | 'useFactory'> | { readonly useValue: unknown };

function moduleOf(
  source: Source,
  { imports = [], isGlobal = false }: Visibility & Pick<DynamicModule, 'imports'>,
) {
  if (typeof isGlobal !== 'boolean') {
    throw optionError('option_invalid', 'serviceAuth: isGlobal must be true or false');
  }
  const providers: Provider[] = [
    { provide: SERVICE_AUTH_VERIFIER, ...source },
    { provide: APP_FILTER, useClass: ServiceAuthFilter },
    // Nest 10 takes modules for the same whose metadata read the same, as those of two verifiers do.
    { provide: 'service-auth:module', useValue: ++made },
  ];
  return {
    module: ServiceAuthModule,
    global: isGlobal,
    imports,
    providers,
    exports: [SERVICE_AUTH_VERIFIER],
  };
}
