/** Verification of tokens seen before, on fresh strings, as every request brings one. */
import { createVerifier as createFastJwtVerifier } from 'fast-jwt';
import { createVerifier } from 'service-auth';
import { type Contender, must } from './harness.ts';
import { audience, createSigner, issuer } from './tokens.ts';

const KEPT = 200_000;

/**
 * Contenders for a number of distinct tokens. The floor only makes the header's string: a string that is used
 * again would have its hash remembered by the engine, which no request does.
 */
export async function cached(distinct: number): Promise<readonly Contender[]> {
  const signer = await createSigner('ES256');
  const headers = Array.from({ length: distinct }, () => Buffer.from(`Bearer ${signer.token()}`, 'latin1'));
  const header = (at: number): string => headers[at % distinct]?.toString('latin1') ?? '';

  const verifier = createVerifier({
    issuer: { issuer, jwks: { keys: [signer.jwk] } },
    audience,
    cache: { maxTokens: KEPT },
  });
  const guard = verifier.guard({ scope: 'orders:read' });
  const request = { method: 'GET', url: '/orders', headers: { value: '', get: () => request.headers.value } };
  const fastJwtOptions = {
    key: signer.publicKey?.export({ type: 'spki', format: 'pem' }) ?? '',
    algorithms: ['ES256' as const],
    allowedIss: issuer,
    allowedAud: audience,
    cache: KEPT,
  };
  const fastJwt = (name: string, check: (token: string) => unknown): Contender => ({
    name,
    run: (from, count) => {
      for (let at = from; at < from + count; at++) must(check(header(at).slice(7)) !== undefined);
    },
  });

  for (let at = 0; at < distinct; at++) await verifier.verifyToken(header(at).slice(7));

  let length = 0;
  return [
    {
      name: 'floor: making the string',
      run: (from, count) => {
        for (let at = from; at < from + count; at++) length += header(at).length;
        if (length === 0) throw new Error('no string was made');
      },
    },
    {
      name: 'service-auth, whole authenticate',
      run: (from, count) => {
        for (let at = from; at < from + count; at++) {
          request.headers.value = header(at);
          const outcome = guard(request);
          must(!(outcome instanceof Promise) && outcome.ok);
        }
      },
    },
    fastJwt(`fast-jwt, cache of ${KEPT}`, createFastJwtVerifier(fastJwtOptions)),
    // Its documentation advises this for speed where the tokens themselves may lie in memory, as they do here.
    fastJwt(
      'fast-jwt, cache by the token itself',
      createFastJwtVerifier({ ...fastJwtOptions, cacheKeyBuilder: (token) => token }),
    ),
  ];
}
