import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import type { IssuerOptions } from '../../../../src/issuer/index.ts';
import type { StoredService } from '../../../../src/issuer/storage/records.ts';
import { createDpopClient } from '../../../helpers/dpop.ts';
import {
  type Answer,
  BILLING,
  type Credentials,
  createHarness,
  type Harness,
  ORDERS,
  type Parameters,
} from '../harness.ts';
import { ACCESS_TOKEN, addService, ask, exchangeOf, JWT, proofFor } from './support.ts';

const STOCK = 'https://stock.example';

interface Changes {
  readonly issuer?: Partial<IssuerOptions>;
  readonly web?: Partial<StoredService>;
  readonly shop?: Partial<StoredService>;
}

interface World {
  readonly harness: Harness;
  /** Calls the shop. */
  readonly web: Credentials;
  /** Serves ORDERS, and calls stock and billing. */
  readonly shop: Credentials;
  /** Serves STOCK, and calls billing. */
  readonly stock: Credentials;
  /** A token of `web` for the shop. */
  subject(parameters?: Parameters): Promise<string>;
  /** The shop exchanges a token for one for stock. */
  exchange(token: string, more?: Parameters): Promise<Answer>;
}

async function createWorld({ issuer, web: webMembers, shop: shopMembers }: Changes = {}): Promise<World> {
  const harness = createHarness(issuer);
  const add = (
    clientId: string,
    scopes: string,
    resources: string[],
    serves: string[],
    members?: Partial<StoredService>,
  ) => addService(harness, { clientId, scopes: scopes.split(' '), resources, serves }, members);
  const web = await add('web', 'read write web:only', [ORDERS], [], webMembers);
  const shop = await add('shop', 'read write shop:only', [STOCK, BILLING], [ORDERS], shopMembers);
  const stock = await add('stock', 'read', [BILLING], [STOCK]);
  return {
    harness,
    web,
    shop,
    stock,
    subject: (parameters = {}) => harness.token(web, parameters),
    exchange: (token, more = {}) => {
      const target = 'audience' in more || 'resource' in more ? {} : { resource: STOCK };
      return harness.post('/token', exchangeOf(token, { ...target, ...more }), shop);
    },
  };
}

const errorOf = ({ status, body }: Answer): unknown => [status, body.error];

describe('an exchanged token (RFC 8693)', () => {
  it('keeps the subject, names who acts, and is for the next service', async () => {
    const { harness, subject, exchange } = await createWorld();
    const { status, headers, body } = await exchange(await subject());
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'read write',
      issued_token_type: ACCESS_TOKEN,
    });
    const { payload } = await harness.verify(body.access_token);
    expect(payload).toMatchObject({
      sub: 'web',
      client_id: 'shop',
      aud: STOCK,
      act: { sub: 'shop' },
      exp: harness.nowSeconds() + 600,
    });
    expect(payload).not.toHaveProperty('cnf');
  });

  it('is reported with its grant, and without any token', async () => {
    const { harness, subject, exchange } = await createWorld();
    const token = await subject();
    const { body } = await exchange(token);
    expect(harness.events.at(-1)).toMatchObject({
      type: 'issuer.token_issued',
      grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
      clientId: 'shop',
      scope: 'read write',
      audience: [STOCK],
    });
    const told = JSON.stringify(harness.events);
    for (const secret of [token, body.access_token]) expect(told).not.toContain(secret.split('.')[2]);
  });

  it('nests who acted before', async () => {
    const { harness, stock, subject, exchange } = await createWorld();
    const { body: first } = await exchange(await subject());
    const second = await harness.post('/token', exchangeOf(first.access_token), stock);
    expect(second.body.scope).toBe('read');
    expect(decodeJwt(second.body.access_token)).toMatchObject({
      sub: 'web',
      client_id: 'stock',
      aud: BILLING,
      act: { sub: 'stock', act: { sub: 'shop' } },
    });
  });

  it('may be for several resources', async () => {
    const { subject, exchange } = await createWorld();
    const { body } = await exchange(await subject(), { resource: [STOCK, BILLING] });
    expect(decodeJwt(body.access_token).aud).toEqual([STOCK, BILLING]);
  });

  it('may come of a token of the client itself', async () => {
    const { harness, shop } = await createWorld();
    const own = await harness.token(shop, { resource: BILLING });
    const { body } = await harness.post('/token', exchangeOf(own, { resource: STOCK, scope: 'read' }), shop);
    expect(decodeJwt(body.access_token)).toMatchObject({ sub: 'shop', aud: STOCK, act: { sub: 'shop' } });
  });

  it.each([
    [undefined, ACCESS_TOKEN],
    [ACCESS_TOKEN, ACCESS_TOKEN],
    [JWT, JWT],
  ])('is what was asked for: %s', async (requested, issued) => {
    const { subject, exchange } = await createWorld();
    const more = requested === undefined ? {} : { requested_token_type: requested };
    const { body } = await exchange(await subject(), { subject_token_type: JWT, ...more });
    expect(body.issued_token_type).toBe(issued);
  });

  it('a service of opaque tokens gets no JWT', async () => {
    const { subject, exchange } = await createWorld({ shop: { tokenFormat: 'opaque' } });
    const refused = await exchange(await subject(), { requested_token_type: JWT });
    expect(errorOf(refused)).toEqual([400, 'invalid_request']);
    expect((await exchange(await subject())).body.issued_token_type).toBe(ACCESS_TOKEN);
  });
});

