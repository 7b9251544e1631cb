/** The least that protection can cost: the header read and nothing judged, and the signature alone by hand. */
import { createPublicKey, verify } from 'node:crypto';
import type { Setup } from './routes.ts';

type Authorization = string | null | undefined;

export interface Limits {
  /** Whether there is an `Authorization` header. */
  isThere(authorization: Authorization): boolean;
  /** Whether the signature holds; in the thread pool. */
  holds(authorization: Authorization): Promise<boolean>;
  /** The same in the event loop. */
  holdsInLoop(authorization: Authorization): boolean;
}

export function createLimits(setup: Setup): Limits {
  const publicKey = createPublicKey({ key: setup.jwk, format: 'jwk' });
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const };
  return {
    isThere: (authorization) => authorization?.startsWith('Bearer ') === true,
    holds: (authorization) => {
      const [data, signature] = partsOf(authorization);
      return new Promise((resolve) => {
        verify('SHA256', data, key, signature, (error, good) => resolve(error === null && good));
      });
    },
    holdsInLoop: (authorization) => {
      const [data, signature] = partsOf(authorization);
      return verify('SHA256', data, key, signature);
    },
  };
}

function partsOf(authorization: Authorization): readonly [data: Buffer, signature: Buffer] {
  const token = authorization?.slice(7) ?? '';
  const dot = token.lastIndexOf('.');
  return [Buffer.from(token.slice(0, dot), 'latin1'), Buffer.from(token.slice(dot + 1), 'base64url')];
}
