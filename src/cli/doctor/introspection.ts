/** Whether the issuer answers this service's introspection, by asking about a token that nobody made. */
import { randomBytes } from 'node:crypto';
import type { IntrospectionOptions } from '../../index.ts';
import { own } from '../../shared/json.ts';
import { judge } from '../inspect/judgement.ts';
import type { Examination, Findings, FoundIssuer } from './examination.ts';

const check = 'introspection';

export async function examineIntrospection(
  { issuer }: Examination,
  { metadata }: FoundIssuer,
  introspection: IntrospectionOptions | undefined,
): Promise<Findings> {
  if (typeof own(metadata, 'introspection_endpoint') !== 'string') {
    // Many issuers have none; a service that needs one there names it in code.
    return [{ check, status: 'skipped', found: 'the metadata names no introspection_endpoint' }];
  }
  if (introspection === undefined) {
    const hint = 'set SERVICE_AUTH_INTROSPECTION_CLIENT_ID and SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET';
    return [{ check, status: 'skipped', found: 'no client for it in the environment', hint }];
  }
  const madeUp = `made-up-${randomBytes(24).toString('base64url')}`;
  const expectations = {
    issuer: { issuer, introspection: { ...introspection, retries: 0 } },
    audience: null,
    typ: 'any',
    policy: {},
    clockToleranceSeconds: undefined,
    certificate: undefined,
  };
  const decoded = { kind: 'opaque', header: undefined, claims: {} } as const;
  const { undecided, complaints } = await judge(madeUp, decoded, expectations, (url, init) =>
    fetch(url, init),
  );
  if (undecided !== undefined) {
    // The one who is refused is this service: that will not pass by waiting.
    const isRefused = /\b4\d\d\b|invalid_client/.test(undecided.message);
    const hint = isRefused ? 'the introspecting client is unknown, or its secret is wrong' : undefined;
    return [{ check, status: isRefused ? 'failure' : 'undecided', found: undecided.message, hint }];
  }
  if (complaints.some(({ reason }) => reason === 'inactive_token')) {
    return [{ check, status: 'ok', found: 'a made-up token is not active, says the issuer' }];
  }
  const hint = 'whatever answers here is no introspection endpoint: every token would be accepted';
  return [{ check, status: 'failure', found: 'the issuer says that a made-up token is active', hint }];
}
