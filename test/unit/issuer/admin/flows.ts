/** The main flows of the admin API, which every storage must carry. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditRecord, IssuerStorage } from '../../../../src/issuer/index.ts';
import { ISSUER, ORDERS } from '../harness.ts';
import { type AdminHarness, auditOf, create, createAdminHarness, SERVICE } from './support.ts';

const secretKey = 'a secret key that outlives the process';
const KEY = { 'idempotency-key': 'k' };

export function describeAdminFlows(name: string, openStorage: () => Promise<IssuerStorage>): void {
  describe(`the admin API over ${name}`, () => {
    let harness: AdminHarness;
    beforeEach(async () => {
      harness = createAdminHarness({ storage: await openStorage(), secretKey });
    });
    afterEach(async () => {
      await harness.issuer.close();
      await harness.storage.close();
    });
    const actions = async () => (await auditOf(harness)).map(({ action }: AuditRecord) => action);

    it('a service is registered, changed, given secrets and revoked; the audit log tells all of it once', async () => {
      const { body: made } = await create(harness, { clientId: 'billing' });
      const credentials = { clientId: 'billing', clientSecret: made.clientSecret };
      const { clientSecret, ...shown } = made;
      expect((await harness.admin('GET', '/admin/services/billing')).body).toEqual(shown);
      const renamed = await harness.admin(
        'PATCH',
        '/admin/services/billing',
        { name: 'Bills' },
        { 'if-match': '"1"' },
      );
      expect(renamed.body).toEqual({ ...shown, name: 'Bills', version: 2 });
      const stale = await harness.admin(
        'PATCH',
        '/admin/services/billing',
        { name: 'x' },
        { 'if-match': '"1"' },
      );
      expect(stale.status).toBe(412);
      const added = await harness.admin('POST', '/admin/services/billing/secrets', {
        expireOthersInSeconds: 60,
      });
      const token = await harness.token(credentials);
      harness.advance(60);
      const body = { grant_type: 'client_credentials' };
      expect((await harness.post('/token', body, credentials)).status).toBe(401);
      const next = { clientId: 'billing', clientSecret: added.body.clientSecret };
      expect((await harness.post('/token', body, next)).status).toBe(200);
      await harness.admin('DELETE', `/admin/services/billing/secrets/${shown.secrets[0].id}`);
      expect((await harness.admin('DELETE', '/admin/services/billing')).status).toBe(204);
      expect((await harness.post('/token', body, next)).status).toBe(401);
      expect(
        (await harness.post('/introspect', { token }, await harness.register({ serves: [ORDERS] }))).body,
      ).toEqual({
        active: false,
      });
      expect((await create(harness, { clientId: 'billing' })).status).toBe(409);
      expect(await actions()).toEqual([
        'service.created',
        'service.revoked',
        'secret.removed',
        'secret.added',
        'service.updated',
        'service.created',
      ]);
      expect(JSON.stringify(await auditOf(harness))).not.toContain(clientSecret);
    });

    it('all members of a registration come back as they were', async () => {
      const input = {
        ...SERVICE,
        clientId: "o'brien;--",
        description: 'Größe \u{1F4B0} % _ \\ "',
        scopes: ['z', 'a'],
        serves: [ORDERS],
        authMethods: ['client_secret_jwt', 'tls_client_auth'],
        tokenFormat: 'opaque',
        accessTokenSeconds: 60,
        dpopBound: true,
        tlsClientAuth: { sanDns: 'a.example' },
        federatedIdentities: [{ issuer: 'https://k8s.example', subject: 'a' }],
      };
      const { status, body } = await create(harness, input);
      expect([status, body]).toMatchObject([201, input]);
      const path = `/admin/services/${encodeURIComponent(input.clientId)}`;
      const taken = await harness.admin('PATCH', path, { description: null, accessTokenSeconds: null });
      expect(Object.hasOwn(taken.body, 'description')).toBe(false);
      expect((await harness.admin('GET', path)).body).toEqual(taken.body);
      // What changes nothing is no change, whatever order a database gives members in.
      expect((await harness.admin('PATCH', path, { name: SERVICE.name })).body.version).toBe(2);
    });

    it('pages go through all services in order, also from a forged place', async () => {
      const names = ['c', 'a', 'b', 'B', 'A'];
      for (const clientId of names) await create(harness, { clientId });
      const seen: string[] = [];
      for (let path = '/admin/services?limit=2'; path !== ''; ) {
        const { body } = await harness.admin('GET', path);
        seen.push(...body.services.map(({ clientId }: { clientId: string }) => clientId));
        path = body.next === undefined ? '' : `/admin/services?limit=2&after=${body.next}`;
      }
      expect(seen).toEqual(names);
      const forged = Buffer.from("' or 1=1 --".replaceAll(' ', '')).toString('base64url');
      expect((await harness.admin('GET', `/admin/services?after=${forged}`)).body.services).toEqual([]);
    });

    it('twins with one Idempotency-Key make one thing', async () => {
      const send = () => harness.admin('POST', '/admin/services', { ...SERVICE, clientId: 'twin' }, KEY);
      const twins = await Promise.all(Array.from({ length: 8 }, send));
      expect(new Set(twins.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
      const path = '/admin/services/twin/secrets';
      const secrets = await Promise.all(
        Array.from({ length: 8 }, () => harness.admin('POST', path, {}, KEY)),
      );
      expect(new Set(secrets.map(({ text }) => text)).size).toBe(1);
      expect((await harness.admin('POST', path, { expiresInSeconds: 5 }, KEY)).status).toBe(422);
      expect(await actions()).toEqual(['secret.added', 'service.created']);
      harness.advance(86_400);
      expect((await send()).status).toBe(409);
    });

    it('changes at the same time are all made, and told in the order in which they were', async () => {
      await create(harness, { clientId: 'billing' });
      const patches = [
        { name: 'a' },
        { scopes: ['b'] },
        { description: 'c' },
        { dpopBound: true },
        { serves: [ORDERS] },
      ];
      await Promise.all(patches.map((patch) => harness.admin('PATCH', '/admin/services/billing', patch)));
      const { body } = await harness.admin('GET', '/admin/services/billing');
      expect(body).toMatchObject({ version: 6, ...Object.assign({}, ...patches) });
      const entries: AuditRecord[] = (await auditOf(harness)).reverse();
      for (const [at, { before }] of entries.entries()) expect(before).toEqual(entries[at - 1]?.after);
      expect(entries.at(-1)?.after).toEqual(body);
    });

    it('a service has ten secrets at most, and loses each of them once', async () => {
      await create(harness, { clientId: 'billing' });
      const path = '/admin/services/billing/secrets';
      const added = await Promise.all(Array.from({ length: 15 }, () => harness.admin('POST', path, {})));
      expect(added.filter(({ status }) => status === 201).length).toBe(9);
      const { body } = await harness.admin('GET', '/admin/services/billing');
      const [{ id }] = body.secrets;
      const gone = await Promise.all([1, 2, 3].map(() => harness.admin('DELETE', `${path}/${id}`)));
      expect(gone.map(({ status }) => status).sort()).toEqual([204, 404, 404]);
      expect((await actions()).filter((action: string) => action === 'secret.removed').length).toBe(1);
    });

    it('resources and keys', async () => {
      const resource = { resource: "urn:o'brien:%2F?a=b", name: 'A', scopes: ['read'] };
      const path = `/admin/resources/${encodeURIComponent(resource.resource)}`;
      expect((await harness.admin('POST', '/admin/resources', resource)).status).toBe(201);
      expect((await harness.admin('POST', '/admin/resources', resource)).status).toBe(409);
      expect((await harness.admin('PATCH', path, { scopes: null })).body.scopes).toBeUndefined();
      expect((await harness.admin('GET', '/admin/resources')).body.resources.length).toBe(1);
      expect((await harness.admin('DELETE', path)).status).toBe(204);
      const rotations = await Promise.all([1, 2].map(() => harness.admin('POST', '/admin/keys/rotate')));
      expect(rotations.map(({ status }) => status).sort()).toEqual([200, 409]);
      expect((await harness.admin('GET', '/admin/keys')).body.keys.length).toBe(2);
      expect(await actions()).toEqual([
        'key.rotated',
        'resource.deleted',
        'resource.updated',
        'resource.created',
      ]);
    });

    it('an access token administers until its service is revoked, and is named', async () => {
      const ops = await harness.register({
        clientId: 'ops',
        scopes: ['services:admin'],
        resources: [ISSUER],
      });
      const headers = {
        authorization: `Bearer ${await harness.token(ops)}`,
        'content-type': 'application/json',
      };
      const send = () =>
        harness.send('/admin/services/ops', {
          method: 'PATCH',
          headers,
          body: JSON.stringify({ name: 'me' }),
        });
      expect((await send()).status).toBe(200);
      expect((await auditOf(harness))[0].actor).toBe('ops');
      await harness.admin('DELETE', '/admin/services/ops');
      expect((await send()).status).toBe(401);
    });
  });
}
