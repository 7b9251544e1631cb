/** Compiled, never run: the types of the core, mistakes included. */
import { type Caller, createVerifier, type Policy, type Rejection } from 'service-auth';

const verifier = createVerifier({
  issuer: [{ issuer: 'https://idp.example', jwksUri: 'https://idp.example/keys', algorithms: ['ES256'] }],
  audience: null,
});
// @ts-expect-error: an unknown option
createVerifier({ isuer: 'https://idp.example' });
// @ts-expect-error: `none` is no algorithm
createVerifier({ issuer: { issuer: 'https://idp.example', algorithms: ['none'] } });
// @ts-expect-error: one source of keys
createVerifier({ issuer: { issuer: 'https://idp.example', secret: 's', jwks: { keys: [] } } });
const fetched = { issuer: 'https://idp.example', jwksUri: 'https://idp.example/keys' };
createVerifier({ issuer: fetched });
// @ts-expect-error: one source of keys
createVerifier({ issuer: { ...fetched, discovery: 'https://idp.example/metadata' } });
// @ts-expect-error: a secret that may be unset
createVerifier({ issuer: { issuer: 'https://idp.example', secret: process.env.SECRET } });
// @ts-expect-error: a policy member that may be unset
verifier.guard({ scope: process.env.SCOPE });
// @ts-expect-error: all of the scopes or any of them
verifier.guard({ scope: { anyOf: ['a'], allOf: ['b'] } });
// @ts-expect-error: one thing at a time
verifier.invalidate({ jti: 'a', clientId: 'b' });
verifier.guard({ scope: { anyOf: ['a'] } });
verifier.invalidate({ jti: 'a' });
createVerifier({ typ: 'at+jwt' });
createVerifier({ typ: ['at+jwt', 'example+jwt'] });
// @ts-expect-error: durations are numbers
createVerifier({ clockToleranceSeconds: '5' });

const request = new Request('https://orders.example');

export async function judge(): Promise<Caller | Rejection> {
  const outcome = await verifier.authenticate(request, { scope: ['read'] });
  // @ts-expect-error: a rejection is there only if the outcome is not ok
  outcome.rejection;
  return outcome.ok ? outcome.caller : outcome.rejection;
}

export async function maybe(): Promise<void> {
  const outcome = await verifier.authenticate(request, { optional: true });
  // @ts-expect-error: with `optional` there may be no caller
  if (outcome.ok) outcome.caller.clientId;
  const policy: Policy = JSON.parse('{}');
  const unknown = await verifier.authenticate(request, policy);
  // @ts-expect-error: a policy that may be optional
  if (unknown.ok) unknown.caller.clientId;
  // Synchronous when everything is in memory, and so no promise that could be relied on.
  // @ts-expect-error: not always a promise
  verifier.authenticate(request).then(() => {});
}

export function change(caller: Caller): void {
  // @ts-expect-error: a caller cannot be changed
  caller.clientId = 'other';
  // @ts-expect-error: nor its scopes
  caller.scopes.add('admin');
  // @ts-expect-error: nor its audience
  caller.audience.push('https://other.example');
}
