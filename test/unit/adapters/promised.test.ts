/** Koa, Hono and web handlers: what they share, since their handlers give promises. */
import { Hono } from 'hono';
import Koa from 'koa';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { requireServiceAuth as honoAuth } from '../../../adapters/hono.ts';
import { requireServiceAuth as koaAuth } from '../../../adapters/koa.ts';
import { withServiceAuth } from '../../../adapters/web.ts';
import type { AuthOutcome } from '../../../src/index.ts';
import { bearer, refusal, rejecting, throwing, verifier, verifierOf, withHeader } from './support.ts';

/** An upgrade, which Node has no `Response` for, but Workers, Deno and Bun have. */
class Upgrade extends Response {
  override get status(): number {
    return 101;
  }
}

/** What can neither be changed nor copied. */
const untouched: readonly (readonly [string, Response])[] = [
  ['an upgrade', new Upgrade(null)],
  ['an error', Response.error()],
];

const broken = (): never => {
  throw new Error('the handler is broken');
};

describe('koa', () => {
  function app(...[options]: Parameters<typeof koaAuth>): Koa {
    const koa = new Koa();
    koa.use(async (ctx, next) => {
      try {
        await next();
      } catch (error) {
        ctx.status = 500;
        ctx.body = String(error);
      }
    });
    koa.use(koaAuth(options));
    return koa;
  }

  it.each([
    ['throws', throwing],
    ['rejects', rejecting],
  ])('passes the error of a guard that %s up', async (_how, brokenGuard) => {
    const { text } = await request(app({ verifier: brokenGuard }).callback()).get('/');
    expect(text).toBe('Error: the guard is broken');
  });

  it.each([true, false])('leaves errors of handlers to the application (late: %s)', async (late) => {
    const koa = app({ verifier, check: () => (late ? Promise.resolve(true) : true) }).use(broken);
    const { text } = await request(koa.callback()).get('/').set(bearer());
    expect(text).toBe('Error: the handler is broken');
  });

  it('waits for the handlers behind it', async () => {
    const koa = app({ verifier }).use(async (ctx) => {
      ctx.body = await Promise.resolve('let in');
    });
    const { text } = await request(koa.callback()).get('/').set(bearer());
    expect(text).toBe('let in');
  });

  it('sets the headers of an acceptance', async () => {
    const koa = app({ verifier: withHeader }).use((ctx) => {
      ctx.body = 'let in';
    });
    await request(koa.callback()).get('/').expect(200).expect('DPoP-Nonce', 'nonce-1');
  });

  it.each<[string, unknown, number, object]>([
    ['an error', new Error('broken'), 500, { 'dpop-nonce': 'nonce-1' }],
    [
      'one with a status',
      Object.assign(new Error('gone'), { status: 410 }),
      410,
      { 'dpop-nonce': 'nonce-1' },
    ],
    [
      'one with headers',
      Object.assign(new Error('busy'), { headers: { 'X-Way': 'out' } }),
      500,
      { 'dpop-nonce': 'nonce-1', 'x-way': 'out' },
    ],
    ['what is no error, and can say nothing', 'broken', 500, {}],
  ])('sets them on the answer of Koa to %s', async (_what, thrown, status, expected) => {
    const koa = new Koa();
    koa.silent = true;
    koa.use(koaAuth({ verifier: withHeader })).use(() => {
      throw thrown;
    });
    const { headers, status: got } = await request(koa.callback()).get('/');
    expect(got).toBe(status);
    expect(headers).toMatchObject(expected);
  });

  it('throws on as it was what cannot be changed', async () => {
    const koa = app({ verifier: withHeader }).use(() => {
      throw Object.freeze(new Error('frozen'));
    });
    const { text } = await request(koa.callback()).get('/').expect('DPoP-Nonce', 'nonce-1');
    expect(text).toBe('Error: frozen');
  });

  it.each([
    ['a refusal', refusal],
    ['an acceptance', async (): Promise<AuthOutcome> => ({ ok: true, caller: undefined })],
  ])('leaves a response that was sent while the guard waited alone (%s)', async (_what, conclude) => {
    let settle = (_outcome: AuthOutcome): void => {};
    const late = new Promise<AuthOutcome>((resolve) => {
      settle = resolve;
    });
    let isDone: Promise<unknown> = Promise.resolve();
    let ran = 0;
    const koa = new Koa();
    koa.use((ctx, next) => {
      isDone = next();
      ctx.status = 504;
      ctx.body = 'too late';
    });
    koa.use(koaAuth({ verifier: verifierOf(() => late) })).use(() => void ran++);
    const { status, text } = await request(koa.callback()).get('/');
    expect([status, text]).toEqual([504, 'too late']);
    settle(await conclude());
    await isDone;
    expect(ran).toBe(0);
  });
});

