/** A verifier of its own for each route of service-auth, so that none changes another's cache. */
import { createVerifier, type Verifier } from 'service-auth';
import { audience, issuer } from '../tokens.ts';
import type { Setup } from './routes.ts';

export const scope = 'orders:read';

/** With keys by their URL, as the peers have them that can. */
export function createVerifiers({ jwksUri }: Setup): Readonly<Record<'known' | 'new' | 'proven', Verifier>> {
  const create = (): Verifier => createVerifier({ issuer: { issuer, jwksUri }, audience });
  return { known: create(), new: create(), proven: create() };
}
