/** The OpenAPI 3.1 document of the admin API, made of its operations and schemas: nothing is said twice. */
import * as z from 'zod';
import { answerSchemas } from './answers.ts';
import { type AdminMethod, type Operation, patchTypes } from './operation.ts';
import { type ProblemCode, problems } from './problems.ts';

/** Everything under the guard may be refused with these; and bodies with those of `ofBodies`. */
const ofAll: readonly ProblemCode[] = ['invalid_token', 'insufficient_scope'];
const ofBodies: readonly ProblemCode[] = [
  'malformed_body',
  'invalid_input',
  'body_too_large',
  'unsupported_media_type',
];
const COMPONENTS = '#/components/schemas/';

const headerTexts: Readonly<Record<string, string>> = {
  'Idempotency-Key':
    'A create that is sent again with it within 24 hours is answered the same, and done once. 1 to 255 visible ASCII characters.',
  'If-Match': 'The entity tag of the version to change; a newer one is left as it is.',
  Location: 'Where the new thing is.',
  ETag: 'The version of what was registered, for If-Match.',
};

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: object;
  readonly servers: readonly object[];
  readonly security: readonly object[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> } & Readonly<
    Record<string, object>
  >;
}

/** Makes the document; paths are relative to the base URL of the issuer. */
export function createOpenApiDocument(operations: readonly Operation[], baseUrl: string): OpenApiDocument {
  const paths: Record<string, Record<string, object>> = {};
  for (const one of operations) {
    const path = `/admin${one.path.replaceAll(/:(\w+)/g, '{$1}')}`;
    paths[path] = { ...paths[path], [one.method.toLowerCase()]: describe(one) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'service-auth admin API',
      version: '1',
      description: 'Services, secrets, resources, signing keys and the audit log of an issuer.',
    },
    servers: [{ url: baseUrl }],
    security: [{ bearer: [] }, { dpop: [] }],
    paths,
    components: {
      schemas: answerComponents(),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'The admin token, or an access token of this issuer with the scope services:admin.',
        },
        dpop: {
          type: 'http',
          scheme: 'DPoP',
          description: 'An access token that is bound to a key (RFC 9449).',
        },
      },
    },
  };
}

function describe(one: Operation): object {
  const { id, summary, body, answer, headers = [], isPublic = false } = one;
  return {
    operationId: id,
    summary,
    ...(isPublic && { security: [] }),
    parameters: [
      ...[...one.path.matchAll(/:(\w+)/g)].map(([, name]) =>
        parameter('path', name, { type: 'string' }, true),
      ),
      ...queryParameters(one.query),
      ...headers.map((name) => ({
        ...parameter('header', name, { type: 'string' }, false),
        description: headerTexts[name],
      })),
    ],
    ...(body && { requestBody: requestBody(one, body) }),
    responses: {
      [answer.status]: goodAnswer(one),
      ...problemAnswers(one),
      429: problemAnswer('Requests come too often; Retry-After says when to go on.'),
      503: problemAnswer('The request could not be answered now; Retry-After says when to try again.'),
    },
  };
}

function parameter(place: string, name: string | undefined, schema: object, required: boolean): object {
  return { name, in: place, required, schema };
}

function queryParameters(query: z.ZodObject | undefined): readonly object[] {
  if (query === undefined) return [];
  const { properties = {} } = schemaOf(query, 'output');
  return Object.entries(properties).map(([name, schema]) => parameter('query', name, Object(schema), false));
}

function requestBody({ method, allowsEmptyBody = false }: Operation, body: z.ZodType): object {
  const media = { schema: schemaOf(body, 'input') };
  const types: readonly string[] = typesOf(method);
  return { required: !allowsEmptyBody, content: Object.fromEntries(types.map((type) => [type, media])) };
}

function typesOf(method: AdminMethod): readonly string[] {
  return method === 'PATCH' ? patchTypes : ['application/json'];
}

function goodAnswer({ answer: { schema, headers = [] } }: Operation): object {
  const fields = headers.map((name) => [
    name,
    { description: headerTexts[name], schema: { type: 'string' } },
  ]);
  const content = schema && { 'application/json': { schema: { $ref: `${COMPONENTS}${schema}` } } };
  return {
    description: schema ?? 'Done.',
    ...(fields.length > 0 && { headers: Object.fromEntries(fields) }),
    ...(content && { content }),
  };
}

/** By status, with the codes that each may come with. */
function problemAnswers(one: Operation): Record<number, object> {
  const codes: ProblemCode[] = [
    ...(one.isPublic === true ? [] : ofAll),
    ...(one.body === undefined ? [] : ofBodies),
    ...(one.query === undefined ? [] : (['invalid_input'] as const)),
    ...(one.problems ?? []),
  ];
  const answers: Record<number, object> = {};
  for (const status of new Set(codes.map((code) => problems[code][0]))) {
    const texts = [...new Set(codes)]
      .filter((code) => problems[code][0] === status)
      .map((code) => `\`${code}\`: ${problems[code][1]}.`);
    answers[status] = problemAnswer(texts.join(' '));
  }
  return answers;
}

function problemAnswer(description: string): object {
  return {
    description,
    content: { 'application/problem+json': { schema: { $ref: `${COMPONENTS}Problem` } } },
  };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output') {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}

/** Each schema under its name, with references to the others. */
function answerComponents(): Record<string, object> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(answerSchemas)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${COMPONENTS}${id}`, io: 'output' });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}
