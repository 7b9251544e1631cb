/** The registry is the issuer's admin API; the Nest service accepts its tokens, and for a while those of before. */
import { Controller, Get, type INestApplication, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type Caller,
  createTokenClient,
  isServiceAuthError,
  type Policy,
  type TrustedIssuer,
} from 'service-auth';
import type { AdminClient } from 'service-auth/issuer';
import { CurrentCaller, RequireServiceAuth, ServiceAuthModule } from 'service-auth/nest';
import { ISSUER as OLD_ISSUER } from './before.ts';
import type { Registry } from './registry.ts';

export const AUDIENCE = 'https://orders.example';

export function createRegistry(admin: AdminClient, issuer: string): Registry {
  return {
    async create(clientId, scopes) {
      const service = await admin.services.create({
        clientId,
        name: clientId,
        scopes,
        resources: [AUDIENCE],
      });
      return service.clientSecret ?? '';
    },
    async list() {
      const names: string[] = [];
      for await (const { clientId } of admin.services.all()) names.push(clientId);
      return names;
    },
    read: async (clientId) => JSON.stringify(await admin.services.get(clientId)),
    addSecret: async (clientId) => (await admin.secrets.create(clientId)).clientSecret,
    async removeOldestSecret(clientId) {
      const { secrets } = await admin.services.get(clientId);
      await admin.secrets.remove(clientId, secrets[0]?.id ?? '');
    },
    revoke: async (clientId) => void (await admin.services.revoke(clientId)),
    // What `createAuthedFetch` does for whoever calls.
    async token(clientId, clientSecret) {
      const tokens = createTokenClient({ issuer, clientId, clientSecret });
      try {
        return (await tokens.getToken()).accessToken;
      } catch (error) {
        if (isServiceAuthError(error) && error.oauthError === 'invalid_client') return undefined;
        throw error;
      } finally {
        tokens.close();
      }
    },
  };
}

/** Tokens of the old registry say nothing of an audience; all others must be for this service. */
const forOrders = (scope: string): Policy => ({
  scope,
  serviceOnly: true,
  check: (caller) => caller.issuer === OLD_ISSUER || caller.audience.includes(AUDIENCE),
});

@Controller('orders')
class OrdersController {
  @Get()
  @RequireServiceAuth(forOrders('orders:read'))
  list(@CurrentCaller() caller: Caller) {
    return { orders: ['tea'], caller: caller.clientId };
  }

  @Post()
  @RequireServiceAuth(forOrders('orders:write'))
  create() {
    return { orders: 2 };
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

/** Without the old secret once every service has moved: then only `issuer` is left. */
export function createOrders(issuer: string, oldSecret?: string): Promise<INestApplication> {
  const issuers: TrustedIssuer[] = [{ issuer, statusList: true }];
  if (oldSecret !== undefined) issuers.push({ issuer: OLD_ISSUER, secret: oldSecret });
  const auth = ServiceAuthModule.forRoot({
    issuer: issuers,
    audience: oldSecret === undefined ? AUDIENCE : null,
    isGlobal: true,
  });
  return NestFactory.create({ module: OrdersModule, imports: [auth] }, { logger: false });
}
