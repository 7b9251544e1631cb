/** The keys of DPoP proofs, ready to verify: importing one costs as much as verifying with it. */
import { importPublicKey, type Jwk, type KeyAlgorithm, type VerifySignature } from './crypto.ts';
import type { JwsHeader, KnownHeaders } from './jws.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';
import { createRecentMap } from './recent-map.ts';
import { thumbprint } from './thumbprint.ts';

export interface ProofKey extends JwsHeader {
  readonly jkt: string;
  readonly verify: VerifySignature;
}

export interface ProofKeys extends KnownHeaders {
  /** The key of a header that proofs came with before. */
  get(headerSegment: string): ProofKey | undefined;
  /** The key of a header that is new, its thumbprint alone where another is wanted; `undefined` for what is no key. */
  read(header: JwsHeader, wanted: string | undefined): MaybePromise<ProofKey | Mismatch | undefined>;
  /** To be called once a proof has held, so that made-up keys push out none that are in use. */
  remember(headerSegment: string, key: ProofKey): void;
}

/** A key of another thumbprint than the one that is wanted. */
export interface Mismatch {
  readonly jkt: string;
  readonly verify?: never;
}

const MOST_KEYS = 10_000;
/** Enough for the largest keys that are taken; of a longer header only the key is remembered. */
const LONGEST_HEADER = 2048;

export function createProofKeys(): ProofKeys {
  // A client sends the same header with every proof; one that varies it finds its key by the thumbprint.
  const byHeader = createRecentMap<ProofKey>(MOST_KEYS);
  const byThumbprint = createRecentMap<ProofKey>(MOST_KEYS);

  function load(header: JwsHeader, jkt: string): ProofKey | undefined {
    const known = byThumbprint.get(nameOf(header, jkt));
    if (known !== undefined) return { ...header, jkt, verify: known.verify };
    try {
      return { ...header, jkt, verify: importPublicKey(header.jwk as Jwk, header.alg as KeyAlgorithm) };
    } catch {
      return undefined;
    }
  }

  return {
    get: byHeader.get,
    read: (header, wanted) =>
      andThen(thumbprint(header.jwk as Jwk), (jkt) => {
        if (jkt === undefined) return undefined;
        return wanted === undefined || jkt === wanted ? load(header, jkt) : { jkt };
      }),
    remember(headerSegment, key) {
      byThumbprint.set(nameOf(key, key.jkt), key);
      if (headerSegment.length <= LONGEST_HEADER) byHeader.set(copyOf(headerSegment), key);
    },
  };
}

function nameOf({ alg }: JwsHeader, jkt: string): string {
  return `${alg} ${jkt}`;
}

/** A part of a text keeps all of it in memory; the characters are those of base64url. */
function copyOf(part: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(part));
}
