import { describe, expect, it } from 'vitest';
import { createMetadataDocument, metadataUrls, type ServerMetadata } from '../../../src/shared/metadata.ts';

const issuer = 'https://issuer.example/tenant';
const oauth = 'https://issuer.example/.well-known/oauth-authorization-server/tenant';
const openid = 'https://issuer.example/tenant/.well-known/openid-configuration';

/** Discovers from documents by URL; all other URLs answer 404. */
async function discover(
  documents: Readonly<Record<string, unknown>>,
  options: { issuer?: string; discovery?: string } = {},
): Promise<{ metadata: ServerMetadata; asked: readonly string[] }> {
  const asked: string[] = [];
  const document = createMetadataDocument({
    issuer,
    ...options,
    now: () => 0,
    timeoutMs: 1000,
    fetch: async (url) => {
      asked.push(url);
      return url in documents ? Response.json(documents[url]) : new Response('not found', { status: 404 });
    },
  });
  return { metadata: await document.read(), asked };
}

describe('where metadata is looked for', () => {
  it.each([
    [
      'https://a.example',
      'https://a.example/.well-known/oauth-authorization-server',
      'https://a.example/.well-known/openid-configuration',
    ],
    [
      'https://a.example/',
      'https://a.example/.well-known/oauth-authorization-server',
      'https://a.example/.well-known/openid-configuration',
    ],
    [issuer, oauth, openid],
    [`${issuer}/`, oauth, openid],
  ])('%s: RFC 8414 section 3.1 before the path, OpenID Connect behind it', (name, first, second) => {
    expect(metadataUrls(name)).toEqual([first, second]);
  });

  it('asks RFC 8414 first, then OpenID Connect', async () => {
    expect((await discover({ [oauth]: { issuer } })).asked).toEqual([oauth]);
    expect((await discover({ [openid]: { issuer } })).asked).toEqual([oauth, openid]);
  });

  it('asks only where it is told to', async () => {
    const discovery = 'openid-configuration';
    expect((await discover({ [openid]: { issuer } }, { discovery })).asked).toEqual([openid]);
    const custom = 'https://issuer.example/metadata';
    expect((await discover({ [custom]: { issuer } }, { discovery: custom })).asked).toEqual([custom]);
  });
});

describe('what is believed', () => {
  it('the endpoints', async () => {
    const endpoints = { jwks_uri: 'https://keys.example/jwks', token_endpoint: `${issuer}/token` };
    const { metadata } = await discover({ [oauth]: { issuer, ...endpoints } });
    expect(metadata.issuer).toBe(issuer);
    expect(metadata.url('jwks_uri')).toBe(endpoints.jwks_uri);
    expect(metadata.url('token_endpoint')).toBe(endpoints.token_endpoint);
    expect(() => metadata.url('introspection_endpoint')).toThrow('has no introspection_endpoint');
  });

  it('an endpoint that nobody asks for does no harm', async () => {
    const endpoints = {
      jwks_uri: 'https://keys.example/jwks',
      introspection_endpoint: 'http://evil.example',
    };
    const { metadata } = await discover({ [oauth]: { issuer, token_endpoint: null, ...endpoints } });
    expect(metadata.url('jwks_uri')).toBe(endpoints.jwks_uri);
  });

  it.each([`${issuer}/`, 'https://issuer.example', issuer.toUpperCase(), [issuer], undefined, 1])(
    'an issuer other than to the byte is refused: %j',
    async (named) => {
      await expect(discover({ [oauth]: { issuer: named } })).rejects.toMatchObject({
        code: 'issuer_mismatch',
      });
    },
  );

  it.each([
    ['http://issuer.example/jwks', 'insecure_url'],
    ['http://127.0.0.1/jwks', 'insecure_url'],
    ['javascript:alert(1)', 'insecure_url'],
    ['file:///etc/passwd', 'insecure_url'],
    ['/jwks', 'response_malformed'],
    [1, 'response_malformed'],
    [null, 'response_malformed'],
  ])('jwks_uri %j is refused', async (uri, code) => {
    const { metadata } = await discover({ [oauth]: { issuer, jwks_uri: uri } });
    expect(() => metadata.url('jwks_uri')).toThrow(expect.objectContaining({ code }));
  });

  it('plain http on loopback for an issuer on loopback', async () => {
    const local = 'http://127.0.0.1:4000';
    const url = `${local}/.well-known/oauth-authorization-server`;
    const { metadata } = await discover(
      { [url]: { issuer: local, jwks_uri: `${local}/jwks` } },
      { issuer: local },
    );
    expect(metadata.url('jwks_uri')).toBe(`${local}/jwks`);
  });

  it('tells what was wrong with the first document if none will do', async () => {
    await expect(discover({})).rejects.toMatchObject({ code: 'unexpected_status', status: 404 });
    await expect(discover({ [oauth]: [] })).rejects.toMatchObject({ code: 'response_malformed' });
  });

  it('tells what was wrong with the second one where the first is simply not there', async () => {
    const documents = { [openid]: { issuer: `${issuer}/` } };
    await expect(discover(documents)).rejects.toMatchObject({ code: 'issuer_mismatch' });
  });
});
