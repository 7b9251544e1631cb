import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type AuthOutcome,
  type Caller,
  createGuard,
  createProtectedResource,
  type GuardOptions,
  type HttpAnswer,
  type MaybePromise,
  type ProtectedResourceOptions,
} from '../src/index.ts';
import { NodeRequestView } from './node-request.ts';

// Requests of Express and connect are those of node:http.
declare module 'node:http' {
  interface IncomingMessage {
    /** Who calls, on routes behind `requireServiceAuth`. */
    caller?: Caller | undefined;
  }
}

type Next = (error?: unknown) => void;

/** A middleware of Express 4 and 5, of connect, and of whatever else has `(req, res, next)`. */
export type ServiceAuthMiddleware = (request: IncomingMessage, response: ServerResponse, next: Next) => void;

/**
 * Lets requests pass whose access token is good, with `req.caller`; answers all others itself.
 *
 * Takes verifier options and a policy, or `{ verifier }` and a policy; without either the environment.
 *
 * Not checked: what the policy does not ask for, and whether the request came over TLS. RFC 6750, RFC 9449.
 *
 * On plain `node:http`, `next` is called with an error if what it called before threw while nobody could catch it.
 *
 * @throws TypeError at creation, for every mistake in the options.
 *
 * @example
 * ```ts
 * import express from 'express';
 * import { requireServiceAuth } from 'service-auth/express';
 *
 * const app = express();
 * app.get('/orders', requireServiceAuth({ scope: 'orders:read' }), (req, res) => {
 *   res.json({ hello: req.caller?.clientId });
 * });
 * ```
 */
export function requireServiceAuth(options?: GuardOptions): ServiceAuthMiddleware {
  const guard = createGuard(options);
  return (request, response, next) => {
    let outcome: MaybePromise<AuthOutcome>;
    try {
      outcome = guard(new NodeRequestView(request, originalUrl(request)));
    } catch (error) {
      next(error);
      return;
    }
    if (!(outcome instanceof Promise)) {
      conclude(outcome, request, response, next);
      return;
    }
    const concluded = outcome.then((late) => {
      // While keys were fetched, a time limit may have answered in our place: then nothing is left to do.
      if (!response.headersSent) conclude(late, request, response, next);
    });
    // Also of handlers that throw now: around this call there is no `try` of the program any more.
    concluded.catch(next);
  };
}

function conclude(
  outcome: AuthOutcome,
  request: IncomingMessage,
  response: ServerResponse,
  next: Next,
): void {
  if (!outcome.ok) {
    answer(response, outcome.rejection);
    return;
  }
  if (outcome.headers !== undefined) setHeaders(response, outcome.headers);
  request.caller = outcome.caller;
  next();
}

/** Express and connect rewrite `url` while routing. */
function originalUrl(request: IncomingMessage & { originalUrl?: string }): string {
  return request.originalUrl ?? request.url ?? '/';
}

function answer(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  response.statusCode = status;
  setHeaders(response, headers);
  response.end(body);
}

function setHeaders(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(headers)) response.setHeader(name, headers[name] ?? '');
}

/**
 * Serves the protected resource metadata at its well-known path and lets all other requests pass: mount it without
 * a path, before whatever answers unknown ones. RFC 9728.
 *
 * @throws TypeError at creation, for every mistake in the options.
 *
 * @example
 * ```ts
 * import express from 'express';
 * import { protectedResource } from 'service-auth/express';
 *
 * const app = express();
 * app.use(protectedResource({ resource: 'https://orders.example', authorizationServers: 'https://idp.example' }));
 * ```
 */
export function protectedResource(options: ProtectedResourceOptions): ServiceAuthMiddleware {
  const metadata = createProtectedResource(options);
  return (request, response, next) => {
    const found = metadata.answer(new NodeRequestView(request, originalUrl(request)));
    if (found === undefined) next();
    else answer(response, found);
  };
}
