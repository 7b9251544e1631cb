/** A registry of service credentials whose tokens are signed with a secret that all services share, and a Nest service. */
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import {
  applyDecorators,
  type CanActivate,
  Controller,
  type ExecutionContext,
  ForbiddenException,
  Get,
  type INestApplication,
  Module,
  Post,
  Req,
  SetMetadata,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { NestFactory, Reflector } from '@nestjs/core';
import jwt from 'jsonwebtoken';
import type { Registry } from './registry.ts';

export const ISSUER = 'https://registry.example';

interface ServiceRecord {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly secrets: { readonly id: string; readonly hash: Buffer }[];
  revokedAt: string | null;
}

const hash = (secret: string): Buffer => createHash('sha256').update(secret).digest();

export function createRegistry(sharedSecret: string): Registry {
  const records = new Map<string, ServiceRecord>();

  function find(clientId: string): ServiceRecord {
    const record = records.get(clientId);
    if (record === undefined) throw new Error('there is no such service');
    return record;
  }

  function newSecret(record: ServiceRecord): string {
    const secret = randomBytes(32).toString('base64url');
    record.secrets.push({ id: randomUUID(), hash: hash(secret) });
    return secret;
  }

  return {
    async create(clientId, scopes) {
      const record = { clientId, scopes, secrets: [], revokedAt: null };
      records.set(clientId, record);
      return newSecret(record);
    },
    list: async () => [...records.keys()],
    read: async (clientId) => JSON.stringify(find(clientId)),
    addSecret: async (clientId) => newSecret(find(clientId)),
    removeOldestSecret: async (clientId) => void find(clientId).secrets.shift(),
    async revoke(clientId) {
      find(clientId).revokedAt = new Date().toISOString();
    },
    async token(clientId, secret) {
      const { scopes, secrets, revokedAt } = find(clientId);
      const isKnown = secrets.some((each) => timingSafeEqual(each.hash, hash(secret)));
      if (revokedAt !== null || !isKnown) return undefined;
      const claims = { client_id: clientId, token_type: 'service', scopes };
      return jwt.sign(claims, sharedSecret, { issuer: ISSUER, subject: clientId, expiresIn: 900 });
    },
  };
}

interface ServiceRequest {
  readonly headers: { readonly authorization?: string };
  service?: { readonly client_id: string };
}

class ServiceAuthGuard implements CanActivate {
  readonly #reflector = new Reflector();

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<ServiceRequest>();
    const [scheme, token = ''] = (request.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer') throw new UnauthorizedException();
    const claims = this.#verify(token);
    if (claims.token_type !== 'service') throw new ForbiddenException();
    const scope = this.#reflector.get<string>('scope', context.getHandler());
    if (!claims.scopes.includes(scope)) throw new ForbiddenException();
    request.service = claims;
    return true;
  }

  #verify(token: string): { client_id: string; token_type: string; scopes: readonly string[] } {
    try {
      const secret = process.env.REGISTRY_SECRET ?? '';
      const claims = jwt.verify(token, secret, { algorithms: ['HS256'], issuer: ISSUER });
      return Object(claims);
    } catch {
      throw new UnauthorizedException();
    }
  }
}

const RequireScope = (scope: string): MethodDecorator =>
  applyDecorators(SetMetadata('scope', scope), UseGuards(ServiceAuthGuard));

@Controller('orders')
class OrdersController {
  @Get()
  @RequireScope('orders:read')
  list(@Req() request: ServiceRequest) {
    return { orders: ['tea'], caller: request.service?.client_id };
  }

  @Post()
  @RequireScope('orders:write')
  create() {
    return { orders: 2 };
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

export function createOrders(): Promise<INestApplication> {
  return NestFactory.create(OrdersModule, { logger: false });
}
