/** The signing keys: shown, and rotated on command. */
import * as z from 'zod';
import type { IssuerContext } from '../context.ts';
import { json } from '../http/http-answers.ts';
import { rotateKeys } from '../keys/rotate-keys.ts';
import { type AdminRequest, type Operation, operation } from './operation.ts';
import { refuse } from './problems.ts';
import { showKey } from './show.ts';

const rotation = z.strictObject({ immediately: z.boolean().default(false) });

export function createKeyOperations(context: IssuerContext): readonly Operation[] {
  return [
    operation({
      id: 'listKeys',
      method: 'GET',
      path: '/keys',
      summary: 'Lists the signing keys whose signatures may still have to be verified, oldest first.',
      answer: { status: 200, schema: 'KeyList' },
      handle: () => listKeys(context),
    }),
    operation({
      id: 'rotateKeys',
      method: 'POST',
      path: '/keys/rotate',
      summary: 'Adds a signing key, which takes over once verifiers know it, or at once.',
      body: rotation,
      allowsEmptyBody: true,
      answer: { status: 200, schema: 'PublishedKey' },
      problems: ['rotation_pending'],
      handle: (request) => rotate(context, request),
    }),
  ];
}

async function listKeys({ keys, settings }: IssuerContext): Promise<Response> {
  const published = await keys.published();
  const nowMs = settings.now();
  return json({ keys: published.map((key) => showKey(key, published, nowMs)) });
}

async function rotate(
  context: IssuerContext,
  { actor, body }: AdminRequest<z.output<typeof rotation>, undefined>,
): Promise<Response> {
  const { keys, settings } = context;
  const atMs = settings.now();
  const audit = { atMs, actor, action: 'key.rotated', target: '', before: undefined, after: undefined };
  const rotated = await rotateKeys(context, body, audit);
  if (rotated === undefined) return refuse('rotation_pending');
  const published = await keys.published();
  const key = published.find(({ kid }) => kid === rotated.kid) ?? rotated;
  return json(showKey(key, published, settings.now()));
}
