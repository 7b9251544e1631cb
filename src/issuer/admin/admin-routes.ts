/** The admin API: services and keys. Errors are problem details (RFC 9457). */
import * as z from 'zod';
import type { IssuerContext } from '../context.ts';
import { empty, json, problem } from '../http/http-answers.ts';
import type { IssuerRequest, PathParameters } from '../http/incoming.ts';
import { readJson } from '../http/request-body.ts';
import type { Handler, Route } from '../http/router.ts';
import { rotateKeys } from '../keys/rotate-keys.ts';
import type { AuditEntry } from '../storage/records.ts';
import { createService, parseRegistration, showService, toInputFaults, toIso } from './services.ts';

/** The routes of the admin API; none without an admin token, as if it were not there. */
export function createAdminRoutes(context: IssuerContext, basePath: string): readonly Route[] {
  const { adminToken } = context.settings;
  if (adminToken === undefined) return [];
  const admin = (handler: Handler): Handler => guard(context, adminToken, handler);
  const path = `${basePath}/admin`;
  return [
    {
      path: `${path}/services`,
      methods: {
        GET: admin(() => listServices(context)),
        POST: admin(({ request }) => addService(context, request)),
      },
    },
    {
      path: `${path}/services/:clientId`,
      methods: {
        GET: admin(({ parameters }) => getService(context, parameters)),
        DELETE: admin(({ parameters }) => revokeService(context, parameters)),
      },
    },
    { path: `${path}/keys/rotate`, methods: { POST: admin(({ request }) => rotate(context, request)) } },
  ];
}

/** Lets requests with the admin token through (RFC 6750 section 2.1). */
function guard({ secrets, emit }: IssuerContext, adminToken: string, handler: Handler): Handler {
  return async (incoming) => {
    const authorization = incoming.request.headers.get('authorization');
    const [scheme = '', ...token] = (authorization ?? '').split(' ');
    const isBearer = scheme.toLowerCase() === 'bearer';
    if (secrets.same(adminToken, token.join(' ')) && isBearer) return handler(incoming);
    const detail = 'the admin token is missing or wrong';
    emit?.({
      type: 'issuer.request_refused',
      endpoint: 'admin',
      error: 'invalid_token',
      description: detail,
      clientId: undefined,
    });
    // RFC 6750 section 3.1: no error code where no such credentials came.
    const error = isBearer ? ', error="invalid_token"' : '';
    return problem(401, detail, {
      headers: { 'www-authenticate': `Bearer realm="service-auth admin"${error}` },
    });
  };
}

async function addService({ settings, secrets, emit }: IssuerContext, request: IssuerRequest): Promise<Response> {
  const body = await readJson(request);
  if (!('json' in body)) return problem(body.status, body.detail);
  const input = parseRegistration(body.json, settings.resources);
  if (!('name' in input)) return problem(400, 'the service is not valid', { errors: input });
  const { service, clientSecret } = createService(input, secrets, settings.now);
  const audit = entry(settings.now(), 'service.created', service.clientId, undefined, showService(service));
  if ((await settings.storage.createService(service, audit)) !== 'created') {
    return problem(409, 'the clientId is taken; revoked services keep theirs');
  }
  const { clientId } = service;
  emit?.({ type: 'issuer.service_created', clientId });
  const location = `${settings.baseUrl}/admin/services/${encodeURIComponent(clientId)}`;
  return json({ ...showService(service), clientSecret }, { location }, 201);
}

async function listServices({ settings }: IssuerContext): Promise<Response> {
  const services = await settings.storage.listServices({ limit: 1000 });
  return json({ services: services.map(showService) });
}

async function getService({ settings }: IssuerContext, parameters: PathParameters): Promise<Response> {
  const service = await settings.storage.findService(parameters.get('clientId') ?? '');
  return service === undefined ? unknownService() : json(showService(service));
}

async function revokeService(
  { settings, emit }: IssuerContext,
  parameters: PathParameters,
): Promise<Response> {
  const clientId = parameters.get('clientId') ?? '';
  const audit = entry(settings.now(), 'service.revoked', clientId, undefined, undefined);
  if (!(await settings.storage.revokeService(clientId, settings.now(), audit))) return unknownService();
  emit?.({ type: 'issuer.service_revoked', clientId });
  return empty(204);
}

function entry(atMs: number, action: string, target: string, before: unknown, after: unknown): AuditEntry {
  return { atMs, actor: 'admin', action, target, before, after };
}

function unknownService(): Response {
  return problem(404, 'there is no such service');
}

const rotation = z.strictObject({ immediately: z.boolean().default(false) });

async function rotate(context: IssuerContext, request: IssuerRequest): Promise<Response> {
  const body = await readJson(request, { allowEmpty: true });
  if (!('json' in body)) return problem(body.status, body.detail);
  const input = rotation.safeParse(body.json);
  if (!input.success)
    return problem(400, 'the rotation is not valid', { errors: toInputFaults(input.error) });
  const rotated = await rotateKeys(context, input.data);
  if (rotated === undefined) return problem(409, 'an earlier rotation has not taken effect yet');
  const { kid, algorithm, activeFromMs } = rotated;
  return json({ kid, algorithm, activeFrom: toIso(activeFromMs) });
}
