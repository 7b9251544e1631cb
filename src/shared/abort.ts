/** Aborting: many may wait under one signal, so each signal gets one listener, and no warning of too many. */

/** The part of an `AbortSignal` that is used here. */
export type EndSignal = Pick<AbortSignal, 'aborted' | 'reason' | 'throwIfAborted'> & {
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
};

/**
 * Makes the signal of a client that may be closed. An `AbortController` will not do: on Cloudflare Workers it belongs
 * to the request that made it, and clients serve many.
 */
export function createEnding(): { readonly signal: EndSignal; end(reason: Error): void } {
  const listeners = new Set<() => void>();
  let ended: Error | undefined;
  return {
    signal: {
      get aborted() {
        return ended !== undefined;
      },
      get reason() {
        return ended;
      },
      throwIfAborted() {
        if (ended !== undefined) throw ended;
      },
      addEventListener: (_type, listener) => void listeners.add(listener),
      removeEventListener: (_type, listener) => void listeners.delete(listener),
    },
    end(reason) {
      ended ??= reason;
      for (const listener of [...listeners]) listener();
    },
  };
}

const watchers = new WeakMap<EndSignal, Watcher>();

/** Calls back once the signal is aborted, at once if it is; gives the function that takes the callback off. */
export function onAbort(signal: EndSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback();
    return () => {};
  }
  const watcher = watchers.get(signal) ?? watch(signal);
  watcher.add(callback);
  return () => watcher.remove(callback);
}

interface Watcher {
  add(callback: () => void): void;
  remove(callback: () => void): void;
}

function watch(signal: EndSignal): Watcher {
  const callbacks = new Set<() => void>();
  const callAll = (): void => {
    for (const callback of [...callbacks]) callback();
  };
  signal.addEventListener('abort', callAll);
  const watcher: Watcher = {
    add: (callback) => void callbacks.add(callback),
    remove(callback) {
      // Runtimes keep a signal made of others alive for as long as somebody listens to it.
      if (!callbacks.delete(callback) || callbacks.size > 0) return;
      signal.removeEventListener('abort', callAll);
      watchers.delete(signal);
    },
  };
  watchers.set(signal, watcher);
  return watcher;
}

/**
 * Waits for a promise only as long as the signal allows. What is waited for goes on, for others wait for it too.
 *
 * @throws the signal's reason once it is aborted.
 */
export function unlessAborted<T>(promise: Promise<T>, signal: EndSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const waiter: Waiter<T> = { resolve, reject, off: undefined };
    waiter.off = onAbort(signal, () => {
      reject(signal.reason);
      release(waiter);
    });
    settleWith(promise, waiter);
  });
}

interface Waiter<T> {
  resolve: ((value: T) => void) | undefined;
  reject: ((error: unknown) => void) | undefined;
  off: (() => void) | undefined;
}

/** Apart, so that what is waited for, which may last, holds nothing of those who wait no longer. */
function settleWith<T>(promise: Promise<T>, waiter: Waiter<T>): void {
  promise.then(
    (value) => {
      waiter.resolve?.(value);
      release(waiter);
    },
    (error: unknown) => {
      waiter.reject?.(error);
      release(waiter);
    },
  );
}

function release<T>(waiter: Waiter<T>): void {
  waiter.off?.();
  waiter.off = undefined;
  waiter.resolve = undefined;
  waiter.reject = undefined;
}
