import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface CuttingProxy {
  readonly port: number;
  /** Lets the next command through, and breaks the connection in place of its answer. */
  cutNextAnswer(): void;
  cuts(): number;
}

/** Stands between a client and a server until the test ends. */
export async function startCuttingProxy(serverPort: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let isCutting = false;
  let count = 0;
  const proxy = createServer((client) => {
    const server = connect(serverPort, '127.0.0.1');
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) sockets.add(socket.on('error', end).on('close', end));
    client.pipe(server);
    server.on('data', (answer) => {
      if (!isCutting) return void client.write(answer);
      isCutting = false;
      count++;
      end();
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  });
  return {
    port: (proxy.address() as AddressInfo).port,
    cutNextAnswer: () => {
      isCutting = true;
    },
    cuts: () => count,
  };
}
