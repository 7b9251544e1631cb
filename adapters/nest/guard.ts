import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type OnModuleInit,
} from '@nestjs/common';
import { MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import {
  type AuthOutcome,
  type Guard,
  isOptionError,
  type MaybePromise,
  optionError,
  type Policy,
  type Verifier,
} from '../../src/index.ts';
import {
  isAnswered,
  type PlatformRequest,
  type PlatformResponse,
  refuse,
  setHeaders,
  viewOf,
} from './platform.ts';

/** Injects the verifier of the module, for `ready`, `health`, `invalidate` and `verifyToken`. */
export const SERVICE_AUTH_VERIFIER: unique symbol = Symbol('SERVICE_AUTH_VERIFIER');

/** Where decorators leave what they were given. */
export const SETTING = 'service-auth:setting';

type Class = Parameters<Reflector['getAllAndOverride']>[1][number];

const reflector = new Reflector();
const scanner = new MetadataScanner();

/** By verifier and setting, so that a guard for all routes and one for a route are known to be the same. */
const guards = new WeakMap<Verifier, Map<Policy | true, Guard>>();
const passed = new WeakMap<PlatformRequest, Guard>();

function guardOf(verifier: Verifier, setting: Policy | true): Guard {
  const known = guards.get(verifier) ?? new Map<Policy | true, Guard>();
  guards.set(verifier, known);
  const guard = known.get(setting) ?? verifier.guard(setting === true ? undefined : setting);
  known.set(setting, guard);
  return guard;
}

function settingOf(handler: Class, controller: Class): Policy | boolean {
  return reflector.getAllAndOverride<Policy | boolean | undefined>(SETTING, [handler, controller]) ?? true;
}

/** @throws TypeError in contexts of GraphQL, WebSocket and microservices. */
export function httpOf(context: ExecutionContext): ReturnType<ExecutionContext['switchToHttp']> {
  const type = context.getType<string>();
  if (type === 'http') return context.switchToHttp();
  throw optionError(
    'call_invalid',
    `serviceAuth: routes of HTTP alone are protected, and this is ${type}; use verifyToken`,
  );
}

/**
 * Lets requests pass whose access token is good, under the policy that `RequireServiceAuth` gives a route: on every
 * route as `APP_GUARD`, or by `@UseGuards`. Judges by the verifier of the `ServiceAuthModule` that its module sees.
 *
 * Not protected: answers to unknown routes, and what runs before guards, parsing of bodies included. In contexts
 * other than HTTP it refuses everything with an error. RFC 6750, RFC 9449.
 *
 * @throws TypeError when the application starts, for every mistake in a route's policy.
 *
 * @example
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { APP_GUARD } from '@nestjs/core';
 * import { ServiceAuthGuard, ServiceAuthModule } from 'service-auth/nest';
 *
 * @Module({
 *   imports: [ServiceAuthModule.forRoot({ issuer: 'https://idp.example', audience: 'https://orders.example' })],
 *   providers: [{ provide: APP_GUARD, useClass: ServiceAuthGuard }],
 * })
 * export class AppModule {}
 * ```
 */
export class ServiceAuthGuard implements CanActivate, OnModuleInit {
  readonly #verifier: Verifier;
  readonly #modules: ModulesContainer;

  constructor(verifier: Verifier, modules: ModulesContainer) {
    this.#verifier = verifier;
    this.#modules = modules;
  }

  /** Compiles the policies of the routes that it will be asked about. */
  onModuleInit(): void {
    const modules = [...this.#modules.values()];
    const sources = modules.filter(({ providers }) => providers.has(SERVICE_AUTH_VERIFIER));
    // Which of them a module is given, versions of Nest disagree about.
    if (sources.length > 1 && sources.some(({ isGlobal }) => isGlobal)) {
      throw optionError(
        'options_conflict',
        'serviceAuth: a ServiceAuthModule with isGlobal must be the only one',
      );
    }
    const own = modules.filter(({ injectables }) =>
      [...injectables.values()].some(({ instance }) => instance === this),
    );
    // What no module has for its own controllers is there for those of all.
    for (const { controllers } of own.length > 0 ? own : modules) {
      for (const { metatype } of controllers.values()) if (metatype !== null) this.#compile(metatype);
    }
  }

  #compile(controller: Class): void {
    for (const name of scanner.getAllMethodNames(controller.prototype)) {
      const setting = settingOf(controller.prototype[name], controller);
      try {
        if (setting !== false) guardOf(this.#verifier, setting);
      } catch (cause) {
        if (!(cause instanceof TypeError)) throw cause;
        const mistake = new TypeError(`${controller.name}.${name}: ${cause.message}`, { cause });
        throw Object.assign(mistake, isOptionError(cause) && { code: cause.code });
      }
    }
  }

  canActivate(context: ExecutionContext): MaybePromise<boolean> {
    const setting = settingOf(context.getHandler(), context.getClass());
    if (setting === false) return true;
    const http = httpOf(context);
    const request = http.getRequest<PlatformRequest>();
    const response = http.getResponse<PlatformResponse>();
    const guard = guardOf(this.#verifier, setting);
    if (passed.get(request) === guard) return true;
    const conclude = (outcome: AuthOutcome): boolean => {
      // While keys were fetched, a time limit may have answered in our place: then nothing is left to do.
      if (isAnswered(response)) return false;
      if (!outcome.ok) refuse(response, outcome.rejection);
      if (outcome.headers !== undefined) setHeaders(response, outcome.headers);
      request.caller = outcome.caller;
      passed.set(request, guard);
      return true;
    };
    const outcome = guard(viewOf(request, response));
    return outcome instanceof Promise ? outcome.then(conclude) : conclude(outcome);
  }
}
// Applied as functions, and with what to inject said: no compiler need emit types for them.
Injectable()(ServiceAuthGuard);
Inject(SERVICE_AUTH_VERIFIER)(ServiceAuthGuard, undefined, 0);
Inject(ModulesContainer)(ServiceAuthGuard, undefined, 1);
