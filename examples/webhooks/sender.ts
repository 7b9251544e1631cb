/** Tells subscribers what has happened. Each call is made with a token for that subscriber alone, bound to a key. */
import { createAuthedFetch } from 'service-auth';

export interface SenderOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where subscribers listen, each for tokens of its own. */
  readonly subscribers: readonly string[];
}

export interface Delivery {
  readonly subscriber: string;
  /** Of the answer, or why there was none. */
  readonly outcome: number | string;
}

export interface Sender {
  /** Sends an event to all; `id` is the same however often it is sent. */
  send(event: { readonly id: string; readonly type: string }): Promise<readonly Delivery[]>;
  close(): void;
}

export function createSender({ subscribers, ...client }: SenderOptions): Sender {
  const authedFetch = createAuthedFetch({
    ...client,
    scope: 'webhooks:deliver',
    // Whoever finds a token in a log can do nothing with it.
    dpop: { algorithm: 'EdDSA' },
    targets: subscribers.map((url) => ({ origin: new URL(url).origin, resource: url })),
  });

  async function deliver(subscriber: string, event: object): Promise<Delivery> {
    try {
      const response = await authedFetch(subscriber, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(event),
        signal: AbortSignal.timeout(10_000),
      });
      await response.body?.cancel();
      return { subscriber, outcome: response.status };
    } catch (error) {
      // One that is away takes nothing from the others.
      return { subscriber, outcome: error instanceof Error ? error.message : 'it failed' };
    }
  }

  return {
    send: (event) => Promise.all(subscribers.map((subscriber) => deliver(subscriber, event))),
    close: () => authedFetch.close(),
  };
}
