import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { AuthRequest, Connection } from '../src/index.ts';

/** The part of Node's request that is read; HTTP/2 compatibility requests have it too. */
export type NodeRequest = Pick<IncomingMessage, 'method' | 'headers' | 'rawHeaders'> & {
  readonly socket?: Socket;
};

/** A view of Node's request for the verifier: one small object, nothing copied. */
export class NodeRequestView implements AuthRequest {
  readonly #request: NodeRequest;
  /** The URL as it came, before any framework rewrote it while routing. */
  readonly url: string;

  constructor(request: NodeRequest, url: string) {
    this.#request = request;
    this.url = url;
  }

  get method(): string {
    return this.#request.method ?? 'GET';
  }

  get headers(): this {
    return this;
  }

  get source(): object {
    return this.#request;
  }

  get connection(): Connection | undefined {
    const { socket } = this.#request;
    return socket === undefined ? undefined : new SocketView(socket);
  }

  /**
   * A header, with fields that came several times joined as `Headers` joins them. Node keeps only the first
   * `Authorization` and `Host`, and which one a proxy before it looked at is anybody's guess.
   */
  get(name: string): string | undefined {
    const { headers } = this.#request;
    const value = headers[name];
    // HTTP/2 has a pseudo-header instead (RFC 9113 section 8.3.1).
    if (value === undefined) return name === 'host' ? asText(headers[':authority']) : undefined;
    if (typeof value !== 'string') return asText(value);
    return name === 'authorization' || name === 'host' ? this.#joined(name, value) : value;
  }

  #joined(name: string, first: string): string {
    const raw = this.#request.rawHeaders;
    let found = 0;
    let joined = first;
    for (let at = 0; at < raw.length; at += 2) {
      const field = raw[at];
      if (field?.length !== name.length || field.toLowerCase() !== name) continue;
      if (++found > 1) joined += `, ${raw[at + 1]}`;
    }
    return joined;
  }
}

/** What a verifier may ask of the socket that a request came over. */
export class SocketView implements Connection {
  readonly #socket: Socket & Partial<Pick<TLSSocket, 'encrypted' | 'getPeerX509Certificate'>>;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get encrypted(): boolean {
    return this.#socket.encrypted === true;
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.#socket.getPeerX509Certificate?.()?.raw;
  }
}

function asText(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(', ') : value;
}
