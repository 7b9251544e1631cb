/** Client secrets: added, with overlap, and removed. */
import * as z from 'zod';
import type { SealOptions, Secrets } from '../clients/secrets.ts';
import type { IssuerContext } from '../context.ts';
import { empty, json } from '../http/http-answers.ts';
import { keepsSealed } from '../storage/kept-secret.ts';
import type { AuthMethod, StoredSecret, StoredService } from '../storage/records.ts';
import { findService } from './find-service.ts';
import { createOnce, type Prepared, type Seed } from './idempotency.ts';
import { type AdminRequest, type Operation, operation } from './operation.ts';
import { refuse } from './problems.ts';
import { showSecret, toIso } from './show.ts';

const LONGEST_SECONDS = 10 * 365 * 86_400;
/** Each is compared with what a client presents. */
const MOST_SECRETS = 10;

const secretOptions = z.strictObject({
  expiresInSeconds: z.int().min(1).max(LONGEST_SECONDS).optional(),
  expireOthersInSeconds: z.int().min(0).max(LONGEST_SECONDS).optional(),
});
type SecretOptions = z.output<typeof secretOptions>;

export function createSecretOperations(context: IssuerContext): readonly Operation[] {
  return [
    operation({
      id: 'createSecret',
      method: 'POST',
      path: '/services/:clientId/secrets',
      summary: 'Adds a secret to a service, and may set an end to the others.',
      headers: ['Idempotency-Key'],
      body: secretOptions,
      allowsEmptyBody: true,
      answer: { status: 201, schema: 'NewSecret' },
      problems: [
        'unknown_service',
        'service_revoked',
        'no_secret_method',
        'too_many_secrets',
        'invalid_idempotency_key',
        'idempotency_key_reused',
        'update_conflict',
      ],
      handle: (request) => createSecret(context, request),
    }),
    operation({
      id: 'removeSecret',
      method: 'DELETE',
      path: '/services/:clientId/secrets/:secretId',
      summary: 'Removes a secret, which opens nothing from now on.',
      answer: { status: 204 },
      problems: ['unknown_service', 'unknown_secret'],
      handle: (request) => removeSecret(context, request),
    }),
  ];
}

/** Whether a service with these methods has secrets. */
export function needsSecret(methods: readonly AuthMethod[]): boolean {
  return methods.some((method) => method.startsWith('client_secret_'));
}

/** A secret as it is kept: also sealed, for a service whose signatures it verifies. */
export function sealSecret(
  secrets: Secrets,
  { clientId, authMethods }: Pick<StoredService, 'clientId' | 'authMethods'>,
  clientSecret: string,
  { id, ...options }: Omit<SealOptions, 'keepSecret'> & { readonly id: string | undefined },
): StoredSecret {
  const keepSecret = keepsSealed(authMethods);
  const sealed = secrets.seal(clientId, clientSecret, { ...options, keepSecret });
  return id === undefined ? sealed : { ...sealed, id };
}

async function createSecret(
  context: IssuerContext,
  { actor, request, parameters, body }: AdminRequest<SecretOptions, undefined>,
): Promise<Response> {
  const service = await findService(context, parameters);
  if (service instanceof Response) return service;
  const { clientId } = service;
  return createOnce(context, {
    actor,
    request,
    purpose: `secret of ${clientId}`,
    content: body,
    check: () => refuseSecret(context, service, actor),
    prepare: (seed) => prepareSecret(context, actor, service, body, seed),
    done: ({ secretId = '' }) => context.emit?.({ type: 'issuer.secret_added', clientId, secretId }),
  });
}

async function refuseSecret(
  { settings: { storage, now } }: IssuerContext,
  { clientId, authMethods, secrets, revokedAtMs }: StoredService,
  actor: string,
): Promise<Response | undefined> {
  if (revokedAtMs !== undefined) return refuse('service_revoked');
  if (!needsSecret(authMethods)) return refuse('no_secret_method');
  if (secrets.length < MOST_SECRETS) return undefined;
  const atMs = now();
  const expired = secrets.filter(({ expiresAtMs = Infinity }) => expiresAtMs <= atMs);
  if (expired.length === 0) return refuse('too_many_secrets');
  for (const secret of expired) {
    const before = showSecret(secret);
    const audit = { atMs, actor, action: 'secret.removed', target: clientId, before, after: undefined };
    await storage.removeSecret(clientId, secret.id, audit);
  }
  return undefined;
}

function prepareSecret(
  { settings, secrets }: IssuerContext,
  actor: string,
  service: StoredService,
  { expiresInSeconds, expireOthersInSeconds }: SecretOptions,
  { clientSecret, createdAtMs, known }: Seed,
): Prepared {
  const { clientId } = service;
  const inSeconds = (seconds: number | undefined): number | undefined =>
    seconds === undefined ? undefined : createdAtMs + seconds * 1000;
  const expireOthersAtMs = inSeconds(expireOthersInSeconds);
  const secret = sealSecret(secrets, service, clientSecret, {
    nowMs: createdAtMs,
    expiresAtMs: inSeconds(expiresInSeconds),
    id: known?.secretId,
  });
  const shown = showSecret(secret);
  const othersExpireAt = expireOthersAtMs === undefined ? undefined : toIso(expireOthersAtMs);
  return {
    clientId,
    secretId: secret.id,
    store: (request) =>
      settings.storage.addSecret(
        { clientId, secret, expireOthersAtMs, most: MOST_SECRETS },
        {
          atMs: createdAtMs,
          actor,
          action: 'secret.added',
          target: clientId,
          before: undefined,
          after: { ...shown, othersExpireAt },
        },
        request,
      ),
    // There was such a service a moment ago, and none is ever taken away.
    refused: (result) => refuse(result === 'full' ? 'too_many_secrets' : 'service_revoked'),
    answer: () => json({ ...shown, clientSecret }, {}, 201),
  };
}

async function removeSecret(
  context: IssuerContext,
  { actor, parameters }: AdminRequest<undefined, undefined>,
): Promise<Response> {
  const { settings, emit } = context;
  const service = await findService(context, parameters);
  if (service instanceof Response) return service;
  const { clientId } = service;
  const secret = service.secrets.find(({ id }) => id === parameters.get('secretId'));
  if (secret === undefined) return refuse('unknown_secret');
  const { id: secretId } = secret;
  const before = showSecret(secret);
  const audit = {
    atMs: settings.now(),
    actor,
    action: 'secret.removed',
    target: clientId,
    before,
    after: undefined,
  };
  if (!(await settings.storage.removeSecret(clientId, secretId, audit))) return refuse('unknown_secret');
  emit?.({ type: 'issuer.secret_removed', clientId, secretId });
  return empty(204);
}
