import { expect, it } from 'vitest';
import type { ClientAuthRequest } from '../../../src/shared/client-auth.ts';
import { tlsClientAuth } from '../../../src/shared/tls-client-auth.ts';

it('tlsClientAuth adds the id of the client and nothing else (RFC 8705 section 2)', async () => {
  const request: ClientAuthRequest = {
    issuer: undefined,
    endpoint: 'https://idp.example/token',
    clientId: 'a b&c',
    form: new URLSearchParams({ grant_type: 'client_credentials' }),
    headers: {},
    refusals: 0,
    now: Date.now,
  };
  expect(await tlsClientAuth()(request)).toBeUndefined();
  expect(request.form.toString()).toBe('grant_type=client_credentials&client_id=a+b%26c');
  expect(request.headers).toEqual({});
});