describe('what is exchanged', () => {
  it.each<[string, Parameters]>([
    ['no subject token', { subject_token: '' }],
    ['no type', { subject_token_type: '' }],
    ['a type that is no access token', { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }],
    ['a type of the prototype', { subject_token_type: 'constructor' }],
    ['something else than a token', { subject_token: 'nonsense' }],
    ['something else than a token, said to be a JWT', { subject_token: 'nonsense', subject_token_type: JWT }],
    ['an actor token without a type', { actor_token: 'nonsense' }],
    ['the type of an actor token without one', { actor_token_type: ACCESS_TOKEN }],
    ['an actor token that is none', { actor_token: 'nonsense', actor_token_type: ACCESS_TOKEN }],
    ['a refresh token as answer', { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }],
    ['two subject tokens', { subject_token: ['a', 'b'] }],
    ['two audiences', { audience: ['stock', 'stock'] }],
  ])('%s is an invalid request', async (_, more) => {
    const { subject, exchange } = await createWorld();
    expect(errorOf(await exchange(await subject(), more))).toEqual([400, 'invalid_request']);
  });

  it('threat 26: a token that is for another service, revoked, expired or of a revoked service, in the same words', async () => {
    const { harness, web, stock, subject, exchange } = await createWorld();
    const token = await subject();
    const answers: Answer[] = [await harness.post('/token', exchangeOf(token), stock)];
    const revoked = await subject();
    await harness.post('/revoke', { token: revoked }, web);
    answers.push(await exchange(revoked), await exchange('nonsense'));
    harness.advance(900);
    answers.push(await exchange(token));
    const late = await subject();
    await harness.admin('DELETE', '/admin/services/web');
    answers.push(await exchange(late));
    const described = 'subject_token is not a live token that this client may exchange';
    for (const { status, body } of answers) {
      expect([status, body]).toEqual([400, { error: 'invalid_request', error_description: described }]);
    }
  });

  it('threat 26: a token that another issuer signed', async () => {
    const { exchange } = await createWorld();
    const other = await createWorld();
    expect(errorOf(await exchange(await other.subject()))).toEqual([400, 'invalid_request']);
  });

  it('an opaque token is as good as a JWT, save for being called one', async () => {
    const { harness, subject, exchange } = await createWorld({ web: { tokenFormat: 'opaque' } });
    const token = await subject();
    const { body } = await exchange(token);
    expect((await harness.verify(body.access_token)).payload).toMatchObject({ sub: 'web', aud: STOCK });
    const called = await exchange(token, { subject_token_type: JWT });
    expect(errorOf(called)).toEqual([400, 'invalid_request']);
  });
});

