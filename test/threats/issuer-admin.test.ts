/** What must be resisted by the admin API: its input, and what it tells. */
import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type IssuerStorage, memoryStorage } from '../../src/issuer/index.ts';
import {
  type AdminHarness,
  auditOf,
  create,
  createAdminHarness,
  SERVICE,
} from '../unit/issuer/admin/support.ts';
import { ADMIN_TOKEN, ISSUER } from '../unit/issuer/harness.ts';

const JSON_TYPE = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };

function sendText(harness: AdminHarness, method: string, path: string, body: string) {
  return harness.send(path, { method, headers: JSON_TYPE, body });
}

async function createBilling(): Promise<AdminHarness> {
  const harness = createAdminHarness();
  expect((await create(harness, { clientId: 'billing' })).status).toBe(201);
  await harness.admin('POST', '/admin/resources', { resource: 'urn:orders' });
  return harness;
}

const writes = [
  ['POST', '/admin/services', SERVICE],
  ['PATCH', '/admin/services/billing', {}],
  ['POST', '/admin/services/billing/secrets', {}],
  ['POST', '/admin/resources', { resource: 'urn:billing' }],
  ['PATCH', '/admin/resources/urn%3Aorders', {}],
  ['POST', '/admin/keys/rotate', {}],
] as const;

describe.each(writes)('threat 26: %s %s', (method, path, good) => {
  it.each([
    'secrets',
    'clientSecret',
    'hash',
    'sealed',
    'salt',
    'createdAt',
    'createdAtMs',
    'updatedAtMs',
    'revokedAt',
    'revokedAtMs',
    'version',
    'actor',
    'kid',
    'sealedKey',
    'constructor',
    'toString',
    '__proto__',
    'prototype',
  ])('assigns no %s', async (member) => {
    const harness = await createBilling();
    const before = JSON.stringify(await harness.storage.findService('billing'));
    const text = JSON.stringify({ ...good, x: 1 }).replace('"x":1', `"${member}":{"isAdmin":true}`);
    const { status, body } = await sendText(harness, method, path, text);
    expect([status, body.code]).toEqual([400, 'invalid_input']);
    expect(JSON.stringify(await harness.storage.findService('billing'))).toBe(before);
    expect(Object.hasOwn(Object.prototype, 'isAdmin')).toBe(false);
    expect((await auditOf(harness)).length).toBe(2);
  });

  it.each([
    ['more than 64 KiB', `{"name":"${'a'.repeat(70_000)}"}`, 413],
    ['lists 1000 deep', `{"name":${'['.repeat(1000)}${']'.repeat(1000)}}`, 400],
    ['objects 10000 deep', `{"name":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`, 400],
    ['no JSON', '{"name":', 400],
    ['a list', '[]', 400],
    ['null', 'null', 400],
    ['half a character', '{"name":"\\ud800"}', 400],
  ])('threat 23: refuses %s', async (_, text, expected) => {
    const harness = await createBilling();
    expect((await sendText(harness, method, path, text)).status).toBe(expected);
    expect((await auditOf(harness)).length).toBe(2);
  });

  it('looks at nothing before it knows who asks', async () => {
    const harness = await createBilling();
    const unread = new ReadableStream({
      pull: () => {
        throw new Error('the body was read');
      },
    });
    const headers = { 'content-type': 'application/json' };
    const init = { method, headers, body: unread, duplex: 'half' };
    expect((await harness.send(path, init)).status).toBe(401);
  });
});

it('threat 12: members of nested input are looked at as well', async () => {
  const harness = createAdminHarness();
  for (const text of [
    '"tlsClientAuth":{"__proto__":{"sanDns":"a.example"}}',
    '"tlsClientAuth":{"sanDns":"a.example","constructor":"x"}',
    '"federatedIdentities":[{"issuer":"https://a.example","subject":"b","__proto__":{}}]',
    '"jwks":{"__proto__":{"keys":[]}}',
  ]) {
    const body = JSON.stringify(SERVICE).replace('{', `{${text},`);
    expect((await sendText(harness, 'POST', '/admin/services', body)).status, text).toBe(400);
  }
  expect(await harness.storage.listServices({ limit: 10 })).toEqual([]);
});

it('threat 12: a polluted prototype registers nothing', async () => {
  const harness = createAdminHarness();
  Object.assign(Object.prototype, { dpopBound: true, description: 'polluted', clientId: 'root' });
  try {
    const init = { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(SERVICE) };
    const { status, body } = await harness.call('/admin/services', init);
    expect(status).toBe(201);
    expect(Object.hasOwn(body, 'description')).toBe(false);
    expect(body.clientId).toMatch(/^svc_/);
    expect(body.dpopBound).toBe(false);
  } finally {
    for (const name of ['dpopBound', 'description', 'clientId'])
      Reflect.deleteProperty(Object.prototype, name);
  }
});

