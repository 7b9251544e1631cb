import { loadUndici, type Undici, type UndiciController, type UndiciDispatcher } from './runtime.ts';
import {
  type Fetch,
  fetchTransport,
  joinBytes,
  type Transport,
  type TransportAnswer,
  type TransportRequest,
} from './transport.ts';

/**
 * The fastest transport that this runtime has: undici over kept connections on Node where the package is installed,
 * the global `fetch` elsewhere; a fetch that was injected always counts.
 */
export function createPooledTransport(fetch: Fetch | undefined): Transport {
  if (fetch !== undefined) return fetchTransport(fetch);
  const overFetch = fetchTransport((url, init) => globalThis.fetch(url, init));
  let chosen: Transport | undefined;
  let choosing: Promise<Transport> | undefined;
  return (request) => {
    if (chosen !== undefined) return chosen(request);
    choosing ??= loadUndici().then((undici) => {
      chosen = undici === undefined ? overFetch : undiciTransport(undici);
      return chosen;
    });
    return choosing.then((transport) => transport(request));
  };
}

let sharedPool: UndiciDispatcher | undefined;

function undiciTransport(undici: Undici): Transport {
  return (request) => dispatch(dispatcherOf(undici), request);
}

/** The program's own dispatcher (a proxy, a mock) where it comes from the same package: others differ in protocol. */
function dispatcherOf(undici: Undici): UndiciDispatcher {
  const global = undici.getGlobalDispatcher();
  if (global instanceof undici.Dispatcher) return global;
  sharedPool ??= new undici.Agent();
  return sharedPool;
}

/** One exchange without the streams of undici's `request`, which cost more than all else here. */
function dispatch(dispatcher: UndiciDispatcher, request: TransportRequest): Promise<TransportAnswer> {
  const { url, body, headers, maxBytes, interrupted } = request;
  const { origin, path } = targetOf(url);
  return new Promise((resolve, reject) => {
    let controller: UndiciController | undefined;
    let isInterrupted = false;
    let chunks: Uint8Array[] = [];
    let length = 0;
    let status = 0;
    let found: Record<string, string | string[] | undefined> = {};

    const abort = (): void => {
      isInterrupted = true;
      controller?.abort(new Error('nobody waits any more'));
    };
    const answer = (bytes: TransportAnswer['bytes']): void => {
      resolve({
        status,
        headers: { get: (name) => joined(found[name]) },
        redirected: isRedirect(status),
        bytes,
      });
    };
    const stop = (): void => {
      answer(undefined);
      controller?.abort(new Error('no more is read'));
    };

    interrupted.catch(abort);
    dispatcher.dispatch(
      {
        origin,
        path,
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'accept-encoding': 'identity', ...headers },
        body: body ?? null,
        // A program's own dispatcher may follow redirects; what is sent here is for nobody else.
        maxRedirections: 0,
      },
      {
        onRequestStart(started) {
          controller = started;
          if (isInterrupted) abort();
        },
        onResponseStart(_controller, code, fields) {
          if (code < 200) return;
          status = code;
          found = fields;
          if (isRedirect(code) || Number(fields['content-length']) > maxBytes) stop();
        },
        onResponseData(_controller, chunk) {
          length += chunk.byteLength;
          if (length > maxBytes) stop();
          else chunks.push(chunk);
        },
        onResponseEnd() {
          answer(joinBytes(chunks, length));
          chunks = [];
        },
        onResponseError(_controller, error) {
          reject(error);
        },
      },
    );
  });
}

let lastTarget = { url: '', origin: '', path: '' };

/** The parts of a URL, of which the same one comes again and again. */
function targetOf(url: string): typeof lastTarget {
  if (lastTarget.url !== url) {
    const { origin, pathname, search } = new URL(url);
    lastTarget = { url, origin, path: `${pathname}${search}` };
  }
  return lastTarget;
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

function joined(value: string | string[] | undefined): string | null {
  if (value === undefined) return null;
  return typeof value === 'string' ? value : value.join(', ');
}
