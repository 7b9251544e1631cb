/** Judges what a proxy asks about: the caller in headers of a 200, or the answer that the caller gets instead. */
import type { IncomingMessage } from 'node:http';
import type { AuthOutcome } from '../../index.ts';
import { callerHeaderNames, callerHeaders } from './caller-headers.ts';
import { type Dialect, readOriginal, toAuthRequest } from './original-request.ts';
import type { GatewayPolicy } from './policy.ts';

export interface GateAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Why the gateway itself refuses; reasons of the verifier are events of its own. */
export type RefusalReason =
  | 'untrusted_proxy'
  | 'bad_forwarding'
  | 'ambiguous_path'
  | 'no_route'
  | 'method_not_covered'
  | 'caller_not_tellable';

export interface Refusal {
  readonly reason: RefusalReason;
  /** The address of the proxy. */
  readonly from: string | undefined;
  /** Of the original request, without its query; absent where that could not be read. */
  readonly method?: string;
  readonly host?: string;
  readonly path?: string;
}

export interface Gate {
  judge(incoming: IncomingMessage, dialect: Dialect): Promise<GateAnswer>;
}

export function createGate(policy: () => GatewayPolicy, onRefused: (refusal: Refusal) => void): Gate {
  async function judge(incoming: IncomingMessage, dialect: Dialect): Promise<GateAnswer> {
    const { isTrusted, find } = policy();
    const from = incoming.socket.remoteAddress;
    if (!isTrusted(from)) return refuse({ reason: 'untrusted_proxy', from });
    const original = readOriginal(incoming, dialect);
    if (typeof original === 'string') return refuse({ reason: original, from });
    const { method, host, path } = original;
    const about = { from, method, host, path: path.decoded };
    const route = find(host, path, method);
    if (typeof route === 'string') return refuse({ reason: route, ...about });
    if (route.guard === undefined) return letIn({ ok: true, caller: undefined }, dialect, about);
    const outcome = await route.guard(toAuthRequest(original, incoming));
    return outcome.ok ? letIn(outcome, dialect, about) : outcome.rejection;
  }

  function letIn(
    { caller, headers }: AuthOutcome & { ok: true },
    dialect: Dialect,
    about: Omit<Refusal, 'reason'>,
  ): GateAnswer {
    const told = callerHeaders(caller);
    if (told === undefined) return refuse({ reason: 'caller_not_tellable', ...about });
    const all = { 'Cache-Control': 'no-store', ...headers, ...told };
    if (dialect !== 'envoy') return { status: 200, headers: all, body: '' };
    // Envoy replaces the headers that it is told, and would let others pass as the caller wrote them.
    const others = callerHeaderNames.filter((name) => !Object.hasOwn(told, name));
    const removal = others.length === 0 ? {} : { 'x-envoy-auth-headers-to-remove': others.join(',') };
    return { status: 200, headers: { ...all, ...removal }, body: '' };
  }

  function refuse(refusal: Refusal): GateAnswer {
    onRefused(refusal);
    return refusal.reason === 'ambiguous_path' ? ambiguous : forbidden;
  }

  return { judge };
}

/** No token would help, so that no challenge asks for one. Never 5xx, which proxies may be told to let pass. */
const forbidden = problem(403, 'access_denied', 'This request is not permitted');
const ambiguous = problem(400, 'invalid_request', 'The path of this request is ambiguous');

/** What broke here is no fault of the token. */
export const undecided: GateAnswer = problem(
  503,
  'temporarily_unavailable',
  'The request cannot be judged at the moment',
  { 'Retry-After': '1' },
);

function problem(
  status: number,
  error: string,
  description: string,
  headers: Readonly<Record<string, string>> = {},
): GateAnswer {
  return Object.freeze({
    status,
    headers: Object.freeze({
      ...headers,
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
    }),
    body: JSON.stringify({ error, error_description: description }),
  });
}
