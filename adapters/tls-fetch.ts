import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { Agent, buildConnector, type Dispatcher, fetch } from 'undici';
import { type FetchFunction, isServiceAuthError, optionError, ServiceAuthError } from '../src/index.ts';

/** Where the client's certificate is. */
export interface TlsFetchFiles {
  /** Path of the certificate, with those between it and the authority behind it (PEM). */
  readonly certFile: string;
  /** Path of its private key (PEM). */
  readonly keyFile: string;
  /** Path of the authorities that servers are trusted by (PEM). @default those of Node */
  readonly caFile?: string | undefined;
}

const where = 'tlsFetch';
const known = ['certFile', 'keyFile', 'caFile'];

/**
 * Makes a `fetch` that presents a TLS client certificate, for `tlsClientAuth()` and services that ask for one.
 *
 * The files are read again for each new connection, so that a renewed certificate needs no restart; while they are
 * being written, or do not fit each other, the last good ones are used. Connections that are open stay as they are.
 * Not checked: the files, until the first connection; a call rejects as that of any server that is out of reach.
 * RFC 8705.
 *
 * @throws TypeError if a path is missing or no text.
 *
 * @example
 * ```ts
 * import { createAuthedFetch, tlsClientAuth } from 'service-auth';
 * import { tlsFetch } from 'service-auth/undici';
 *
 * export const authedFetch = createAuthedFetch({
 *   issuer: 'https://idp.example',
 *   clientId: 'billing',
 *   clientAuth: tlsClientAuth(),
 *   targets: ['https://orders.internal'],
 *   fetch: tlsFetch({ certFile: '/run/tls/tls.crt', keyFile: '/run/tls/tls.key' }),
 * });
 * ```
 */
export function tlsFetch(files: TlsFetchFiles): FetchFunction {
  const connectorOf = reloading(readPaths(files));
  const dispatcher = new Agent({
    connect(options, callback) {
      try {
        connectorOf()(options, callback);
      } catch (error) {
        callback(isServiceAuthError(error) ? error : new Error('no connection could be made'), null);
      }
    },
  });
  return (input, init) => {
    // The package knows neither the requests nor the forms of the platform, only what these consist of.
    const isForeign = input instanceof Request || init?.body instanceof FormData;
    if (!isForeign) return send(input, { ...init, dispatcher });
    const { url, method, headers, body, signal, redirect } = new Request(input, init);
    const content = body === null ? {} : { body, duplex: 'half' };
    return send(url, { method, headers, signal, redirect, ...content, dispatcher });
  };
}

/** The standard's function, which package and platform declare with types of their own. */
const send = fetch as unknown as (
  input: string | URL,
  init: RequestInit & { readonly dispatcher: Dispatcher },
) => Promise<Response>;

function readPaths(files: TlsFetchFiles): readonly string[] {
  if (typeof files !== 'object' || files === null) {
    throw optionError('option_invalid', `${where}: options must be an object with ${known.join(', ')}`);
  }
  const unknown = Object.keys(files).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw optionError('option_unknown', `${where}: unknown option ${unknown}; known are ${known.join(', ')}`);
  }
  const { certFile, keyFile, caFile } = files;
  const paths = caFile === undefined ? [certFile, keyFile] : [certFile, keyFile, caFile];
  // A key in the place of its path would stand in messages.
  if (paths.every((path) => typeof path === 'string' && path !== '' && !/\n|-----BEGIN/.test(path)))
    return paths;
  const rule = 'certFile, keyFile and caFile must be paths, not what the files hold';
  throw optionError('secret_misplaced', `${where}: ${rule}`);
}

/** Every block of it has its end: of a file that is just being written some would be missing. */
function isWhole(text: string): boolean {
  const blocks = text.split('-----BEGIN ').length - 1;
  return blocks > 0 && text.split('-----END ').length - 1 === blocks && text.trimEnd().endsWith('-----');
}

/** Gives the connector for what the files hold; a new one, without TLS sessions of the old, where that is new. */
function reloading(paths: readonly string[]): () => buildConnector.connector {
  let seen: readonly string[] = [];
  let last: buildConnector.connector | undefined;

  function refuse(reason: string): buildConnector.connector {
    if (last !== undefined) return last;
    throw new ServiceAuthError('client_auth_failed', `${where}: ${reason}`);
  }

  return () => {
    let texts: readonly string[];
    try {
      texts = paths.map((path) => readFileSync(path, 'utf8'));
    } catch {
      return refuse(`${paths.join(', ')}: one cannot be read`);
    }
    if (last !== undefined && texts.every((text, at) => text === seen[at])) return last;
    const [cert = '', key = '', ca] = texts;
    // Of an empty text Node would make a connection without a certificate.
    if (!texts.every(isWhole)) return refuse(`${paths.join(', ')}: one is no PEM, or cut`);
    try {
      const secureContext = createSecureContext({ cert, key, ...(ca !== undefined && { ca }) });
      last = buildConnector({ secureContext });
      seen = texts;
      return last;
    } catch {
      return refuse(`${paths.join(', ')}: one is broken, or certificate and key do not belong together`);
    }
  };
}
