/** The admin API: services, secrets, resources, keys and the audit log. Errors are problem details (RFC 9457). */
import type { IssuerContext } from '../context.ts';
import { json } from '../http/http-answers.ts';
import type { Handler, Route } from '../http/router.ts';
import { type AdminAuthentication, createAdminAuthentication } from './admin-authentication.ts';
import { createAuditOperations } from './audit-operations.ts';
import { createKeyOperations } from './key-operations.ts';
import { createOpenApiDocument } from './openapi.ts';
import { type AdminMethod, type Operation, operation } from './operation.ts';
import { createResourceOperations } from './resource-operations.ts';
import { createSecretOperations } from './secret-operations.ts';
import { createServiceOperations } from './service-operations.ts';

/** The routes of the admin API: one for each path of its operations. */
export function createAdminRoutes(context: IssuerContext, basePath: string): readonly Route[] {
  const authenticate = createAdminAuthentication(context);
  const routes = new Map<string, Partial<Record<AdminMethod, Handler>>>();
  for (const one of createOperations(context)) {
    const path = `${basePath}/admin${one.path}`;
    routes.set(path, { ...routes.get(path), [one.method]: toHandler(one, authenticate) });
  }
  return [...routes].map(([path, methods]) => ({ path, methods }));
}

function createOperations(context: IssuerContext): readonly Operation[] {
  const operations: readonly Operation[] = [
    ...createServiceOperations(context),
    ...createSecretOperations(context),
    ...createResourceOperations(context),
    ...createKeyOperations(context),
    ...createAuditOperations(context),
    operation({
      id: 'getOpenApiDocument',
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document.',
      isPublic: true,
      answer: { status: 200, schema: 'Document' },
      handle: () => json(document(), { 'cache-control': 'public, max-age=300' }),
    }),
  ];
  let made: object | undefined;
  // Made when it is first asked for, which most issuers never are.
  function document(): object {
    made ??= createOpenApiDocument(operations, context.settings.baseUrl);
    return made;
  }
  return operations;
}

function toHandler(one: Operation, authenticate: AdminAuthentication): Handler {
  if (one.isPublic === true) return (incoming) => one.run(incoming, '');
  return async (incoming) => {
    const who = await authenticate(incoming);
    return who instanceof Response ? who : one.run(incoming, who.actor);
  };
}
