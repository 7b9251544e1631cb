import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler } from 'express';
import express4 from 'express4';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { requireServiceAuth } from '../../../adapters/express.ts';
import type { AuthOutcome } from '../../../src/index.ts';
import {
  bearer,
  lateWithHeader,
  refusal,
  rejecting,
  throwing,
  verifier,
  verifierOf,
  withHeader,
} from './support.ts';

const reportError: ErrorRequestHandler = (error: Error, _request, response, _next) => {
  response.status(500).send(error.message);
};

describe.each([
  ['express 5', express],
  ['express 4', express4],
])('%s', (_name, make) => {
  it.each([
    ['throws', throwing],
    ['rejects', rejecting],
  ])('passes the error of a guard that %s to next', async (_how, broken) => {
    const app = make();
    app.get('/', requireServiceAuth({ verifier: broken }), (_request, response) => {
      response.send('let in');
    });
    app.use(reportError);
    const { status, text } = await request(app).get('/');
    expect({ status, text }).toEqual({ status: 500, text: 'the guard is broken' });
  });

  it.each(['at once', 'late'])('leaves errors of handlers to the application (%s)', async (when) => {
    const app = make();
    const check = when === 'late' ? async () => true : () => true;
    app.get('/', requireServiceAuth({ verifier, check }), () => {
      throw new Error('the handler is broken');
    });
    app.use(reportError);
    const { status, text } = await request(app).get('/').set(bearer());
    expect({ status, text }).toEqual({ status: 500, text: 'the handler is broken' });
  });

  it('shows checks the URL as it came, inside a router too', async () => {
    const seen: (string | undefined)[] = [];
    const router = make.Router();
    const check = (_caller: unknown, inbound: { url: string } | undefined): boolean => {
      seen.push(inbound?.url);
      return true;
    };
    router.get('/orders', requireServiceAuth({ verifier, check }), (_request, response) => {
      response.send('let in');
    });
    await request(make().use('/v1', router)).get('/v1/orders?page=2').set(bearer()).expect(200);
    expect(seen).toEqual(['/v1/orders?page=2']);
  });

  it('sets the headers of an acceptance', async () => {
    const app = make();
    app.get('/', requireServiceAuth({ verifier: withHeader }), (_request, response) => {
      response.send('let in');
    });
    await request(app).get('/').expect(200).expect('DPoP-Nonce', 'nonce-1');
  });
});

it('calls next before it returns, when nothing needs waiting', async () => {
  const order: string[] = [];
  const protect = requireServiceAuth({ verifier });
  const server = createServer((incoming, response) => {
    protect(incoming, response, () => order.push('next'));
    order.push('returned');
    response.end();
  });
  await request(server).get('/').set(bearer());
  expect(order).toEqual(['next', 'returned']);
});

it('passes what a guard throws to next on a bare server', async () => {
  const protect = requireServiceAuth({ verifier: throwing });
  const server = createServer((incoming, response) => {
    protect(incoming, response, (error) => response.end(String(error)));
  });
  const { text } = await request(server).get('/');
  expect(text).toBe('Error: the guard is broken');
});

it.each([
  ['at once', withHeader],
  ['late', lateWithHeader],
])('a handler that throws on a bare server ends nothing but its request (%s)', async (_when, guarded) => {
  const protect = requireServiceAuth({ verifier: guarded });
  const server = createServer((incoming, response) => {
    const fail = (error: unknown): void => {
      response.statusCode = 500;
      response.end(String(error));
    };
    try {
      protect(incoming, response, (error) => {
        if (error !== undefined) return fail(error);
        throw new Error('the handler is broken');
      });
    } catch (error) {
      fail(error);
    }
  });
  const { status, text } = await request(server).get('/').expect('DPoP-Nonce', 'nonce-1');
  expect({ status, text }).toEqual({ status: 500, text: 'Error: the handler is broken' });
});

describe('a response that was sent while the guard waited', () => {
  it.each([
    ['a refusal', refusal],
    ['an acceptance', async (): Promise<AuthOutcome> => ({ ok: true, caller: undefined })],
  ])('is left alone by %s', async (_what, conclude) => {
    let settle = (_outcome: AuthOutcome): void => {};
    const late = new Promise<AuthOutcome>((resolve) => {
      settle = resolve;
    });
    const protect = requireServiceAuth({ verifier: verifierOf(() => late) });
    const calls: unknown[] = [];
    const server: Server = createServer((incoming, response) => {
      protect(incoming, response, (error) => calls.push(error));
      response.writeHead(504).end('too late');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    expect([answer.status, await answer.text()]).toEqual([504, 'too late']);
    // A middleware that wrote now would throw where nobody catches, which the runner reports.
    settle(await conclude());
    await new Promise((resolve) => server.close(resolve));
    expect(calls).toEqual([]);
  });
});
