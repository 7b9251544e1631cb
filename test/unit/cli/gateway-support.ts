/** A gateway as a process of its own, an issuer for it, and what proxies say to it. */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createDpopClient, type DpopClient, hashOf } from '../../helpers/dpop.ts';
import { type Answer, type IssuerStub, publishes, startIssuerStub } from '../../helpers/issuer-stub.ts';
import { audience, createKey, goodClaims } from '../../helpers/tokens.ts';
import type { Ended, Environment, Program } from './harness.ts';

export const host = 'api.example';

export interface TestIssuer {
  readonly url: string;
  /** A token for now, with these claims changed. */
  mint(claims?: object, header?: object): Promise<string>;
  /** Answers one request as it should. */
  readonly answer: Answer;
  /** Answers again as it should. */
  mend(): void;
  /** Answers as it should not. */
  breakDown(answer?: Answer): void;
  close(): Promise<void>;
}

export async function startTestIssuer(): Promise<TestIssuer> {
  const key = await createKey('ES256');
  const good = publishes(
    () => stub.url,
    () => ({ keys: [key.publicJwk] }),
  );
  const stub: IssuerStub = await startIssuerStub(good);
  return {
    url: stub.url,
    answer: (request, response) => good(request, response),
    mint(claims = {}, header = {}) {
      const iat = Math.floor(Date.now() / 1000);
      const times = { iat, exp: iat + 300, jti: randomUUID() };
      return key.sign({ typ: 'at+jwt', ...header }, goodClaims({ iss: stub.url, ...times, ...claims }));
    },
    mend() {
      stub.answer = good;
    },
    breakDown(answer = (_, response) => response.writeHead(500).end()) {
      stub.answer = answer;
    },
    close: stub.close,
  };
}

export type LogLine = { readonly event: string; readonly [member: string]: unknown };

export interface Gateway {
  readonly url: string;
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Waits for the next line of this event that nobody has waited for yet. */
  next(event: string): Promise<LogLine>;
  signal(name: NodeJS.Signals): void;
}

export async function startGateway(
  program: Program,
  config: string,
  args: readonly string[] = [],
  environment: Environment = {},
): Promise<Gateway> {
  const flags = ['gateway', '--config', config, '--port', '0', '--json', ...args];
  const { child, ended } = program.start(flags, environment);
  const lines: LogLine[] = [];
  let waiting: (() => void) | undefined;
  if (child.stdout === null) throw new Error('standard output is not read');
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text));
    waiting?.();
  });
  const early = ended.then(({ stderr, stdout }): never => {
    throw new Error(`the gateway has ended: ${stderr}${stdout}`);
  });
  early.catch(() => {});

  async function next(event: string): Promise<LogLine> {
    for (;;) {
      const at = lines.findIndex((line) => line.event === event);
      const [found] = at === -1 ? [] : lines.splice(at, 1);
      if (found !== undefined) return found;
      const more = new Promise<void>((resolve) => {
        waiting = resolve;
      });
      await Promise.race([more, early]);
    }
  }

  const { url, pid } = await next('listening');
  return { url: String(url), pid: Number(pid), ended, next, signal: (name) => void child.kill(name) };
}

export async function writePolicy(
  program: Program,
  policy: object | string,
  name: string = randomUUID(),
): Promise<string> {
  const path = join(program.directory, name);
  await writeFile(path, typeof policy === 'string' ? policy : JSON.stringify(policy));
  return path;
}

export function policyFor(issuer: string, routes: readonly object[], more: object = {}): object {
  return { trustProxy: ['127.0.0.1'], verifier: { issuer, audience }, routes, ...more };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

/** Sends just these headers: lists become several fields. */
export function ask(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body }: Ask = {},
): Promise<HttpAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** What nginx and Traefik say of a request. */
export function forwarded(uri: string, method = 'GET', more: object = {}): Record<string, string | string[]> {
  return {
    'X-Forwarded-Method': method,
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': host,
    'X-Forwarded-Uri': uri,
    ...more,
  };
}

export interface BoundToken {
  readonly token: string;
  prove(htu: string, htm?: string): Promise<string>;
}

/** A token that is bound to a key of its own. */
export async function mintBound(issuer: TestIssuer, claims: object = {}): Promise<BoundToken> {
  const client: DpopClient = await createDpopClient();
  const token = await issuer.mint({ cnf: { jkt: client.jkt }, ...claims });
  return {
    token,
    prove: (htu, htm = 'GET') =>
      client.prove({ htu, htm, iat: Math.floor(Date.now() / 1000), ath: hashOf(token) }),
  };
}
