/**
 * Proofs, each sent to two of eight instances: one of the two lets it through, and the other does not. So many as
 * `FLEET_PROOFS` says.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Callers, createCallerKey, type Fleet, startCallers, startFleet } from '../helpers/fleet.ts';
import { printTable } from '../helpers/fleet-counts.ts';
import { createFleetToken } from '../helpers/fleet-token.ts';
import { hasRedis, type PrivateRedis, startRedis } from '../helpers/redis.ts';

const INSTANCES = 8;
const CALLERS = 2;
const PROOFS = Number(process.env.FLEET_PROOFS ?? 100_000);
/** A machine that is busy is no fault: here every proof is to be decided. */
const PATIENT_MS = 60_000;

describe.runIf(hasRedis())('eight verifier processes and one Redis', () => {
  let redis: PrivateRedis;
  let fleet: Fleet;
  let callers: Callers;

  beforeAll(async () => {
    const key = await createCallerKey();
    const { token, issuer } = await createFleetToken(key);
    redis = await startRedis();
    fleet = await startFleet({
      count: INSTANCES,
      issuer,
      redisPort: redis.port,
      redisTimeoutMs: PATIENT_MS,
    });
    callers = await startCallers({
      fleet,
      key,
      count: CALLERS,
      atOnce: 16,
      answerTimeoutMs: PATIENT_MS,
      proofs: PROOFS / CALLERS,
    });
    await callers.useToken(token);
  });
  afterAll(async () => {
    await Promise.all([callers?.remove(), fleet?.remove()]);
    await redis?.remove();
  });

  it(`let each of ${PROOFS} proofs through once`, { timeout: 600_000 }, async () => {
    const begun = performance.now();
    await callers.run();
    const { counts, reasons, acceptedBy } = await callers.ended();
    const seconds = (performance.now() - begun) / 1000;
    const ledger = [...fleet.ledger().values()];
    printTable([
      {
        proofs: counts.proofs,
        'to both at once': counts.together,
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
      together: expect.any(Number),
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
    expect(counts.together).toBeGreaterThan(PROOFS / 5);
    expect(reasons).toEqual({ replayed_proof: PROOFS });
    // As the services themselves saw it.
    expect(ledger).toHaveLength(PROOFS);
    expect(new Set(ledger.map((times) => times.length))).toEqual(new Set([1]));
    // None of them stood aside.
    for (const count of acceptedBy) expect(count).toBeGreaterThan(PROOFS / INSTANCES / 2);
  });
});
