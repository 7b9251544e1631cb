/** Between `node:http` and web-standard requests. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { problem } from './http-answers.ts';
import { LARGEST_BODY } from './request-body.ts';

type WebHandler = (request: Request) => Promise<Response>;

/** Answers one request of a Node server with a web-standard handler. Never rejects. */
export async function answerNodeRequest(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handler: WebHandler,
): Promise<void> {
  try {
    const body = await readBody(incoming);
    // More than the handler will take was not read to its end, so the connection cannot be used again.
    if (body.length > LARGEST_BODY) outgoing.shouldKeepAlive = false;
    const request = toRequest(incoming, body);
    const response =
      request === undefined ? problem(400, 'the request is not valid') : await handler(request);
    outgoing.statusCode = response.status;
    for (const [name, value] of response.headers) outgoing.setHeader(name, value);
    outgoing.end(await response.text());
  } catch {
    // The client went away in the middle of its request: no one is left to answer.
    outgoing.destroy();
  }
}

/** Reads the body, but no more of it than is needed to see that it is too large. */
function readBody(incoming: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (): void => resolve(Buffer.concat(chunks, Math.min(length, LARGEST_BODY + 1)));
    incoming.on('data', (chunk: Buffer) => {
      if (length > LARGEST_BODY) return;
      chunks.push(chunk);
      length += chunk.length;
      if (length > LARGEST_BODY) finish();
    });
    incoming.on('end', finish);
    incoming.on('error', reject);
    incoming.on('close', () => reject(new Error('the connection was closed')));
  });
}

/** `undefined` for what the web's `Request` cannot be: TRACE, CONNECT, targets that are no URL. */
function toRequest(incoming: IncomingMessage, body: Buffer<ArrayBuffer>): Request | undefined {
  const { method = 'GET', url = '/' } = incoming;
  // The Host header is not looked at; whatever stands here is never used for an answer.
  const target = url.startsWith('/') ? `http://localhost${url}` : url;
  const headers = new Headers();
  const { rawHeaders } = incoming;
  try {
    // All fields of a name, where `incoming.headers` would keep the first Authorization alone.
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
    }
    return new Request(target, { method, headers, ...(body.length > 0 && { body }) });
  } catch {
    return undefined;
  }
}