describe('the actor', () => {
  it('is the client that asks, also with a token of its own', async () => {
    const { harness, shop, subject, exchange } = await createWorld();
    const own = { actor_token: await harness.token(shop, { resource: STOCK }), actor_token_type: JWT };
    expect(decodeJwt((await exchange(await subject(), own)).body.access_token).act).toEqual({ sub: 'shop' });
  });

  it('threat 26: nobody else becomes an actor by a token that came to this client, or that did not', async () => {
    const { harness, stock, subject, exchange } = await createWorld();
    const gateway = await addService(harness, { clientId: 'gateway', resources: [ORDERS] });
    for (const other of [stock, gateway]) {
      const actor = { actor_token: await harness.token(other), actor_token_type: ACCESS_TOKEN };
      expect(errorOf(await exchange(await subject(), actor))).toEqual([400, 'invalid_request']);
    }
  });

  it('threat 26: who acts already in the name of another would be lost', async () => {
    const { harness, shop, subject, exchange } = await createWorld();
    const own = await harness.token(shop, { resource: STOCK });
    const { body } = await harness.post('/token', exchangeOf(own, { resource: STOCK }), shop);
    const actor = { actor_token: body.access_token, actor_token_type: ACCESS_TOKEN };
    expect(errorOf(await exchange(await subject(), actor))).toEqual([400, 'invalid_request']);
  });

  it('the chain has five links at most', async () => {
    const { harness, shop } = await createWorld();
    let token = await harness.token(shop, { resource: STOCK });
    const chains: unknown[] = [];
    for (let hop = 0; hop < 5; hop++) {
      const { body } = await harness.post('/token', exchangeOf(token, { resource: STOCK }), shop);
      token = body.access_token;
      chains.push(decodeJwt(token).act);
    }
    const link = { sub: 'shop' };
    expect(chains[0]).toEqual(link);
    expect(chains[4]).toEqual({ ...link, act: { ...link, act: { ...link, act: { ...link, act: link } } } });
    const sixth = await harness.post('/token', exchangeOf(token, { resource: STOCK }), shop);
    expect(errorOf(sixth)).toEqual([400, 'invalid_request']);
  });
});

describe('scope', () => {
  it.each([
    ['read', 'read', 'read'],
    ['read write web:only', 'write', 'write'],
    ['read write', undefined, 'read write'],
  ])('of "%s" asked for "%s"', async (owned, asked, granted) => {
    const { subject, exchange } = await createWorld();
    const { body } = await exchange(
      await subject({ scope: owned }),
      asked === undefined ? {} : { scope: asked },
    );
    expect(body.scope).toBe(granted);
  });

  it.each([
    ['what the subject token does not have', 'read', 'write'],
    ['what the client is not registered for', 'read web:only', 'web:only'],
    ['what the client alone has', 'read', 'shop:only'],
    ['one too many', 'read', 'read write'],
    ['nothing but spaces', 'read', ' '],
    ['nothing in common, and none asked', 'web:only', undefined],
  ])('threat 26: %s is refused', async (_, owned, asked) => {
    const { subject, exchange } = await createWorld();
    const more: Parameters = asked === undefined ? {} : { scope: asked };
    const answer = await exchange(await subject({ scope: owned }), more);
    expect(errorOf(answer)).toEqual([400, 'invalid_scope']);
  });

  it('is that of the target, too', async () => {
    const resources = [ORDERS, BILLING, { resource: STOCK, scopes: ['read'] }];
    const { subject, exchange } = await createWorld({ issuer: { resources } });
    const token = await subject();
    expect((await exchange(token)).body.scope).toBe('read');
    expect(errorOf(await exchange(token, { scope: 'write' }))).toEqual([400, 'invalid_scope']);
    expect((await exchange(token, { resource: BILLING })).body.scope).toBe('read write');
  });

  it('a token without scope gives another one without', async () => {
    const { subject, exchange } = await createWorld({ web: { scopes: [] } });
    const token = await subject();
    const { status, body } = await exchange(token);
    expect(status).toBe(200);
    expect(decodeJwt(body.access_token)).not.toHaveProperty('scope');
    expect(errorOf(await exchange(token, { scope: 'read' }))).toEqual([400, 'invalid_scope']);
  });
});

