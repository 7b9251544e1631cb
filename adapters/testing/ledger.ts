/** What was asked of a test issuer and its services: enough for a test to judge, and no token or secret. */
import { parseJsonObject } from '../../src/shared/json.ts';
import type { SeenEndpoint } from './endpoints.ts';
import { readJwtClaims } from './jwt-parts.ts';

/** How a client proved who it is. */
export type SeenAuthentication = 'client_secret_basic' | 'client_secret_post' | 'client_assertion' | 'none';

/** A request that arrived. */
export interface SeenRequest {
  readonly method: string;
  /** Without its query. */
  readonly url: string;
  /** When it came, by the clock of the test issuer, in epoch milliseconds. */
  readonly at: number;
  /** Of the answer; undefined until there is one, and where there was none. */
  readonly status: number | undefined;
  /** The name of the scripted fault that it met. */
  readonly fault: string | undefined;
}

/** A request to an endpoint that clients post forms to. */
export interface SeenForm extends SeenRequest {
  readonly clientId: string | undefined;
  readonly authentication: SeenAuthentication;
  /** Of the answer (RFC 6749 section 5.2). */
  readonly error: string | undefined;
}

/** A request for a token. */
export interface SeenTokenRequest extends SeenForm {
  readonly grantType: string | undefined;
  readonly scope: string | undefined;
  readonly resource: readonly string[];
  readonly audience: string | undefined;
  /** Whether a DPoP proof came with it, and the nonce in it. */
  readonly dpop: { readonly nonce: string | undefined } | undefined;
}

/** A call of a service that the test issuer routes. */
export interface SeenCall extends SeenRequest {
  /** How it presented a token, if it did. */
  readonly scheme: 'Bearer' | 'DPoP' | undefined;
}

/** All that was asked, in order. The lists grow while the test runs. */
export interface TestRequests {
  readonly metadata: readonly SeenRequest[];
  readonly jwks: readonly SeenRequest[];
  readonly token: readonly SeenTokenRequest[];
  readonly introspection: readonly SeenForm[];
  readonly revocation: readonly SeenForm[];
  readonly statusLists: readonly SeenRequest[];
  /** What else the issuer was asked for. */
  readonly other: readonly SeenRequest[];
  /** Calls of the services in the option `services`. */
  readonly services: readonly SeenCall[];
  /** Forgets everything up to now. */
  clear(): void;
}

/** An entry that waits for its answer. */
export interface OpenEntry {
  met(fault: string): void;
  answered(response: Response): Promise<void>;
}

export interface Ledger {
  readonly requests: TestRequests;
  /** Notes a request to the issuer; `body` is the text of its body. */
  toIssuer(endpoint: SeenEndpoint, request: Request, body: string): OpenEntry;
  toService(request: Request): OpenEntry;
}

export function createLedger(now: () => number): Ledger {
  const plain = {
    metadata: [] as SeenRequest[],
    jwks: [] as SeenRequest[],
    statusLists: [] as SeenRequest[],
    other: [] as SeenRequest[],
  };
  const forms = { introspection: [] as SeenForm[], revocation: [] as SeenForm[] };
  const token: SeenTokenRequest[] = [];
  const services: SeenCall[] = [];

  function begin({ method, url }: Request): SeenRequest {
    const { origin, pathname } = new URL(url);
    return { method, url: `${origin}${pathname}`, at: now(), status: undefined, fault: undefined };
  }

  return {
    requests: Object.freeze({
      ...plain,
      ...forms,
      token,
      services,
      clear() {
        for (const list of [...Object.values(plain), ...Object.values(forms), token, services])
          list.length = 0;
      },
    }),
    toIssuer(endpoint, request, body) {
      const seen = begin(request);
      if (endpoint === 'token') {
        const form = new URLSearchParams(body);
        return add(
          token,
          { ...seen, ...readForm(request, form), ...readTokenForm(request, form) },
          readError,
        );
      }
      if (endpoint === 'introspection' || endpoint === 'revocation') {
        return add(forms[endpoint], { ...seen, ...readForm(request, new URLSearchParams(body)) }, readError);
      }
      return add(plain[endpoint], seen);
    },
    toService(request) {
      const [name] = (request.headers.get('authorization') ?? '').split(' ');
      const scheme = (['Bearer', 'DPoP'] as const).find((known) => known === name);
      return add(services, { ...begin(request), scheme });
    },
  };
}

/** The entry is in its list from the start, so that a test sees requests that are not answered yet. */
function add<T extends SeenRequest>(
  list: T[],
  entry: T,
  read: (response: Response) => Promise<Partial<T>> = async () => ({}),
): OpenEntry {
  list.push(entry);
  return {
    met: (fault) => void Object.assign(entry, { fault }),
    async answered(response) {
      Object.assign(entry, { status: response.status }, await read(response));
    },
  };
}

function readForm({ headers }: Request, form: URLSearchParams): Omit<SeenForm, keyof SeenRequest> {
  const basic = readBasic(headers.get('authorization'));
  const assertion = readJwtClaims(form.get('client_assertion'));
  const authentication: SeenAuthentication =
    basic !== undefined
      ? 'client_secret_basic'
      : form.has('client_assertion')
        ? 'client_assertion'
        : form.has('client_secret')
          ? 'client_secret_post'
          : 'none';
  const clientId = basic ?? textOf(form.get('client_id')) ?? textOf(assertion?.sub);
  return { clientId, authentication, error: undefined };
}

function readTokenForm({ headers }: Request, form: URLSearchParams): Omit<SeenTokenRequest, keyof SeenForm> {
  const proof = headers.get('dpop');
  return {
    grantType: textOf(form.get('grant_type')),
    scope: textOf(form.get('scope')),
    resource: form.getAll('resource'),
    audience: textOf(form.get('audience')),
    dpop: proof === null ? undefined : { nonce: textOf(readJwtClaims(proof)?.nonce) },
  };
}

/** The client id of HTTP Basic (RFC 6749 section 2.3.1); the secret is let go. */
function readBasic(authorization: string | null): string | undefined {
  const encoded = /^basic +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const [clientId = ''] = Buffer.from(encoded, 'base64').toString().split(':', 1);
  return new URLSearchParams(`id=${clientId}`).get('id') ?? undefined;
}

async function readError(response: Response): Promise<{ error: string | undefined }> {
  if (response.ok || response.headers.get('content-type')?.includes('json') !== true)
    return { error: undefined };
  return { error: textOf(parseJsonObject(new Uint8Array(await response.clone().arrayBuffer()))?.error) };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
