/** The least that protection can cost: the header read and nothing judged, and the signature alone by hand. */
import { createPublicKey, verify } from 'node:crypto';
import type { Setup } from './routes.ts';

export interface Limits {
  /** Whether there is an `Authorization` header. */
  isThere(authorization: string | null | undefined): boolean;
  /** Whether the signature holds; in the thread pool. */
  holds(authorization: string | null | undefined): Promise<boolean>;
}

export function createLimits(setup: Setup): Limits {
  const publicKey = createPublicKey({ key: setup.jwk, format: 'jwk' });
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const };
  return {
    isThere: (authorization) => authorization?.startsWith('Bearer ') === true,
    holds: (authorization = '') => {
      const token = authorization?.slice(7) ?? '';
      const dot = token.lastIndexOf('.');
      const data = Buffer.from(token.slice(0, dot), 'latin1');
      const signature = Buffer.from(token.slice(dot + 1), 'base64url');
      return new Promise((resolve) => {
        verify('SHA256', data, key, signature, (error, good) => resolve(error === null && good));
      });
    },
  };
}
