/** The policy that is in force: read from its file, read again when that changes, and never dropped for a bad one. */
import { messageOf } from '../failure.ts';
import type { Journal } from '../journal.ts';
import { harmless } from '../output.ts';
import { readTextFile } from '../secret-input.ts';
import { createPolicy, type GatewayPolicy, type PolicySurroundings } from './policy.ts';

export interface PolicyKeeper {
  current(): GatewayPolicy;
  /** Reads the file again; a bad one is said and changes nothing. */
  reload(): Promise<void>;
  close(): void;
}

const WHAT = 'the file of --config';

/**
 * @throws UsageError where the file cannot be read.
 * @throws TypeError for every mistake in it.
 */
export async function readPolicy(path: string, surroundings: PolicySurroundings): Promise<GatewayPolicy> {
  return createPolicy(await readTextFile(path, WHAT), surroundings, undefined);
}

/** How often the file is read: mounted volumes give no notice of changes. */
const LOOK_MS = 1000;

/** @throws as `readPolicy`, for the first time that the file is read. */
export async function keepPolicy(
  path: string,
  surroundings: PolicySurroundings,
  journal: Journal,
): Promise<PolicyKeeper> {
  /** What was read last, good or bad; undefined while the file cannot be read. */
  let seen: string | undefined = await readTextFile(path, WHAT);
  let policy = createPolicy(seen, surroundings, undefined);
  let turn = Promise.resolve();

  async function look(isAsked: boolean): Promise<void> {
    const found = await readTextFile(path, WHAT).catch((error: unknown) => ({ error }));
    const text = typeof found === 'string' ? found : undefined;
    if (text === seen && !isAsked) return;
    seen = text;
    try {
      if (typeof found !== 'string') throw found.error;
      policy = createPolicy(found, surroundings, policy);
    } catch (error) {
      refuse(messageOf(error));
      return;
    }
    const { routes } = policy;
    journal.say('gateway.policy_loaded', { path, routes }, `policy read again: ${routes} routes`);
    warm(policy);
  }

  function refuse(message: string): void {
    const text = `service-auth gateway: the policy is NOT changed, the one before stays: ${message}`;
    journal.warn('gateway.policy_refused', { path, message }, harmless(text));
  }

  /** One after the other, so that the last state of the file is the one that stays. */
  function inTurn(isAsked: boolean): Promise<void> {
    turn = turn.then(() => look(isAsked));
    return turn;
  }

  const timer = setInterval(() => void inTurn(false), LOOK_MS);
  timer.unref();
  warm(policy);
  return {
    current: () => policy,
    reload: () => inTurn(true),
    close() {
      clearInterval(timer);
      policy.verifier.close();
    },
  };
}

/** So that the first request need not wait; what fails is said by events and tried again by requests and probes. */
function warm({ verifier }: GatewayPolicy): void {
  verifier.ready().catch(() => {});
}
