/** RSA keys take long to make: all test issuers of a process begin with the same one, and rotate to their own. */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { IssuerContext } from '../../src/issuer/context.ts';
import { createSealedKeys } from '../../src/issuer/keys/sealed-keys.ts';

let rsaKey: Promise<JWK> | undefined;

/** Adds the first signing key of an issuer that signs with RSA; all others make theirs in no time. */
export async function addFirstKey({ settings }: IssuerContext): Promise<void> {
  const { storage, secretKey, signingAlgorithm: algorithm, accessTokenSeconds, now } = settings;
  if (algorithm !== 'RS256') return;
  rsaKey ??= generateKeyPair(algorithm, { extractable: true }).then(({ privateKey }) =>
    exportJWK(privateKey),
  );
  const jwk = await rsaKey;
  const time = now();
  const key = {
    kid: await calculateJwkThumbprint(jwk),
    algorithm,
    sealedKey: await createSealedKeys(secretKey).seal(jwk),
    createdAtMs: time,
    activeFromMs: time,
    tokenSeconds: accessTokenSeconds,
  };
  await storage.addSigningKey(key, undefined);
}
