import { readFileSync } from 'node:fs';
import type { Jwk } from '../../src/index.ts';

export interface Vector {
  readonly id: string;
  readonly description: string;
  readonly jwk?: Jwk;
  readonly jwks?: { readonly keys: readonly Jwk[] };
  readonly token: unknown;
  readonly message?: string;
  readonly signature?: string;
  readonly expected: 'accept' | 'reject' | 'either';
  readonly options: { readonly alg?: string; readonly [name: string]: unknown };
  readonly [member: string]: unknown;
}

/** The cases of a file in test/vectors. */
export function readVectors(name: string): readonly Vector[] {
  const text = readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8');
  const { cases } = JSON.parse(text) as { cases: readonly Vector[] };
  if (cases.length === 0) throw new Error(`${name} has no cases`);
  return cases;
}
