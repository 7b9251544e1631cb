/** Between `node:http` and the issuer: its requests as they are, without the cost of web-standard ones. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { BodyReader } from '../../shared/transport.ts';
import { parseUrl } from '../../shared/url.ts';
import { problem, textOf } from './http-answers.ts';
import type { IssuerConnection, IssuerRequest } from './incoming.ts';
import { LARGEST_BODY } from './request-body.ts';

export type IssuerHandler = (request: IssuerRequest, connection: IssuerConnection) => Promise<Response>;

/** Answers one request of a Node server. Never rejects. */
export async function answerNodeRequest(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handler: IssuerHandler,
): Promise<void> {
  try {
    const request = toRequest(incoming);
    const response =
      request === undefined
        ? problem(400, 'the request is not valid')
        : await handler(request, connectionOf(incoming.socket));
    const text = await textOf(response);
    // What was not read to its end would be taken for the next request.
    if (!incoming.complete) outgoing.shouldKeepAlive = false;
    outgoing.statusCode = response.status;
    for (const [name, value] of response.headers) outgoing.setHeader(name, value);
    outgoing.end(text);
  } catch {
    // The client went away in the middle of its request: no one is left to answer.
    outgoing.destroy();
  }
}

/**
 * Dot segments, and what the URL parser takes for the end of a path or of a segment: it would resolve them, and a proxy
 * in front may have let pass another path than is answered here.
 */
const detour = /[\\#]|\/(?:\.|%2e){1,2}(?:\/|$)/i;

/** `undefined` for targets that are no URL, or a roundabout one. */
function toRequest(incoming: IncomingMessage): IssuerRequest | undefined {
  const { method = 'GET', url: target = '/', rawHeaders } = incoming;
  // The Host header is not looked at; whatever stands here is never used for an answer.
  const url = target.startsWith('/') ? `http://localhost${target}` : target;
  const [path = ''] = target.split('?', 1);
  if (detour.test(path) || parseUrl(url) === undefined) return undefined;
  return {
    method,
    url,
    headers: { get: (name) => fieldOf(rawHeaders, name) },
    body: { getReader: () => readerOf(incoming) },
  };
}

/** All fields of a name, where `incoming.headers` would keep the first Authorization alone. */
function fieldOf(rawHeaders: readonly string[], name: string): string | null {
  const wanted = name.toLowerCase();
  let found: string | null = null;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const actual = rawHeaders[at] ?? '';
    if (actual.length !== wanted.length || actual.toLowerCase() !== wanted) continue;
    const value = rawHeaders[at + 1] ?? '';
    found = found === null ? value : `${found}, ${value}`;
  }
  return found;
}

/** Gives the body in one piece. */
function readerOf(incoming: IncomingMessage): BodyReader {
  let isRead = false;
  return {
    async read() {
      if (isRead) return { done: true };
      isRead = true;
      return { done: false, value: await readBody(incoming) };
    },
    async cancel() {},
  };
}

/** Reads the body, but no more of it than is needed to see that it is too large. */
function readBody(incoming: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (): void => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
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

const connections = new WeakMap<Socket, IssuerConnection>();

/** What is known of a connection is the same for all of its requests, and a certificate is costly to read. */
function connectionOf(socket: Socket): IssuerConnection {
  const known = connections.get(socket);
  if (known !== undefined) return known;
  const connection = Object.freeze({
    remoteAddress: socket.remoteAddress,
    encrypted: socket instanceof TLSSocket,
    ...(socket instanceof TLSSocket && certificateOf(socket)),
  });
  connections.set(socket, connection);
  return connection;
}

function certificateOf(socket: TLSSocket): IssuerConnection {
  // Empty where the client presented none.
  const certificate: { raw?: Uint8Array } | null = socket.getPeerCertificate();
  return certificate?.raw === undefined
    ? {}
    : { peerCertificate: certificate.raw, peerCertificateVerified: socket.authorized };
}
