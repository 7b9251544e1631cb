import { expect, it } from 'vitest';
import { createMetadataDocument } from '../../../src/shared/metadata.ts';

/** The message of discovery where every place answers so. */
async function messageOf(issuer: string, answer: object | undefined): Promise<string> {
  const document = createMetadataDocument({
    issuer,
    now: () => 0,
    timeoutMs: 1000,
    fetch: async () => (answer === undefined ? new Response(null, { status: 404 }) : Response.json(answer)),
  });
  return Promise.resolve(document.read()).then(
    () => 'found',
    (error: Error) => error.message,
  );
}

it.each([
  ['https://idp.example/oauth/token', 'is it the URL of the token endpoint'],
  ['https://idp.example/discovery/keys', 'is it the URL of the key set'],
  ['https://idp.example/protocol/openid-connect/certs', 'is it the URL of the key set'],
  ['https://idp.example/introspect', 'is it the URL of the introspection endpoint'],
  ['https://idp.example/authorize', 'is it the URL of the authorization endpoint'],
])('%s was not found', async (issuer, hint) => {
  expect(await messageOf(issuer, undefined)).toMatch(new RegExp(`answered 404; ${hint}`));
});

it('says nothing of a name that is like any other', async () => {
  expect(await messageOf('https://idp.example/tokens', undefined)).toMatch(/answered 404$/);
});

it('says nothing of a name while its server is down', async () => {
  const document = createMetadataDocument({
    issuer: 'https://idp.example/auth',
    now: () => 0,
    timeoutMs: 1000,
    fetch: async () => new Response(null, { status: 503 }),
  });
  await expect(async () => document.read()).rejects.toThrow(/answered 503$/);
});

it.each([
  ['https://idp.example', 'https://idp.example/', /a slash at the end alone/],
  ['http://localhost:4000', 'http://127.0.0.1:4000', /one machine, but two names/],
  [
    'https://login.microsoftonline.com/common/v2.0',
    'https://login.microsoftonline.com/{tenantid}/v2.0',
    /equal to the byte; name the tenants/,
  ],
  ['https://idp.example', 'https://other.example', /they must be equal to the byte$/],
])('%s calls itself %s', async (issuer, named, text) => {
  expect(await messageOf(issuer, { issuer: named })).toMatch(text);
});