describe('target', () => {
  it.each<[string, Parameters, unknown]>([
    ['a resource', { resource: BILLING }, BILLING],
    ['the client id of the service that it is', { audience: 'stock' }, STOCK],
    ['both, of the same', { resource: STOCK, audience: 'stock' }, STOCK],
    ['both, of others', { resource: BILLING, audience: 'stock' }, [BILLING, STOCK]],
  ])('%s', async (_, target, audience) => {
    const { subject, exchange } = await createWorld();
    const { body } = await exchange(await subject(), target);
    expect(decodeJwt(body.access_token).aud).toEqual(audience);
  });

  it.each<[string, Parameters]>([
    ['a resource that the client may not call', { resource: ORDERS }],
    ['one too many', { resource: [STOCK, ORDERS] }],
    ['a service that is not there', { audience: 'nobody' }],
    ['a service that serves nothing', { audience: 'web' }],
    ['a service that the client may not call', { audience: 'shop' }],
    ['a resource in the place of a client id', { audience: STOCK }],
    ['none of two', { resource: '' }],
    ['the issuer', { resource: 'https://idp.example' }],
  ])('threat 26: %s is refused', async (_, target) => {
    const { subject, exchange } = await createWorld();
    expect(errorOf(await exchange(await subject(), target))).toEqual([400, 'invalid_target']);
  });

  it('threat 26: a service whose resources may be called in part only, and a revoked one', async () => {
    const { harness, subject, exchange } = await createWorld();
    await addService(harness, { clientId: 'both', serves: [STOCK, 'https://secret.example'] });
    const token = await subject();
    expect(errorOf(await exchange(token, { audience: 'both' }))).toEqual([400, 'invalid_target']);
    await harness.admin('DELETE', '/admin/services/stock');
    expect(errorOf(await exchange(token, { audience: 'stock' }))).toEqual([400, 'invalid_target']);
  });

  it('of a client with one resource it need not be said; without any there is none', async () => {
    const one = await createWorld({ shop: { resources: [STOCK] } });
    const { body } = await one.harness.post('/token', exchangeOf(await one.subject()), one.shop);
    expect(decodeJwt(body.access_token).aud).toBe(STOCK);
    const none = await createWorld({ shop: { resources: [] } });
    const answer = await none.harness.post('/token', exchangeOf(await none.subject()), none.shop);
    expect(errorOf(answer)).toEqual([400, 'invalid_target']);
  });
});

describe('lifetime', () => {
  it.each<[string, Changes, number, number]>([
    ['ten minutes at most', {}, 0, 600],
    ['what is left of the subject token', {}, 301, 599],
    ['the last second of it', {}, 899, 1],
    ["the client's own", { shop: { accessTokenSeconds: 30 } }, 0, 30],
    ["the issuer's", { issuer: { accessTokenSeconds: 45 } }, 5, 40],
    ['ten minutes, whatever is registered', { shop: { accessTokenSeconds: 86_400 } }, 0, 600],
  ])('%s', async (_, changes, later, seconds) => {
    const { harness, subject, exchange } = await createWorld(changes);
    const token = await subject();
    harness.advance(later);
    const { body } = await exchange(token);
    expect(body.expires_in).toBe(seconds);
    expect(decodeJwt(body.access_token).exp).toBe(harness.nowSeconds() + seconds);
  });

  it('threat 26: a clock that goes on while the request is decided makes it no longer', async () => {
    let atMs = Date.UTC(2026, 0, 1);
    let step = 0;
    const now = () => (atMs += step);
    const { harness, subject, exchange } = await createWorld({ issuer: { now } });
    const token = await subject();
    const { exp = 0 } = decodeJwt(token);
    atMs = (exp - 20) * 1000;
    step = 400;
    const { body } = await exchange(token);
    expect(harness.events.at(-1)?.type).toBe('issuer.token_issued');
    expect(decodeJwt(body.access_token).exp).toBe(exp);
  });
});

describe('binding', () => {
  it('a bound token stays with the client that it was issued to, bound as it was', async () => {
    const { harness, web } = await createWorld({ web: { resources: [ORDERS], serves: [ORDERS] } });
    const key = await createDpopClient();
    const dpop = await proofFor(harness, key);
    const { body } = await ask(harness, web, { grant_type: 'client_credentials' }, { dpop });
    const { body: kept } = await harness.post('/token', exchangeOf(body.access_token), web);
    expect(kept.token_type).toBe('DPoP');
    expect(decodeJwt(kept.access_token).cnf).toEqual({ jkt: key.jkt });
  });

  it('threat 26: a bound token is not exchanged by another client without a key of its own', async () => {
    const { harness, web, shop, exchange } = await createWorld();
    const key = await createDpopClient();
    const dpop = await proofFor(harness, key);
    const { body } = await ask(harness, web, { grant_type: 'client_credentials' }, { dpop });
    expect(errorOf(await exchange(body.access_token))).toEqual([400, 'invalid_request']);
    const own = await createDpopClient('EdDSA');
    const parameters = exchangeOf(body.access_token, { resource: STOCK });
    const answer = await ask(harness, shop, parameters, { dpop: await proofFor(harness, own) });
    expect(answer.body.token_type).toBe('DPoP');
    expect(decodeJwt(answer.body.access_token).cnf).toEqual({ jkt: own.jkt });
  });
});
