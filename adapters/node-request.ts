import type { IncomingMessage } from 'node:http';
import type { AuthRequest } from '../src/index.ts';

/** The part of Node's request that is read; HTTP/2 compatibility requests have it too. */
export type NodeRequest = Pick<IncomingMessage, 'method' | 'headers' | 'rawHeaders'>;

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

  /**
   * A header, with fields that came several times joined as `Headers` joins them. Node keeps only the first
   * `Authorization`, and which one a proxy before it looked at is anybody's guess.
   */
  get(name: string): string | undefined {
    const value = this.#request.headers[name];
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return value.join(', ');
    return name === 'authorization' ? this.#joined(name, value) : value;
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
