/** How bytes travel: one exchange, of which nothing is judged yet. */
import type { Bytes } from './runtime.ts';

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

export interface TransportRequest {
  readonly url: string;
  /** A body makes it a POST. */
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** No more of the answer's body is read. */
  readonly maxBytes: number;
  /** Rejects once nobody waits for the answer any more: far cheaper than an AbortSignal for every request. */
  readonly interrupted: Promise<never>;
}

export interface AnswerHeaders {
  get(name: string): string | null;
}

export interface TransportAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  /** A redirect is reported, never followed. */
  readonly redirected: boolean;
  /** `undefined` where the body is larger than allowed. */
  readonly bytes: Bytes | undefined;
}

/** Sends one request; rejects with whatever broke. */
export type Transport = (request: TransportRequest) => Promise<TransportAnswer>;

/** A transport over any function that looks like `fetch`. */
export function fetchTransport(fetch: Fetch): Transport {
  return async ({ url, body, headers, maxBytes, interrupted }) => {
    const controller = new AbortController();
    interrupted.catch(() => controller.abort());
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      // Not 'error': Cloudflare Workers know only 'manual' and 'follow'.
      redirect: 'manual',
      signal: controller.signal,
      ...(body !== undefined && { body }),
    });
    const { status } = response;
    // An injected fetch may have followed it in spite of what was asked.
    const redirected =
      response.redirected || response.type === 'opaqueredirect' || (status >= 300 && status < 400);
    if (redirected) void response.body?.cancel().catch(() => {});
    const bytes = redirected ? undefined : await readBounded(response, maxBytes);
    return { status, headers: response.headers, redirected, bytes };
  };
}

export type BodyPart =
  | { readonly done: false; readonly value: Uint8Array }
  | { readonly done: true; readonly value?: Uint8Array | undefined };

export interface BodyReader {
  read(): Promise<BodyPart>;
  cancel(): Promise<void>;
}

/** What is needed of a request or response to read its body. */
export interface BodySource {
  readonly body: { getReader(): BodyReader } | null;
  readonly headers: AnswerHeaders;
}

/** Reads the body of a request or response; `undefined`, and no more read, where it is larger than allowed. */
export async function readBounded(
  { body, headers }: BodySource,
  maxBytes: number,
): Promise<Bytes | undefined> {
  const reader = body?.getReader();
  if (reader === undefined) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  let tooLarge = Number(headers.get('content-length')) > maxBytes;
  while (!tooLarge) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.byteLength;
    tooLarge = length > maxBytes;
    chunks.push(value);
  }
  if (tooLarge) {
    void reader.cancel().catch(() => {});
    return undefined;
  }
  return joinBytes(chunks, length);
}

export function joinBytes(chunks: readonly Uint8Array[], length: number): Bytes {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
