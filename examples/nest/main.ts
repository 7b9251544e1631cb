/**
 * Orders on Nest. With an issuer running (`npx service-auth issuer`), issuer and audience in the environment:
 *
 *     SERVICE_AUTH_ISSUER=... SERVICE_AUTH_AUDIENCE=https://orders.example \
 *       npx tsx --tsconfig examples/tsconfig.json examples/nest/main.ts
 */
import { Body, Controller, Get, Inject, Module, Post, ServiceUnavailableException } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Caller, Verifier } from 'service-auth';
import { protectedResource } from 'service-auth/express';
import {
  CurrentCaller,
  RequireServiceAuth,
  SERVICE_AUTH_VERIFIER,
  ServiceAuthGuard,
  ServiceAuthModule,
} from 'service-auth/nest';

@Controller('orders')
@RequireServiceAuth({ scope: 'orders:read' })
class OrdersController {
  readonly #orders: unknown[] = [];

  @Get()
  list(@CurrentCaller() caller: Caller) {
    return { client: caller.clientId, orders: this.#orders };
  }

  @Post()
  @RequireServiceAuth({ scope: 'orders:write', clients: ['billing'] })
  create(@Body() order: unknown) {
    this.#orders.push(order);
    return { orders: this.#orders.length };
  }
}

/** Open to the probes of whatever runs this. */
@Controller('ready')
@RequireServiceAuth(false)
class ReadyController {
  readonly #verifier: Verifier;

  constructor(@Inject(SERVICE_AUTH_VERIFIER) verifier: Verifier) {
    this.#verifier = verifier;
  }

  @Get()
  ready() {
    const { issuers } = this.#verifier.health();
    if (issuers.some(({ keys }) => keys?.loaded === false)) throw new ServiceUnavailableException();
    return { ready: true };
  }
}

@Module({
  imports: [ServiceAuthModule.forRoot({ isGlobal: true })],
  controllers: [OrdersController, ReadyController],
  providers: [{ provide: APP_GUARD, useClass: ServiceAuthGuard }],
})
class AppModule {}

const app = await NestFactory.create<NestExpressApplication>(AppModule);
app.use(protectedResource({ resource: process.env.SERVICE_AUTH_AUDIENCE ?? '' }));
// A failure is no reason not to start: keys are fetched again when a request needs them.
await app
  .get<Verifier>(SERVICE_AUTH_VERIFIER)
  .ready()
  .catch((error: unknown) => console.error(String(error)));
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
console.log(`orders on ${await app.getUrl()}`);
