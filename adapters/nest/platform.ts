import type { ServerResponse } from 'node:http';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { AuthRequest, Caller, Rejection } from '../../src/index.ts';
import { type NodeRequest, NodeRequestView } from '../node-request.ts';

/** What Nest passes on: Fastify wraps the objects of Node, Express extends them. */
export interface PlatformRequest {
  readonly originalUrl: string;
  caller?: Caller | undefined;
}
export type PlatformResponse = ServerResponse | FastifyResponse;

interface FastifyResponse {
  readonly raw: ServerResponse;
  readonly sent: boolean;
  code(status: number): this;
  headers(headers: Readonly<Record<string, string>>): this;
  send(body: Uint8Array): this;
}

/** The request for the verifier. Which platform it is, the response says: nobody else writes there. */
export function viewOf(request: PlatformRequest, response: PlatformResponse): AuthRequest {
  const node = isFastify(response) ? (request as unknown as { readonly raw: NodeRequest }).raw : request;
  return new NodeRequestView(node as NodeRequest, request.originalUrl);
}

function isFastify(response: PlatformResponse): response is FastifyResponse {
  return 'raw' in response;
}

/** Whether somebody else answered, as time limits do. */
export function isAnswered(response: PlatformResponse): boolean {
  return isFastify(response) ? response.sent : response.headersSent;
}

export function setHeaders(response: PlatformResponse, headers: Readonly<Record<string, string>>): void {
  if (isFastify(response)) response.headers(headers);
  else for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

/**
 * What the guard throws at a request that it refuses. The response has the headers by then, so that a filter of the
 * application may write another body and status, and the challenge stays.
 */
export class ServiceAuthException extends HttpException {
  readonly #rejection: Rejection;

  constructor(rejection: Rejection) {
    super(JSON.parse(rejection.body), rejection.status);
    // Filters tend to show it to callers: the reason stays out of it.
    this.message = rejection.description;
    this.#rejection = rejection;
  }

  /** With the reason and its detail, for logs alone. */
  get rejection(): Rejection {
    return this.#rejection;
  }
}

/** @throws ServiceAuthException always, once the response has the headers of the rejection. */
export function refuse(response: PlatformResponse, rejection: Rejection): never {
  // But that of the body, which is another if a filter of the application writes it.
  const headers = Object.entries(rejection.headers).filter(([name]) => name !== 'Content-Type');
  setHeaders(response, Object.fromEntries(headers));
  throw new ServiceAuthException(rejection);
}

/** Writes the answer that every adapter gives; Nest itself would add a charset and an `ETag`. */
export class ServiceAuthFilter implements ExceptionFilter<ServiceAuthException> {
  catch({ rejection }: ServiceAuthException, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<PlatformResponse>();
    const { status, headers, body } = rejection;
    if (isFastify(response)) {
      // As bytes: to the content type of text Fastify would add a charset, which JSON has none of.
      response.code(status).headers(headers).send(Buffer.from(body));
      return;
    }
    response.statusCode = status;
    setHeaders(response, headers);
    response.end(body);
  }
}
Catch(ServiceAuthException)(ServiceAuthFilter);
