/** One operation of the admin API, said once: its route and its part of the OpenAPI document both come from it. */
import type * as z from 'zod';
import type { InputFault } from '../http/http-answers.ts';
import type { Incoming, IssuerRequest, PathParameters } from '../http/incoming.ts';
import { readJson } from '../http/request-body.ts';
import { bare } from './bare.ts';
import { type ProblemCode, refuse } from './problems.ts';

export type AdminMethod = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** An authenticated request whose body and query were judged. */
export interface AdminRequest<Body, Query> {
  /** Who asks, as the audit log says it: `admin`, or the client id of the access token. */
  readonly actor: string;
  readonly request: IssuerRequest;
  readonly parameters: PathParameters;
  readonly body: Body;
  readonly query: Query;
}

/** The answer where all goes well. */
export interface GoodAnswer {
  readonly status: 200 | 201 | 204;
  /** The name of its schema. */
  readonly schema?: string;
  readonly headers?: readonly string[];
}

export interface OperationDescription {
  readonly id: string;
  readonly method: AdminMethod;
  /** After `/admin`; segments that start with a colon are parameters. */
  readonly path: string;
  readonly summary: string;
  readonly answer: GoodAnswer;
  /** What it refuses with, besides what every operation does. */
  readonly problems?: readonly ProblemCode[];
  /** The request headers that it looks at. */
  readonly headers?: readonly ('Idempotency-Key' | 'If-Match')[];
  /** Needs no authentication. */
  readonly isPublic?: boolean;
  readonly allowsEmptyBody?: boolean;
}

export interface Operation extends OperationDescription {
  readonly body: z.ZodType | undefined;
  readonly query: z.ZodObject | undefined;
  run(incoming: Incoming, actor: string): Promise<Response>;
}

interface OperationParts<Body, Query> extends OperationDescription {
  readonly body?: z.ZodType<Body>;
  readonly query?: z.ZodObject & z.ZodType<Query>;
  handle(request: AdminRequest<Body, Query>): Response | Promise<Response>;
}

/** RFC 7396 section 3. Plain JSON is taken, too: an object of it can mean nothing else here. */
export const patchTypes = ['application/merge-patch+json', 'application/json'];

export function operation<Body = undefined, Query = undefined>(
  parts: OperationParts<Body, Query>,
): Operation {
  const { body, query, handle, ...description } = parts;
  return {
    ...description,
    body,
    query,
    async run({ request, parameters }, actor) {
      const asked = query && judge(query, readQuery(request));
      if (asked instanceof Response) return asked;
      const sent = body && (await readBody(body, request, description));
      if (sent instanceof Response) return sent;
      // Without a schema the type is undefined, and so is the value.
      return handle({ actor, request, parameters, body: sent as Body, query: asked as Query });
    },
  };
}

async function readBody<Body>(
  schema: z.ZodType<Body>,
  request: IssuerRequest,
  { method, allowsEmptyBody = false }: OperationDescription,
): Promise<Body | Response> {
  const types = method === 'PATCH' ? patchTypes : ['application/json'];
  const read = await readJson(request, { allowEmpty: allowsEmptyBody, types });
  return 'json' in read ? judge(schema, read.json) : refuse(codes[read.status], { detail: read.detail });
}

const codes = { 400: 'malformed_body', 413: 'body_too_large', 415: 'unsupported_media_type' } as const;

/** A parameter that comes twice has a list for its value, which no schema takes. */
function readQuery({ url }: IssuerRequest): unknown {
  const { searchParams } = new URL(url);
  return Object.fromEntries(
    [...new Set(searchParams.keys())].map((name) => {
      const values = searchParams.getAll(name);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
}

/** The input as the schema gives it, or the refusal that says what is wrong where. */
export function judge<T>(schema: z.ZodType<T>, input: unknown): T | Response {
  const { success, data, error } = schema.safeParse(input);
  return success ? bare(data) : refuse('invalid_input', { errors: toInputFaults(error) });
}

const MOST_FAULTS = 20;
const LONGEST_TEXT = 200;

/** What is wrong where, for people; values are not repeated. */
export function toInputFaults({ issues }: z.ZodError): readonly InputFault[] {
  return issues.slice(0, MOST_FAULTS).map(({ path, message }) => ({
    path: path.join('.').slice(0, LONGEST_TEXT),
    message: message.slice(0, LONGEST_TEXT),
  }));
}
