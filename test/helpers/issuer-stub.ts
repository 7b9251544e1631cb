/** A remote issuer that answers what a test says, over a real socket. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface IssuerStub {
  readonly url: string;
  readonly requests: readonly string[];
  /** What every request gets from now on. */
  answer: Answer;
  close(): Promise<void>;
}

export async function startIssuerStub(first: Answer): Promise<IssuerStub> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    stub.answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stub: IssuerStub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: first,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return stub;
}

/** Answers discovery and key set properly. */
export function publishes(url: () => string, jwks: () => object): Answer {
  return (request, response) => {
    response.setHeader('content-type', 'application/json');
    const metadata = { issuer: url(), jwks_uri: `${url()}/jwks` };
    response.end(JSON.stringify(request.url === '/jwks' ? jwks() : metadata));
  };
}
