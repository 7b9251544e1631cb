import { createLocalJWKSet, type JWTVerifyResult, jwtVerify } from 'jose';
import {
  createIssuer,
  type Issuer,
  type IssuerOptions,
  type IssuerStorage,
  memoryStorage,
  type ServiceAuthEvent,
} from '../../../src/issuer/index.ts';

export const ISSUER = 'https://idp.example';
export const ADMIN_TOKEN = 'an-admin-token-for-tests';
export const ORDERS = 'https://orders.example';
export const BILLING = 'https://billing.example';
export const START_MS = Date.UTC(2026, 0, 1);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever member they expect
  readonly body: any;
}

/** A list sends its parameter once for each value. */
export type Parameters = Readonly<Record<string, string | readonly string[]>>;

export interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface Harness {
  readonly issuer: Issuer;
  readonly storage: IssuerStorage;
  readonly events: ServiceAuthEvent[];
  /** Moves the clock of the issuer. */
  advance(seconds: number): void;
  nowSeconds(): number;
  call(path: string, init?: RequestInit): Promise<Answer>;
  post(path: string, parameters: Parameters, as?: Credentials): Promise<Answer>;
  admin(method: string, path: string, body?: unknown): Promise<Answer>;
  register(input?: object): Promise<Credentials>;
  token(as: Credentials, parameters?: Parameters): Promise<string>;
  /** Verifies with the published keys, by another implementation. */
  verify(token: string): Promise<JWTVerifyResult>;
}

/** An issuer in this process with a clock that stands still until it is told otherwise. */
export function createHarness(options: Partial<IssuerOptions> = {}): Harness {
  let nowMs = START_MS;
  const events: ServiceAuthEvent[] = [];
  const storage = options.storage ?? memoryStorage();
  const issuer = createIssuer({
    issuer: ISSUER,
    adminToken: ADMIN_TOKEN,
    now: () => nowMs,
    onEvent: (event) => events.push(event),
    ...options,
    storage,
  });
  const base = issuer.issuer;

  async function call(path: string, init?: RequestInit): Promise<Answer> {
    return readAnswer(await issuer.fetch(new Request(new URL(path, base), init)));
  }

  function post(path: string, parameters: Parameters, as?: Credentials): Promise<Answer> {
    return call(path, {
      method: 'POST',
      headers: as === undefined ? {} : { authorization: basic(as) },
      body: form(parameters),
    });
  }

  function admin(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
    return call(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  }

  return {
    issuer,
    storage,
    events,
    advance: (seconds) => {
      nowMs += seconds * 1000;
    },
    nowSeconds: () => nowMs / 1000,
    call,
    post,
    admin,
    async register(input = {}) {
      const service = { name: 'a service', scopes: ['read', 'write'], resources: [ORDERS], ...input };
      const { status, body, text } = await admin('POST', '/admin/services', service);
      if (status !== 201) throw new Error(`registration answered ${status}: ${text}`);
      return { clientId: body.clientId, clientSecret: body.clientSecret };
    },
    async token(as, parameters = {}) {
      const { status, body, text } = await post(
        '/token',
        { grant_type: 'client_credentials', ...parameters },
        as,
      );
      if (status !== 200) throw new Error(`the token endpoint answered ${status}: ${text}`);
      return body.access_token;
    },
    async verify(token) {
      const { body } = await call('/jwks');
      return jwtVerify(token, createLocalJWKSet(body), { issuer: base, currentDate: new Date(nowMs) });
    },
  };
}

export function form(parameters: Parameters): URLSearchParams {
  const pairs = Object.entries(parameters).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value]),
  );
  return new URLSearchParams(pairs);
}

export function basic({ clientId, clientSecret }: Credentials): string {
  const encode = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1);
  return `Basic ${Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString('base64')}`;
}

export async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true && text !== '';
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}
