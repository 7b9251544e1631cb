/** A subscription that comes back after every loss of its connection. */
import { within } from '../../src/shared/deadline.ts';
import { type CallingRedisClient, RedisFailure, type SendingRedisClient } from './client.ts';

interface Emitter {
  on(event: 'ready' | 'error', listener: () => void): unknown;
  off(event: 'ready' | 'error', listener: () => void): unknown;
}

type MessageListener = (channel: string, message: string) => void;

/** `Redis` and `Cluster` of ioredis and of iovalkey. */
export interface CallingRedisSubscriber extends CallingRedisClient, Emitter {
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: 'ready' | 'error', listener: () => void): unknown;
  on(event: 'message', listener: MessageListener): unknown;
  off(event: 'ready' | 'error', listener: () => void): unknown;
  off(event: 'message', listener: MessageListener): unknown;
}

/** A client or a cluster of node-redis. */
export interface SendingRedisSubscriber extends Emitter {
  readonly sendCommand: SendingRedisClient['sendCommand'] | ((...args: never[]) => Promise<unknown>);
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string, listener: () => void): Promise<unknown>;
}

/** A connection of its own: one that has subscribed takes no other commands. */
export type RedisSubscriber = CallingRedisSubscriber | SendingRedisSubscriber;

export interface SubscriptionOptions {
  readonly subscriber: RedisSubscriber;
  readonly channel: string;
  readonly timeoutMs: number;
  readonly onMessage: (message: string) => void;
  /** Told of each new connection, over which messages may have been lost. */
  readonly onReady: () => void;
}

export interface Subscription {
  /** Subscribes where that is not so yet. @throws (rejects with) RedisFailure */
  ensure(): Promise<void>;
  /** Leaves the channel. The connection stays open: it is its maker's. */
  close(): Promise<void>;
}

export function createSubscription(options: SubscriptionOptions): Subscription {
  const { subscriber, channel, timeoutMs, onMessage, onReady } = options;
  let subscribed = false;
  /** Clients may queue a command for as long as Redis is away: there is never more than one for each connection. */
  let subscribing: Promise<void> | undefined;

  const onText = (message?: unknown): void => {
    if (typeof message === 'string') onMessage(message);
  };
  const onChannelMessage = (from: string, message: string): void => {
    if (from === channel) onMessage(message);
  };
  const onConnection = (): void => {
    subscribed = false;
    // A client may forget what it had sent over the connection before, and never settle that.
    subscribing = undefined;
    onReady();
  };
  const onError = (): void => {};

  function subscribe(): Promise<void> {
    const asked =
      'call' in subscriber ? subscriber.subscribe(channel) : subscriber.subscribe(channel, onText);
    const attempt = asked
      .then(() => {
        if (subscribing === attempt) subscribed = true;
      })
      .finally(() => {
        if (subscribing === attempt) subscribing = undefined;
      });
    return attempt;
  }

  if ('call' in subscriber) subscriber.on('message', onChannelMessage);
  // Where nobody listens, node-redis ends the whole program when a connection breaks.
  subscriber.on('error', onError);
  subscriber.on('ready', onConnection);

  return {
    async ensure() {
      if (subscribed) return;
      try {
        subscribing ??= subscribe();
        await within(timeoutMs, subscribing, () => {
          throw new RedisFailure('timeout', `no subscription within ${timeoutMs} ms`);
        });
      } catch (error) {
        if (error instanceof RedisFailure) throw error;
        throw new RedisFailure('unavailable', 'Redis failed (no subscription)');
      }
    },
    async close() {
      subscriber.off('ready', onConnection);
      if ('call' in subscriber) subscriber.off('message', onChannelMessage);
      const leave =
        'call' in subscriber ? subscriber.unsubscribe(channel) : subscriber.unsubscribe(channel, onText);
      await within(timeoutMs, leave, () => undefined).catch(() => {});
    },
  };
}
