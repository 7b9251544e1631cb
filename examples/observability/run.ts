/** Metrics of an issuer, a protected service and a caller, as Prometheus scrapes them. */
import assert from 'node:assert/strict';
import { freePort } from '../kit/free-port.ts';
import { type Environment, node } from '../kit/programs.ts';
import type { Stage } from '../kit/stage.ts';

const OUTCOMES = ['accepted', 'rejected'].map((outcome) => `service_auth_outcome="${outcome}"`);

export async function run(stage: Stage): Promise<void> {
  // Prometheus looks where prometheus.yml says: at the ports that are used when none are given.
  const ports = async (): Promise<Environment> => ({
    METRICS_PORT: String(await freePort()),
    ISSUER_PORT: String(await freePort()),
    ORDERS_PORT: String(await freePort()),
  });
  const { url } = await stage.step(
    'an issuer, a protected service, a caller',
    async () => stage.start(node('observability/main.ts'), stage.check ? await ports() : {}),
    (program) => `metrics are at ${program.url}/metrics`,
  );
  if (!stage.check) return stage.stopped();
  await stage.step('calls that were accepted, and one that was not', async () => {
    let text = '';
    while (!OUTCOMES.every((outcome) => text.includes(outcome)))
      text = await (await fetch(`${url}/metrics`)).text();
    assert.doesNotMatch(text, /eyJ/);
    return 'both are counted';
  });
}
