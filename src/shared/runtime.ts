/** The only file that asks which runtime this is; all else asks this file for what it needs. */

export type Bytes = Uint8Array<ArrayBuffer>;

interface NodeProcess {
  readonly versions?: Readonly<Record<string, string | undefined>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  getBuiltinModule?(name: string): unknown;
}

/** The part of `node:crypto` that is used here; declared by hand so that the core compiles without Node's types. */
export interface NodeCrypto {
  createPublicKey(input: { key: object; format: 'jwk' } | NodeKey): NodeKey;
  createPrivateKey(input: { key: object; format: 'jwk' } | string): NodeKey;
  sign(hash: string | null, data: Bytes, key: object): Bytes;
  verify(hash: string | null, data: Bytes, key: object, signature: Bytes): boolean;
  /** On a thread of the pool. */
  verify(
    hash: string | null,
    data: Bytes,
    key: object,
    signature: Bytes,
    done: (error: Error | null, holds: boolean) => void,
  ): void;
  createHash(hash: string): { update(data: Bytes): { digest(): Bytes } };
  /** Of all data at once. */
  hash(hash: string, data: Bytes, encoding: 'latin1'): string;
  createHmac(hash: string, secret: Bytes): { update(data: Bytes): { digest(): Bytes } };
  timingSafeEqual(a: Bytes, b: Bytes): boolean;
  /** Lets a key of WebCrypto sign synchronously; absent where `node:crypto` is only imitated. */
  readonly KeyObject?: { from(key: CryptoKey): NodeKey };
}

/** The part of Node's `KeyObject` that is used here. */
export interface NodeKey {
  readonly type: string;
  export(options: { format: 'jwk' }): object;
}

export interface NodeBytes extends Bytes {
  write(text: string, at: number, encoding: 'latin1'): number;
  subarray(from: number, to: number): NodeBytes;
  toString(encoding?: string): string;
}

export interface NodeBuffer {
  alloc(size: number): NodeBytes;
  from(text: string, encoding: 'base64url' | 'latin1'): NodeBytes;
  from(bytes: ArrayBufferLike, offset: number, length: number): NodeBytes;
}

/** The part of the package undici (7 or later) that is used here, the fastest HTTP client of Node. */
export interface Undici {
  readonly Agent: new () => UndiciDispatcher;
  readonly Dispatcher: abstract new () => UndiciDispatcher;
  getGlobalDispatcher(): unknown;
}

export interface UndiciDispatcher {
  dispatch(
    request: {
      readonly origin: string;
      readonly path: string;
      readonly method: 'GET' | 'POST';
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string | null;
      readonly maxRedirections: 0;
    },
    handler: UndiciHandler,
  ): boolean;
}

export interface UndiciController {
  abort(reason: Error): void;
}

/** Told in this order; `onResponseStart` also of interim answers (1xx), `onResponseError` at any time. */
export interface UndiciHandler {
  onRequestStart(controller: UndiciController): void;
  onResponseStart(
    controller: UndiciController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void;
  onResponseData(controller: UndiciController, chunk: Uint8Array): void;
  onResponseEnd(): void;
  onResponseError(controller: UndiciController, error: Error): void;
}

interface NodeFileSystem {
  readFileSync(path: string, encoding: 'utf8'): string;
}

const host = globalThis as {
  process?: NodeProcess;
  Buffer?: NodeBuffer;
  setImmediate?: (work: () => void) => unknown;
};

function builtin<T>(name: string): T | undefined {
  return host.process?.getBuiltinModule?.(name) as T | undefined;
}

const isWorker = globalThis.navigator?.userAgent === 'Cloudflare-Workers';

/**
 * Present on Node, Bun and Deno; signatures are then verified synchronously. That of Workers with `nodejs_compat` takes
 * neither ECDSA signatures as JWTs have them nor those of RSA-PSS, so WebCrypto serves there.
 */
export const nodeCrypto = isWorker ? undefined : builtin<NodeCrypto>('node:crypto');

/** From Node 24 on, signing synchronously with a key of WebCrypto that is not extractable is deprecated (DEP0204). */
export const keepsKeysHidden = Number.parseInt(host.process?.versions?.node ?? '', 10) >= 24;

/** Present where Node's `Buffer` is, whose base64url is far faster than any loop here. */
export const nodeBuffer = host.Buffer;

/** Node itself, not a runtime that imitates it. */
function isNode(): boolean {
  return nodeCrypto !== undefined && host.process?.versions?.bun === undefined && !('Deno' in globalThis);
}

/** Present on Node, whose thread pool verifies beside the event loop: runs work once this turn of the loop is over. */
export const afterTurn = isNode() ? host.setImmediate : undefined;

/** False on Cloudflare Workers, where a request that waits for a promise of another one never gets an answer. */
export const sharesPromises = !isWorker;

export function environmentVariable(name: string): string | undefined {
  const value = host.process?.env?.[name];
  return value === undefined || value.trim() === '' ? undefined : value;
}

/** Reads a small text file; `undefined` where the runtime has no files. */
export function readTextFile(path: string): string | undefined {
  return builtin<NodeFileSystem>('node:fs')?.readFileSync(path, 'utf8');
}

/** Loads undici where this is Node itself and the package is installed, from version 7 on. */
export async function loadUndici(): Promise<Undici | undefined> {
  if (!isNode()) return undefined;
  // In a variable, so that no bundler looks for a package that is optional.
  const name = 'undici';
  try {
    const undici = (await import(name)) as Undici;
    // Version 6, which some other package may have brought, has handlers of another kind.
    return 'cacheStores' in undici ? undici : undefined;
  } catch {
    return undefined;
  }
}
