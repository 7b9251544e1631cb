/** A service of the tests: it verifies tokens of its own making, learns by Redis which to refuse, and says since when. */
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { createRedisInvalidations } from '../../adapters/redis/invalidations.ts';
import { createVerifier, type Invalidation } from '../../src/index.ts';
import { judge } from './judge.ts';
import { audience, goodClaims, issuer, signHmac } from './tokens.ts';

const { REDIS_URL = '', TOKENS = '0' } = process.env;
const secret = 'a secret that the service shares with its issuer';
const seconds = Math.floor(Date.now() / 1000);
const tokens = Array.from({ length: Number(TOKENS) }, (_, at) =>
  signHmac(secret, {}, goodClaims({ jti: `token-${at}`, iat: seconds, exp: seconds + 3600 })),
);
const verifier = createVerifier({ issuer: { issuer, secret, algorithms: ['HS256'] }, audience });
const refusedAt: Record<string, number> = {};

/** Notes when the token is refused, not when somebody said that it should be. */
async function invalidate(what: Invalidation): Promise<void> {
  verifier.invalidate(what);
  const at = typeof what === 'object' ? Number(what.jti?.slice('token-'.length)) : -1;
  if ((await judge(verifier, tokens[at] ?? '')) === 'invalidated') refusedAt[at] ??= Date.now();
}

const [client, subscriber] = [new Redis(REDIS_URL), new Redis(REDIS_URL)];
const invalidations = createRedisInvalidations({
  client,
  subscriber,
  verifiers: [{ invalidate: (what) => void invalidate(what) }],
});
await invalidations.ready();
const outcomes = await Promise.all(tokens.map((token) => judge(verifier, token)));
console.log(`${outcomes.filter((outcome) => outcome === 'accepted').length} accepted`);

/** How many tokens are judged otherwise than they should be: those of even number are refused. */
async function countWrong(): Promise<number> {
  const judged = await Promise.all(tokens.map((token) => judge(verifier, token)));
  return judged.filter((outcome, at) => outcome !== (at % 2 === 0 ? 'invalidated' : 'accepted')).length;
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'count') console.log(Object.keys(refusedAt).length);
  if (line === 'report') console.log(JSON.stringify({ refusedAt, wrong: await countWrong() }));
}
