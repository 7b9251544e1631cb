/** The same calls to a service as it was written before and as it is now: the same answers, and what is better. */
import assert from 'node:assert/strict';
import type { Stage } from './stage.ts';

export interface Sides<T> {
  readonly before: T;
  readonly after: T;
}

type Ask<T> = (side: T, name: keyof Sides<T>) => string | number | Promise<string | number>;

export interface Comparison<T> {
  /** Both must give this very answer. */
  same(title: string, ask: Ask<T>, expected: string | number): Promise<unknown>;
  /** What was, and what is instead. */
  better(title: string, ask: Ask<T>, expected: Sides<string | number>): Promise<unknown>;
}

export function compare<T>(stage: Stage, { before, after }: Sides<T>): Comparison<T> {
  return {
    same: (title, ask, expected) =>
      stage.step(title, async () => {
        assert.equal(String(await ask(before, 'before')), String(expected), 'before');
        assert.equal(String(await ask(after, 'after')), String(expected), 'after');
        return `${expected}, before and after`;
      }),
    better: (title, ask, expected) =>
      stage.step(title, async () => {
        assert.equal(String(await ask(before, 'before')), String(expected.before), 'before');
        assert.equal(String(await ask(after, 'after')), String(expected.after), 'after');
        return `${expected.before} before, ${expected.after} after`;
      }),
  };
}

/** Makes something in the environment that a deployment would give its process. */
export function inEnvironment<T>(variables: Readonly<Record<string, string>>, make: () => T): T {
  const kept = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return make();
  } finally {
    for (const [name, value] of kept) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** The status of a call with this token, or with none. */
export async function statusOf(url: string, token?: string, scheme = 'Bearer'): Promise<number> {
  const headers: HeadersInit = token === undefined ? {} : { authorization: `${scheme} ${token}` };
  const response = await fetch(url, { headers });
  await response.body?.cancel();
  return response.status;
}

/** The status, and the seconds after which to come again. */
export async function outageOf(url: string, token: string): Promise<string> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  await response.body?.cancel();
  return response.headers.has('retry-after') ? `${response.status} Retry-After` : String(response.status);
}

/** A token whose claims were changed. */
export function tampered(token: string): string {
  const [head, claims = '', signature] = token.split('.');
  const read: unknown = JSON.parse(Buffer.from(claims, 'base64url').toString());
  const better = JSON.stringify({ ...Object(read), scope: 'read write admin' });
  return [head, Buffer.from(better).toString('base64url'), signature].join('.');
}
