/** Compiled, never run: what users' editors say on Nest, mistakes included. */
import { Controller, Get, Inject, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { type Caller, createVerifier, type Verifier } from 'service-auth';
import {
  CurrentCaller,
  RequireServiceAuth,
  SERVICE_AUTH_VERIFIER,
  ServiceAuthException,
  ServiceAuthGuard,
  ServiceAuthModule,
  type ServiceAuthModuleAsyncOptions,
  type ServiceAuthModuleOptions,
} from 'service-auth/nest';

const verifier = createVerifier({ issuer: 'https://idp.example', audience: 'https://orders.example' });

class Settings {
  readonly issuer: string = 'https://idp.example';
}

@Controller()
@RequireServiceAuth({ scope: 'read' })
export class Orders {
  readonly verifier: Verifier;
  constructor(@Inject(SERVICE_AUTH_VERIFIER) given: Verifier) {
    this.verifier = given;
  }

  @Get()
  list(@CurrentCaller() caller: Caller): string | undefined {
    return caller.clientId;
  }

  @Get('any')
  @RequireServiceAuth()
  any(): void {}

  @Get('open')
  @RequireServiceAuth(false)
  open(): void {}

  @Get('wrong')
  // @ts-expect-error: an unknown policy option
  @RequireServiceAuth({ scopes: 'read' })
  wrong(): void {}

  @Get('text')
  // @ts-expect-error: a policy is no text
  @RequireServiceAuth('read')
  text(): void {}

  // @ts-expect-error: a decorator of parameters
  @CurrentCaller()
  parameter(): void {}
}

// @ts-expect-error: a decorator of classes and methods
@RequireServiceAuth
export class Uncalled {}

@Module({
  imports: [
    ServiceAuthModule.forRoot(),
    ServiceAuthModule.forRoot({ verifier }),
    ServiceAuthModule.forRoot({ issuer: 'https://idp.example', audience: null, isGlobal: true }),
    ServiceAuthModule.forRootAsync({
      inject: [Settings],
      useFactory: async ({ issuer }: Settings) => ({ issuer, audience: 'https://orders.example' }),
    }),
    ServiceAuthModule.forRootAsync({ useFactory: () => ({ verifier }), isGlobal: true }),
    // @ts-expect-error: a verifier has its options already
    ServiceAuthModule.forRoot({ verifier, issuer: 'https://idp.example' }),
    // @ts-expect-error: a policy is a route's, not the module's
    ServiceAuthModule.forRoot({ verifier, scope: 'read' }),
    // @ts-expect-error: isGlobal is true or false
    ServiceAuthModule.forRoot({ verifier, isGlobal: 'yes' }),
    // @ts-expect-error: a factory is needed
    ServiceAuthModule.forRootAsync({ inject: [Settings] }),
    // @ts-expect-error: a factory gives options of a verifier
    ServiceAuthModule.forRootAsync({ useFactory: () => ({ isuer: 'https://idp.example' }) }),
  ],
  providers: [{ provide: APP_GUARD, useClass: ServiceAuthGuard }],
})
export class App {}

export const reasonOf = (exception: unknown): string | undefined =>
  exception instanceof ServiceAuthException ? exception.rejection.reason : undefined;

// Options that stand on their own
export const ofVerifier: ServiceAuthModuleOptions = { verifier, isGlobal: true };
export const ofOptions: ServiceAuthModuleOptions = {
  issuer: 'https://idp.example',
  clockToleranceSeconds: 5,
};
// @ts-expect-error: a verifier has its options already
export const both: ServiceAuthModuleOptions = { verifier, audience: 'https://orders.example' };
@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}
export const later: ServiceAuthModuleAsyncOptions = {
  imports: [SettingsModule],
  inject: [Settings],
  useFactory: ({ issuer }: Settings) => ({ issuer }),
  isGlobal: true,
};
// @ts-expect-error: options are made by a function, not a class
export const byClass: ServiceAuthModuleAsyncOptions = { useClass: Settings };
