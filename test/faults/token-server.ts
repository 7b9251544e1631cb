/** A token endpoint on loopback that can be made to answer in any way, and a service that says which token it got. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Circumstances {
  readonly response: ServerResponse;
  /** The answer of success, as it would have been. */
  readonly good: Readonly<Record<string, unknown>>;
  /** In epoch milliseconds. */
  readonly now: number;
}

type Behaviour = (circumstances: Circumstances) => void;

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Behaviour => {
  return ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
};
const refuses = (status: number, error: string): Behaviour => json(status, { error });
const text = (status: number, body: string, headers: Record<string, string> = {}): Behaviour => {
  return ({ response }) => void response.writeHead(status, headers).end(body);
};
/** Success, with some members another way; `undefined` leaves one out. */
const success = (members: Readonly<Record<string, unknown>>): Behaviour => {
  return ({ response, good }) => response.end(JSON.stringify({ ...good, ...members }));
};

/** What a token endpoint does, by the name that the documentation has for it. */
export const behaviours = {
  'answers well': success({}),
  'status 500': text(500, 'oops'),
  'status 503': text(503, ''),
  '503, Retry-After 5 s': text(503, '', { 'retry-after': '5' }),
  '429, Retry-After 5 s': text(429, '', { 'retry-after': '5' }),
  '429, Retry-After as a date': ({ response, now }) => {
    const date = new Date(now + 5000).toUTCString();
    response.writeHead(429, { 'retry-after': date }).end();
  },
  '429, Retry-After one hour': text(429, '', { 'retry-after': '3600' }),
  '429 with an error code': json(429, { error: 'invalid_client' }),
  'connection reset': ({ response }) => void response.socket?.resetAndDestroy(),
  'cut off': ({ response, good }) => {
    const body = JSON.stringify(good);
    response.writeHead(200, { 'content-length': `${body.length}` }).write(body.slice(0, 10));
    setImmediate(() => response.destroy());
  },
  'never answers': () => {},
  redirect: text(307, '', { location: '/elsewhere' }),
  'malformed JSON': ({ response, good }) => response.end(JSON.stringify(good).slice(0, -1)),
  'JSON that is no object': json(200, ['token']),
  HTML: text(200, '<html>Sign in</html>', { 'content-type': 'text/html' }),
  'another content type': ({ response, good }) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(JSON.stringify(good)),
  'empty answer': text(200, ''),
  'too large': ({ response, good }) => response.end(JSON.stringify(good).padEnd(100_000, ' ')),
  'status 201': ({ response, good }) => response.writeHead(201).end(JSON.stringify(good)),
  'no access_token': success({ access_token: undefined }),
  'access_token empty': success({ access_token: '' }),
  'access_token with a line break': success({ access_token: 'a\r\nx: y' }),
  'token_type missing': success({ token_type: undefined }),
  'token_type mac': success({ token_type: 'mac' }),
  'token_type N_A': success({ token_type: 'N_A' }),
  'token_type DPoP without a proof': success({ token_type: 'DPoP' }),
  'token_type in other case': success({ token_type: 'bEARER' }),
  'issued_token_type refresh_token': success({
    issued_token_type: 'urn:ietf:params:oauth:token-type:refresh_token',
  }),
  'scope that is no text': success({ scope: ['orders:read'] }),
  'expires_in missing': success({ expires_in: undefined }),
  'expires_in null': success({ expires_in: null }),
  'expires_in 0': success({ expires_in: 0 }),
  'expires_in negative': success({ expires_in: -1 }),
  'expires_in as a text of digits': success({ expires_in: '600' }),
  'expires_in as another text': success({ expires_in: 'soon' }),
  'expires_in with a fraction': success({ expires_in: 600.5 }),
  'expires_in beyond all time': success({ expires_in: 1e300 }),
  'expires_in beyond all numbers': ({ response, good }) =>
    response.end(JSON.stringify(good).replace(/"expires_in":\d+/, '"expires_in":1e999')),
  invalid_client: refuses(401, 'invalid_client'),
  unauthorized_client: refuses(400, 'unauthorized_client'),
  invalid_scope: refuses(400, 'invalid_scope'),
  invalid_target: refuses(400, 'invalid_target'),
  invalid_request: refuses(400, 'invalid_request'),
  'use_dpop_nonce without a proof': json(400, { error: 'use_dpop_nonce' }, { 'dpop-nonce': 'n-1' }),
  'status 400 without an error code': text(400, 'oops'),
  'an error code with status 200': json(200, { error: 'invalid_client' }),
  'an error code with status 500': json(500, { error: 'server_error' }),
} satisfies Record<string, Behaviour>;
export type BehaviourName = keyof typeof behaviours;

export interface TokenServer {
  readonly origin: string;
  /** How often a token was asked for. */
  requests: number;
  behaviour: BehaviourName;
  /** The clock of the test, for dates. */
  now: () => number;
  close(): Promise<void>;
}

/** Gives `token-1`, `token-2` and so on, each for ten minutes. */
export async function startTokenServer(): Promise<TokenServer> {
  const server = createServer((request, response) => {
    request.resume();
    if (request.url !== '/token') return void response.end(request.headers.authorization);
    stub.requests++;
    const good = { access_token: `token-${stub.requests}`, token_type: 'Bearer', expires_in: 600 };
    behaviours[stub.behaviour]({ response, good, now: stub.now() });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stub: TokenServer = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: 0,
    behaviour: 'answers well',
    now: Date.now,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return stub;
}
