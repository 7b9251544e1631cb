/** The keys that assertions are verified with: those of services, and of the issuers that vouch for them. */
import { LRUCache } from 'lru-cache';
import type { Emit } from '../../events.ts';
import { createVerifier, type Verifier } from '../../index.ts';
import { type KeyAlgorithm, keyAlgorithms } from '../../shared/crypto.ts';
import { withoutQuery } from '../../shared/http.ts';
import {
  createRemoteKeySet,
  createStaticKeySet,
  type KeySet,
  parseKeySet,
  type VerificationKey,
} from '../../shared/key-set.ts';
import type { IssuerSettings } from '../issuer-settings.ts';
import type { FederatedIdentity, KeySetDocument, StoredService } from '../storage/records.ts';
import { createDecoyKeys, decoyJwk } from './decoy-keys.ts';

export interface ClientKeys {
  /** The registered keys of a service; where there is none, keys that are as long to look up and good for nothing. */
  keysOf(service: Pick<StoredService, 'jwks' | 'jwksUri'> | undefined): KeySet;
  /** Judges assertions of the issuer of an identity, save for whose they are. */
  verifierOf(identity: FederatedIdentity, hasType: boolean): Verifier;
  /** A key under which no signature holds. */
  decoyFor(algorithm: KeyAlgorithm): Pick<VerificationKey, 'verify'>;
}

const MOST_KEY_SETS = 1000;
const MOST_VERIFIERS = 1000;
/** A projected token is sent again and again; there are as many as there are workloads of one issuer. */
const MOST_ASSERTIONS = 1000;
const TIMEOUT_MS = 5000;

export function createClientKeys(
  { issuer, baseUrl, fetch, now, onEvent }: IssuerSettings,
  emit: Emit | undefined,
): ClientKeys {
  // What is pushed out is fetched or parsed again; only registrations put something in, no request does.
  const remote = new LRUCache<string, KeySet>({ max: MOST_KEY_SETS });
  const fixed = new LRUCache<string, KeySet>({ max: MOST_KEY_SETS });
  const verifiers = new LRUCache<string, Verifier>({ max: MOST_VERIFIERS });

  const decoys = { jwks: { keys: [decoyJwk('ES256')] }, jwksUri: undefined };

  function remoteKeys(jwksUri: string): KeySet {
    return createRemoteKeySet({
      issuer: withoutQuery(jwksUri),
      jwksUri: () => jwksUri,
      algorithms: keyAlgorithms,
      timeoutMs: TIMEOUT_MS,
      fetch,
      now,
      emit,
    });
  }

  function createIdentityVerifier(identity: FederatedIdentity, hasType: boolean): Verifier {
    const { issuer: name, audience, jwksUri, jwks } = identity;
    const keys = jwks !== undefined ? { jwks } : jwksUri !== undefined ? { jwksUri } : {};
    return createVerifier({
      issuer: { issuer: name, ...keys },
      audience: audience ?? [issuer, `${baseUrl}/token`],
      typ: hasType ? ['jwt', 'client-authentication+jwt'] : 'any',
      dpop: false,
      cache: { maxTokens: MOST_ASSERTIONS },
      fetch,
      now,
      // Whether an assertion was good is told as what it means for the client.
      onEvent: (event) => {
        if (event.type.startsWith('keys.')) onEvent?.(event);
      },
    });
  }

  function keysOf({ jwks, jwksUri }: Pick<StoredService, 'jwks' | 'jwksUri'> = decoys): KeySet {
    if (jwks !== undefined) return memoized(fixed, JSON.stringify(jwks.keys), () => fixedKeys(jwks));
    return jwksUri === undefined ? keysOf() : memoized(remote, jwksUri, () => remoteKeys(jwksUri));
  }

  return {
    keysOf,
    verifierOf(identity, hasType) {
      const { issuer: name, audience, jwksUri, jwks } = identity;
      const key = JSON.stringify([name, audience, jwksUri, jwks?.keys, hasType]);
      return memoized(verifiers, key, () => createIdentityVerifier(identity, hasType));
    },
    decoyFor: createDecoyKeys(),
  };
}

function fixedKeys({ keys }: KeySetDocument): KeySet {
  return createStaticKeySet(parseKeySet({ keys }, keyAlgorithms));
}

function memoized<T extends object>(cache: LRUCache<string, T>, key: string, make: () => T): T {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = make();
  cache.set(key, made);
  return made;
}
