/** What a client does that real ones do only now and then. */
import { EventEmitter } from 'node:events';
import { afterEach, expect, it, vi } from 'vitest';
import type { CallingRedisSubscriber } from '../../../adapters/redis/subscription.ts';
import { createSubscription } from '../../../adapters/redis/subscription.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** A client whose first subscription never comes to an end. */
function createForgetful() {
  const emitter = new EventEmitter();
  const subscribe = vi.fn(
    (): Promise<unknown> => (subscribe.mock.calls.length === 1 ? new Promise(() => {}) : Promise.resolve(1)),
  );
  const subscriber: CallingRedisSubscriber = {
    call: async () => 1,
    subscribe,
    unsubscribe: async () => 1,
    on: (event: string, listener: (...args: never[]) => void) => emitter.on(event, listener as () => void),
    off: (event: string, listener: (...args: never[]) => void) => emitter.off(event, listener as () => void),
  };
  const onReady = vi.fn();
  const onMessage = vi.fn();
  const options = { subscriber, channel: 'channel', timeoutMs: 50, onMessage, onReady };
  return { emitter, subscribe, onReady, subscription: createSubscription(options) };
}

it('what a client forgot with its connection is asked for anew over the next', async () => {
  vi.useFakeTimers();
  const { emitter, subscribe, onReady, subscription } = createForgetful();
  const first = expect(subscription.ensure()).rejects.toThrow('no subscription within 50 ms');
  await vi.advanceTimersByTimeAsync(60);
  await first;

  // Over one and the same connection there is never a second one in the queue.
  const second = expect(subscription.ensure()).rejects.toThrow('no subscription within 50 ms');
  await vi.advanceTimersByTimeAsync(60);
  await second;
  expect(subscribe).toHaveBeenCalledTimes(1);

  emitter.emit('ready');
  expect(onReady).toHaveBeenCalledTimes(1);
  await subscription.ensure();
  await subscription.ensure();
  expect(subscribe).toHaveBeenCalledTimes(2);
});

it('each new connection is subscribed once', async () => {
  const { emitter, subscribe, subscription } = createForgetful();
  emitter.emit('ready');
  void subscription.ensure().catch(() => {});
  for (let connection = 0; connection < 3; connection++) {
    emitter.emit('ready');
    await Promise.all([subscription.ensure(), subscription.ensure()]);
  }
  expect(subscribe).toHaveBeenCalledTimes(4);
});
