/** 100,000 proofs, each sent to two of eight instances: one of the two lets it through, and the other does not. */
import { calculateJwkThumbprint } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Callers,
  createCallerKey,
  type Fleet,
  SERVICE,
  startCallers,
  startFleet,
} from '../helpers/fleet.ts';
import { printTable } from '../helpers/fleet-counts.ts';
import { hasRedis, type PrivateRedis, startRedis } from '../helpers/redis.ts';
import { createKey, issuer, mint } from '../helpers/tokens.ts';

const INSTANCES = 8;
const CALLERS = 2;
const PROOFS = 4_000;

describe.runIf(hasRedis())('eight verifier processes and one Redis', () => {
  let redis: PrivateRedis;
  let fleet: Fleet;
  let callers: Callers;

  beforeAll(async () => {
    const [signer, key] = await Promise.all([createKey('ES256'), createCallerKey()]);
    redis = await startRedis();
    fleet = await startFleet({
      count: INSTANCES,
      issuer: { issuer, jwks: { keys: [signer.publicJwk] } },
      redisPort: redis.port,
      // A machine that is busy is no fault: here every proof is to be decided.
      redisTimeoutMs: 60_000,
    });
    callers = await startCallers({ fleet, key, count: CALLERS, atOnce: 16, proofs: PROOFS / CALLERS });
    const iat = Math.floor(Date.now() / 1000);
    const cnf = { jkt: await calculateJwkThumbprint({ ...key.privateJwk, kty: 'EC' }) };
    await callers.useToken(await mint(signer, { aud: SERVICE, scope: 'read', iat, exp: iat + 3600, cnf }));
  });
  afterAll(async () => {
    await Promise.all([callers?.remove(), fleet?.remove()]);
    await redis?.remove();
  });

  it('let each of 100,000 proofs through once', { timeout: 600_000 }, async () => {
    const begun = performance.now();
    await callers.run();
    const { counts, reasons, acceptedBy } = await callers.ended();
    const seconds = (performance.now() - begun) / 1000;
    const ledger = [...fleet.ledger().values()];
    printTable('', [
      {
        proofs: counts.proofs,
        accepted: counts.accepted,
        'accepted twice': ledger.filter((times) => times.length > 1).length,
        'replays refused': counts.replaysRefused,
        undecided: counts.undecided,
        unanswered: counts.unanswered,
        'requests/s': Math.round((2 * PROOFS) / seconds),
        seconds: Math.round(seconds),
      },
    ]);
    expect(counts).toEqual({
      proofs: PROOFS,
      accepted: PROOFS,
      acceptedTwice: 0,
      goodRefused: 0,
      replaysRefused: PROOFS,
      bad: 0,
      badAccepted: 0,
      undecided: 0,
      unanswered: 0,
      odd: 0,
    });
    expect(reasons).toEqual({ replayed_proof: PROOFS });
    // As the services themselves saw it.
    expect(ledger).toHaveLength(PROOFS);
    expect(new Set(ledger.map((times) => times.length))).toEqual(new Set([1]));
    // None of them stood aside.
    for (const count of acceptedBy) expect(count).toBeGreaterThan(PROOFS / INSTANCES / 2);
  });
});
