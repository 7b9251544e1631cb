/** One address before several servers of HTTP, of which some may be gone. */
import { once } from 'node:events';
import { createServer, request as forward, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Balancer {
  readonly url: string;
  readonly backends: string[];
  /** How many requests had to be sent to another backend. */
  failovers(): number;
  close(): Promise<void>;
}

interface WholeAnswer {
  readonly answer: IncomingMessage;
  readonly content: Buffer;
}

/** Sends requests to its backends in turn, and to the other ones where no whole answer comes in time. */
export async function startBalancer(answerTimeoutMs = 60_000): Promise<Balancer> {
  const backends: string[] = [];
  let turn = 0;
  let failovers = 0;

  async function send({ method, url, headers }: IncomingMessage, body: Buffer): Promise<WholeAnswer> {
    const first = turn++;
    for (let attempt = 0; ; attempt++) {
      const backend = backends[(first + attempt) % backends.length];
      try {
        const signal = AbortSignal.timeout(answerTimeoutMs);
        const outgoing = forward(`${backend}${url}`, { method, headers, signal });
        outgoing.end(body);
        const [answer]: IncomingMessage[] = await once(outgoing, 'response');
        if (answer === undefined) throw new Error('there is no answer');
        return { answer, content: await buffer(answer) };
      } catch (error) {
        failovers++;
        if (attempt === backends.length - 1) throw error;
      }
    }
  }

  const server = createServer(async (incoming, response) => {
    try {
      const { answer, content } = await send(incoming, await buffer(incoming));
      response.writeHead(answer.statusCode ?? 502, answer.headers).end(content);
    } catch {
      response.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    backends,
    failovers: () => failovers,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
