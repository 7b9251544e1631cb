import {
  applyDecorators,
  createParamDecorator,
  type DynamicModule,
  type ExecutionContext,
  type FactoryProvider,
  Module,
  type Provider,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import {
  optionError,
  type Policy,
  readRouteSetting,
  resolveVerifier,
  type VerifierSource,
} from '../src/index.ts';
import { httpOf, SERVICE_AUTH_VERIFIER, SETTING, ServiceAuthGuard } from './nest/guard.ts';
import { type PlatformRequest, ServiceAuthFilter } from './nest/platform.ts';

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
// biome-ignore lint/complexity/noStaticOnlyClass: what Nest takes for a module is a class.
export class ServiceAuthModule {
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
   * @throws TypeError at the start, for every mistake in the options or a missing environment variable.
   */
  static forRootAsync(options: ServiceAuthModuleAsyncOptions): DynamicModule {
    const { imports = [], inject = [], useFactory, isGlobal } = options;
    if (typeof useFactory !== 'function') {
      throw optionError('option_invalid', 'serviceAuth: useFactory must be a function');
    }
    const makeVerifier = async (...injected: unknown[]) => resolveVerifier(await useFactory(...injected));
    return moduleOf({ inject, useFactory: makeVerifier }, { imports, isGlobal });
  }
}
Module({})(ServiceAuthModule);

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

/**
 * Protects a route, or all of a controller, under a policy; without one any good token will do. `false` opens a route
 * whose controller or application is protected. What a handler says replaces what its controller says, whole.
 *
 * Not checked here: the members of the policy, which the guard compiles when the application starts.
 *
 * @throws TypeError for what is neither policy nor boolean.
 */
export function RequireServiceAuth(policy: Policy | boolean = true): ClassDecorator & MethodDecorator {
  const setting = SetMetadata(SETTING, readRouteSetting({ serviceAuth: policy }));
  // With its guard, since a policy that nobody asks about would leave the route open without a word.
  return policy === false ? setting : applyDecorators(setting, UseGuards(ServiceAuthGuard));
}

/** Gives a handler its `Caller`: undefined where the route is open, or its policy `optional` and no token came. */
export const CurrentCaller: () => ParameterDecorator = createParamDecorator(
  (_data: undefined, context: ExecutionContext) => httpOf(context).getRequest<PlatformRequest>().caller,
);