describe('hono', () => {
  const app = (...[options]: Parameters<typeof honoAuth>): Hono => {
    const hono = new Hono();
    hono.onError((error, c) => c.text(String(error), 500));
    hono.use(honoAuth(options));
    return hono;
  };

  it.each([
    ['throws', throwing],
    ['rejects', rejecting],
  ])('passes the error of a guard that %s to onError', async (_how, brokenGuard) => {
    const response = await app({ verifier: brokenGuard }).request('/');
    expect(await response.text()).toBe('Error: the guard is broken');
  });

  it('leaves errors of handlers to the application', async () => {
    const response = await app({ verifier }).get('/', broken).request('/', { headers: bearer() });
    expect(await response.text()).toBe('Error: the handler is broken');
  });

  it('sets the headers of an acceptance, on a response that cannot be changed too', async () => {
    const fixed = Response.redirect('https://orders.example/');
    const response = await app({ verifier: withHeader })
      .get('/', () => fixed)
      .request('/');
    expect([response.status, response.headers.get('dpop-nonce')]).toEqual([302, 'nonce-1']);
  });

  it.each(untouched)('leaves %s as it is', async (_what, response) => {
    const hono = app({ verifier: withHeader }).get('/', () => response);
    expect(await hono.request('/')).toBe(response);
  });

  it('sets them in place where that can be done: a copy may lose what counts', async () => {
    const response = Object.assign(new Response('let in'), { of: 'this server' });
    const answered = await app({ verifier: withHeader })
      .get('/', () => response)
      .request('/');
    expect(answered).toBe(response);
    expect(answered.headers.get('dpop-nonce')).toBe('nonce-1');
  });
});

describe('web', () => {
  const get = (headers: Record<string, string> = {}): Request =>
    new Request('https://orders.example/', { headers });

  it.each([
    ['throws', throwing],
    ['rejects', rejecting],
  ])('rejects with the error of a guard that %s', async (_how, brokenGuard) => {
    const handler = withServiceAuth(() => new Response('let in'), { verifier: brokenGuard });
    await expect(handler(get())).rejects.toThrow('the guard is broken');
  });

  it('rejects with the error of the handler', async () => {
    await expect(withServiceAuth(broken, { verifier })(get(bearer()))).rejects.toThrow(
      'the handler is broken',
    );
  });

  it('calls the handler before it returns, when nothing needs waiting', () => {
    const calls: (string | undefined)[] = [];
    const handler = withServiceAuth(
      (_request, caller) => {
        calls.push(caller.clientId);
        return new Response('let in');
      },
      { verifier },
    );
    const answer = handler(get(bearer()));
    expect(calls).toEqual(['billing']);
    return answer;
  });

  it('passes on what the server gives besides the request', async () => {
    const handler = withServiceAuth(
      (_request, caller, environment: { region: string }, id: number) =>
        Response.json([caller.clientId, environment.region, id]),
      { verifier },
    );
    const response = await handler(get(bearer()), { region: 'north' }, 7);
    expect(await response.json()).toEqual(['billing', 'north', 7]);
  });

  it('sets the headers of an acceptance, on a response that cannot be changed too', async () => {
    const handler = withServiceAuth(() => Response.redirect('https://orders.example/'), {
      verifier: withHeader,
    });
    const response = await handler(get());
    expect([response.status, response.headers.get('dpop-nonce')]).toEqual([302, 'nonce-1']);
    expect(response.headers.get('location')).toBe('https://orders.example/');
  });

  it.each([...untouched, ['nothing, the connection being taken over', undefined as never]] as const)(
    'leaves %s as it is',
    async (_what, response) => {
      const handler = withServiceAuth(() => response, { verifier: withHeader });
      expect(await handler(get())).toBe(response);
    },
  );

  it('sets them in place where that can be done: a copy may lose what counts', async () => {
    const response = Object.assign(new Response('let in'), { of: 'this server' });
    const answered = await withServiceAuth(() => response, { verifier: withHeader })(get());
    expect(answered).toBe(response);
    expect(answered.headers.get('dpop-nonce')).toBe('nonce-1');
  });

  it('refuses a handler that is none', () => {
    expect(() => withServiceAuth(undefined as never)).toThrow(TypeError);
  });
});
