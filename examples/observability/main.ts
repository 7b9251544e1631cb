/**
 * An issuer, a protected service and a caller in one process, whose metrics Prometheus can scrape:
 * `npm run example observability`.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { createAuthedFetch, createVerifier } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';
import { createAdminClient, memoryStorage, serveIssuer } from 'service-auth/issuer';
import { metricsUrl, stopTelemetry, telemetry } from './telemetry.ts';

const ISSUER_PORT = Number(process.env.ISSUER_PORT ?? 9465);
const ORDERS_PORT = Number(process.env.ORDERS_PORT ?? 9466);
const seconds = Number(process.argv[2] ?? 3600);
const issuer = `http://127.0.0.1:${ISSUER_PORT}`;
const orders = `http://127.0.0.1:${ORDERS_PORT}`;
const { onEvent } = telemetry;

const adminToken = randomBytes(32).toString('base64url');
const issuing = await serveIssuer({
  issuer,
  port: ISSUER_PORT,
  adminToken,
  storage: memoryStorage(),
  onEvent,
});
const admin = createAdminClient({ issuer, adminToken });
const { clientId, clientSecret } = await admin.services.create({
  name: 'billing',
  scopes: ['orders:read'],
  resources: [orders],
});

const verifier = createVerifier({ issuer, audience: orders, onEvent });
telemetry.watch(verifier);
const protect = requireServiceAuth({ verifier, scope: 'orders:read' });
const service = createServer((request, response) => {
  protect(request, response, (error) => {
    // Where judging failed, nobody is let in.
    response.statusCode = error === undefined ? 200 : 500;
    response.end(error === undefined ? 'an order' : '');
  });
});
await new Promise<void>((resolve) => service.listen(ORDERS_PORT, '127.0.0.1', resolve));

console.log(`metrics are at ${metricsUrl}, for ${seconds} seconds`);
const authedFetch = createAuthedFetch({ issuer, clientId, clientSecret, resource: orders, onEvent });
for (let at = 0; at < seconds * 10; at++) {
  await (await authedFetch(orders)).text();
  if (at % 20 === 0) await (await fetch(orders)).text();
  await pause(100);
}

service.close();
service.closeAllConnections();
await issuing.close();
await stopTelemetry();
