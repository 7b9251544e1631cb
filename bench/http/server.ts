/** One server in a process of its own, which says what its requests have cost. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { answerParent } from '../children.ts';
import { createBurstServer } from './burst.ts';
import { createExpressServer } from './express.ts';
import { createFastifyServer } from './fastify.ts';
import { createHonoServer } from './hono.ts';
import { createKoaServer } from './koa.ts';
import { createNodeServer } from './node.ts';
import type { Framework, Setup } from './routes.ts';
import { createTelemetryServer } from './telemetry.ts';
import { forgetTurns, longestTurnMs } from './turns.ts';

export type ServerName = Framework | 'burst' | 'telemetry';

export type ServerQuestion =
  | { readonly do: 'listen'; readonly name: ServerName; readonly jwk: Setup['jwk'] }
  | { readonly do: 'begin'; readonly watchLoop: boolean }
  | { readonly do: 'end' };

export interface Cost {
  /** Of all threads together. */
  readonly cpuMicroseconds: number;
  /** How long the loop stood at most; 0 where nobody watched. */
  readonly longestBlockMs: number;
  /** How long one turn of the loop verified at most; absent where nobody timed it. */
  readonly longestTurnMs?: number | undefined;
}

const servers: Readonly<Record<ServerName, (setup: Setup) => Promise<Server>>> = {
  'node:http': createNodeServer,
  Express: createExpressServer,
  Fastify: createFastifyServer,
  Hono: createHonoServer,
  Koa: createKoaServer,
  burst: createBurstServer,
  telemetry: createTelemetryServer,
};

const RESOLUTION_MS = 1;
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let before = process.cpuUsage();

async function listen(server: Server): Promise<number> {
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 2048, resolve));
  return (server.address() as AddressInfo).port;
}

answerParent(async (question: ServerQuestion): Promise<number | Cost | undefined> => {
  if (question.do === 'listen') {
    const keys = JSON.stringify({ keys: [question.jwk] });
    const issuer = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(keys);
    });
    const jwksUri = `http://127.0.0.1:${await listen(issuer)}/jwks`;
    return listen(await servers[question.name]({ jwk: question.jwk, jwksUri }));
  }
  if (question.do === 'begin') {
    loop.reset();
    forgetTurns();
    if (question.watchLoop) loop.enable();
    before = process.cpuUsage();
    return undefined;
  }
  const { user, system } = process.cpuUsage(before);
  const longestBlockMs = loop.disable() ? Math.max(loop.max / 1e6 - RESOLUTION_MS, 0) : 0;
  return { cpuMicroseconds: user + system, longestBlockMs, longestTurnMs: longestTurnMs() };
});