/** As databases do, which hold no NUL in texts. */
function withoutControls(): IssuerStorage {
  return new Proxy(memoryStorage(), {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) => {
        if (/\\u00[01]|\\u007f/.test(JSON.stringify(given))) throw new Error('a control character');
        return member.apply(target, given);
      };
    },
  });
}

describe('NUL and control characters reach no storage', () => {
  it.each([
    ['GET', '/admin/services/%00', 404],
    ['DELETE', '/admin/services/a%00b', 404],
    ['PATCH', '/admin/services/a%0ab', 404],
    ['POST', '/admin/services/%7f/secrets', 404],
    ['DELETE', '/admin/services/billing/secrets/%00', 404],
    ['GET', '/admin/resources/urn:a%00', 404],
    ['PATCH', '/admin/resources/urn:a%0d%0a', 404],
    ['DELETE', '/admin/resources/%00', 404],
    ['GET', '/admin/audit?target=a%00', 400],
    ['GET', '/admin/services?after=AA', 400],
    ['GET', '/admin/services?after=YQBi', 400],
  ])('%s %s', async (method, path, expected) => {
    const harness = createAdminHarness({ storage: withoutControls() });
    await create(harness, { clientId: 'billing' });
    const body = ['POST', 'PATCH'].includes(method) ? {} : undefined;
    expect((await harness.admin(method, path, body)).status).toBe(expected);
  });

  it.each(['name', 'description', 'clientId', 'jwksUri'])('in %s', async (member) => {
    const harness = createAdminHarness({ storage: withoutControls() });
    for (const character of ['\0', '\n', '\r', '\u001b', '\u007f', '\u2028', '\u202e']) {
      expect((await create(harness, { [member]: `https://a.example/${character}b` })).status).toBe(400);
    }
  });

  it('in the key of a create', async () => {
    const harness = createAdminHarness({ storage: withoutControls() });
    const { status } = await harness.admin('POST', '/admin/services', SERVICE, { 'idempotency-key': 'a\tb' });
    expect(status).toBe(400);
  });
});

describe('threat 27: secrets are told once and nowhere else', () => {
  it('not in lists, the audit log, events or the storage', async () => {
    const harness = createAdminHarness();
    const first = await create(harness, {
      clientId: 'billing',
      authMethods: ['client_secret_jwt', 'client_secret_post'],
    });
    const second = await harness.admin(
      'POST',
      '/admin/services/billing/secrets',
      {},
      { 'idempotency-key': 'k' },
    );
    await harness.admin('PATCH', '/admin/services/billing', { name: 'another' });
    await harness.admin('POST', '/admin/keys/rotate', { immediately: true });
    const record = await harness.storage.findService('billing');
    const [signingKey] = await harness.storage.listSigningKeys();
    await harness.admin('DELETE', `/admin/services/billing/secrets/${second.body.id}`);
    await harness.admin('DELETE', '/admin/services/billing');
    const told = [];
    for (const path of ['services', 'services/billing', 'audit', 'keys', 'resources', 'openapi.json']) {
      told.push((await harness.admin('GET', `/admin/${path}`)).text);
    }
    const secrets: string[] = [first.body.clientSecret, second.body.clientSecret, ADMIN_TOKEN];
    const kept = record?.secrets.flatMap(({ hash, sealed = '' }) => [hash, sealed]) ?? [];
    expect([kept.length, kept.includes('')]).toEqual([4, false]);
    const shown = `${told.join()}${inspect(harness.events, { depth: 9 })}`;
    for (const secret of [...secrets, ...kept, signingKey?.sealedKey ?? 'no key']) {
      expect(shown).not.toContain(secret);
    }
    expect(inspect(record, { depth: 9 })).not.toContain(first.body.clientSecret);
  });

  it('a private key that is registered by mistake comes back nowhere', async () => {
    const harness = createAdminHarness();
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = privateKey.export({ format: 'jwk' });
    const { status, text } = await create(harness, { jwks: { keys: [jwk] } });
    expect(status).toBe(400);
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const) {
      expect(`${text}${inspect(harness.events)}`).not.toContain(jwk[member]);
    }
  });

  it('a token that is refused is repeated nowhere', async () => {
    const harness = createAdminHarness();
    const token = 'a-token-that-somebody-mistyped';
    const answer = await harness.send('/admin/services', { headers: { authorization: `Bearer ${token}` } });
    const shown = inspect([answer.text, [...answer.headers], harness.events], { depth: 9 });
    expect(answer.status).toBe(401);
    expect(shown).not.toContain(token);
  });
});

it('threat 20: Host has no say in where things are said to be', async () => {
  const harness = createAdminHarness();
  const headers = { ...JSON_TYPE, host: 'evil.example', 'x-forwarded-host': 'evil.example' };
  const request = new Request('https://evil.example/admin/services', {
    method: 'POST',
    headers,
    body: JSON.stringify(SERVICE),
  });
  const response = await harness.issuer.fetch(request);
  expect(response.headers.get('location')).toMatch(new RegExp(`^${ISSUER}/admin/services/svc_`));
  expect((await harness.call('/admin/openapi.json')).text).not.toContain('evil');
});
