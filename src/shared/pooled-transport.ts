import { loadUndici, type Undici } from './runtime.ts';
import {
  type AnswerHeaders,
  type Fetch,
  fetchTransport,
  joinBytes,
  type Transport,
  type TransportRequest,
} from './transport.ts';

/**
 * The fastest transport that this runtime has: undici's requests over kept connections on Node where the package is
 * installed, the global `fetch` elsewhere; a fetch that was injected always counts.
 */
export function createPooledTransport(fetch: Fetch | undefined): Transport {
  if (fetch !== undefined) return fetchTransport(fetch);
  const overFetch = fetchTransport((url, init) => globalThis.fetch(url, init));
  let undici: Promise<Undici | undefined> | undefined;
  let loaded: Undici | undefined;
  return async (request) => {
    if (loaded === undefined) {
      undici ??= loadUndici();
      loaded = await undici;
    }
    return loaded === undefined ? overFetch(request) : overUndici(loaded, request);
  };
}

async function overUndici(
  undici: Undici,
  { url, body, headers, maxBytes, signal }: TransportRequest,
): ReturnType<Transport> {
  const answer = await undici.request(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    body: body ?? null,
    signal,
  });
  const status = answer.statusCode;
  const found: AnswerHeaders = {
    get(name) {
      const value = answer.headers[name];
      return value === undefined ? null : typeof value === 'string' ? value : value.join(', ');
    },
  };
  const redirected = status >= 300 && status < 400;
  const length = Number(found.get('content-length') ?? Number.NaN);
  if (redirected || length > maxBytes) {
    void answer.body.dump().catch(() => {});
    return { status, headers: found, redirected, bytes: undefined };
  }
  // No more than the length that was said can come; where none was, every chunk is counted.
  const bytes = Number.isNaN(length)
    ? await readCounted(answer.body, maxBytes)
    : new Uint8Array(await answer.body.arrayBuffer());
  return { status, headers: found, redirected, bytes };
}

async function readCounted(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.byteLength;
    // Leaving the loop ends the connection.
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return joinBytes(chunks, length);
}
