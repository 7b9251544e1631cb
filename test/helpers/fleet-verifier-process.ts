/** A service of the tests: it wants DPoP, shares used proofs by Redis, and keeps a ledger of what it let through. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { openSync, writeSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { requireServiceAuth } from '../../adapters/express.ts';
import { createRedisStores } from '../../adapters/redis.ts';
import { createVerifier } from '../../src/index.ts';

const {
  ISSUER = '',
  AUDIENCE = '',
  REDIS_PORT = '',
  REDIS_TIMEOUT_MS = '',
  PORT = '0',
  LEDGER = '',
} = process.env;

const ledger = openSync(LEDGER, 'a');
const answers = new AsyncLocalStorage<ServerResponse>();
const client = new Redis({ host: '127.0.0.1', port: Number(REDIS_PORT) }).on('error', () => {});
const stores = createRedisStores({ client, timeoutMs: Number(REDIS_TIMEOUT_MS) });
const verifier = createVerifier({
  issuer: JSON.parse(ISSUER),
  audience: AUDIENCE,
  // As behind a balancer: a proof for one instance is one for all of them.
  publicUrl: AUDIENCE,
  dpop: { mode: 'required', replayStore: stores.replay },
  onEvent: (event) => {
    if (event.type !== 'request.rejected' && event.type !== 'request.undecided') return;
    answers.getStore()?.setHeader('x-reason', event.reason);
  },
});
await verifier.ready();
const protect = requireServiceAuth({ verifier, scope: 'read' });

const server = createServer((request, response) => {
  answers.run(response, () =>
    protect(request, response, (error) => {
      if (error !== undefined) {
        response.writeHead(500).end();
        return;
      }
      const name = request.url?.slice(request.url.indexOf('?') + 1);
      // What is written before the answer outlives the process, however that ends.
      writeSync(ledger, `${name} ${Date.now()}\n`);
      response.end('{}');
    }),
  );
});
await new Promise<void>((resolve) => server.listen(Number(PORT), '127.0.0.1', resolve));
console.log((server.address() as AddressInfo).port);
// The test has ended, however it did.
process.stdin.resume().once('end', () => process.exit());
