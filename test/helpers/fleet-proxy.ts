/** A network between services and their Redis, which can be slow and can break. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

export interface SlowProxy {
  readonly port: number;
  /** Keeps all that comes from now on for so long, either way. */
  delay(milliseconds: number): void;
  /** Breaks every connection; new ones are taken. */
  cut(): void;
  close(): Promise<void>;
}

export async function startSlowProxy(serverPort: number): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  let delayMs = 0;

  /** What came first goes first, however the delay is changed meanwhile. */
  async function carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from) {
        if (delayMs > 0) await wait(delayMs);
        if (!to.write(chunk)) await once(to, 'drain');
      }
    } catch {
      // The connection broke, and so does the other half.
    } finally {
      from.destroy();
      to.destroy();
    }
  }

  const proxy = createServer((client) => {
    const server = connect(serverPort, '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket.setNoDelay().on('error', () => {}));
      socket.once('close', () => sockets.delete(socket));
    }
    void carry(client, server);
    void carry(server, client);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));

  function cut(): void {
    for (const socket of sockets) socket.destroy();
  }

  return {
    port: (proxy.address() as AddressInfo).port,
    delay(milliseconds) {
      delayMs = milliseconds;
    },
    cut,
    async close() {
      const closed = new Promise((resolve) => proxy.close(resolve));
      cut();
      await closed;
    },
  };
}
