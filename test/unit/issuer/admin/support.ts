import { expect } from 'vitest';
import * as z from 'zod';
import type { IssuerConnection, IssuerOptions } from '../../../../src/issuer/index.ts';
import { ADMIN_TOKEN, type Answer, createHarness, type Harness, ORDERS, readAnswer } from '../harness.ts';

export const SERVICE = { name: 'Billing', scopes: ['read'], resources: [ORDERS] };

export interface AdminHarness extends Harness {
  /** A request with the admin token, whose answer is held against the OpenAPI document. */
  admin(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** A request with other credentials, held against the document, too. */
  send(path: string, init: RequestInit, connection?: IssuerConnection): Promise<Answer>;
}

/** An issuer in this process, of whose admin API no answer goes unchecked. */
export function createAdminHarness(options: Partial<IssuerOptions> = {}): AdminHarness {
  const harness = createHarness(options);
  const { issuer } = harness;
  const base = issuer.issuer.replace(/\/$/, '');
  let judge: Promise<Judge> | undefined;

  async function send(path: string, init: RequestInit, connection?: IssuerConnection): Promise<Answer> {
    judge ??= harness.call(`${base}/admin/openapi.json`).then(({ body }) => createJudge(body));
    const url = new URL(path, `${base}/`);
    const answer = await readAnswer(await issuer.fetch(new Request(url, init), connection));
    (await judge)(
      init.method ?? 'GET',
      url.pathname.slice(new URL(base).pathname.replace(/\/$/, '').length),
      answer,
    );
    return answer;
  }

  return {
    ...harness,
    send,
    admin(method, path, body, headers = {}) {
      const credentials = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
      const init = { method, headers: { ...credentials, ...headers } };
      return send(path, body === undefined ? init : { ...init, body: JSON.stringify(body) });
    },
  };
}

type Judge = (method: string, path: string, answer: Answer) => void;

interface Described {
  readonly responses: Readonly<Record<string, { content?: Readonly<Record<string, { schema: object }>> }>>;
}

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

/** Holds an answer against what the document says of its path, method and status; undocumented members are refused. */
function createJudge({ paths, components }: Document): Judge {
  const schemas = new Map<string, z.ZodType>();
  function schemaOf(schema: object): z.ZodType {
    const text = JSON.stringify({ ...schema, $defs: components.schemas }).replaceAll(
      '#/components/schemas/',
      '#/$defs/',
    );
    const known = schemas.get(text) ?? z.fromJSONSchema(JSON.parse(text));
    schemas.set(text, known);
    return known;
  }

  return (method, path, { status, headers, text, body }) => {
    const found = Object.entries(paths).find(([template]) => isMatch(template, path));
    const described = found?.[1][method.toLowerCase()];
    // There is nothing at the path, or nothing of the method: the router answers.
    if (described === undefined) return expect([404, 405]).toContain(status);
    const documented = described.responses[status];
    expect(documented, `${method} ${path} answered ${status}, which is not documented`).toBeDefined();
    const [type, media] = Object.entries(documented?.content ?? {})[0] ?? [];
    expect(headers.get('content-type') ?? undefined).toBe(type);
    if (media === undefined) return expect(text).toBe('');
    expect(schemaOf(media.schema).safeParse(body).error?.issues ?? []).toEqual([]);
  };
}

function isMatch(template: string, path: string): boolean {
  const expected = template.split('/');
  const actual = path.split('/');
  return (
    expected.length === actual.length &&
    expected.every((segment, at) => segment.startsWith('{') || segment === actual[at])
  );
}

export function create(harness: AdminHarness, input: object = {}): Promise<Answer> {
  return harness.admin('POST', '/admin/services', { ...SERVICE, ...input });
}

/** All of the audit log, the newest first. */
export async function auditOf(harness: AdminHarness) {
  const { body } = await harness.admin('GET', '/admin/audit?limit=200');
  return body.entries;
}
