/** RFC 7638 thumbprints (with RFC 8037, 9278 and 9449). */
import { expect, it } from 'vitest';
import { thumbprint } from '../../src/shared/thumbprint.ts';
import { readVectors } from '../helpers/vectors.ts';

it.each(readVectors('rfc7638-thumbprint'))('$id: $description', async ({ jwk, ...vector }) => {
  const found = await thumbprint(jwk ?? {});
  const prefix = 'urn:ietf:params:oauth:jwk-thumbprint:sha-256:';
  if (vector.uri === undefined) expect(found).toBe(vector.thumbprint);
  else expect(`${prefix}${found}`).toBe(vector.uri);
});

it('gives nothing for symmetric keys and for keys with parts missing', () => {
  expect(thumbprint({ kty: 'oct', k: 'AAAA' })).toBeUndefined();
  expect(thumbprint({ kty: 'EC', crv: 'P-256', x: 'AAAA' })).toBeUndefined();
  expect(thumbprint({})).toBeUndefined();
});
