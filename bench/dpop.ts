/** A whole request with a DPoP proof (RFC 9449): token and key known, the proof never seen before. */
import { createHash, hash, type KeyObject, verify } from 'node:crypto';
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  EmbeddedJWK,
  type JWK,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { createMemoryReplayStore, createVerifier } from 'service-auth';
import { batchOf, type Contender, fresh } from './harness.ts';
import { audience, createClient, createSigner, issuer } from './tokens.ts';

const host = 'orders.example';
const path = '/orders/4711';
const url = `https://${host}${path}`;
const now = Date.now();

/** A client and its bound token. */
interface Bound {
  readonly token: string;
  readonly jkt: string;
  readonly publicKey: KeyObject;
  /** The issuer's key, as a set. */
  readonly jwks: { readonly keys: JWK[] };
  /** A new proof. */
  prove(): string;
}

export async function dpop(): Promise<readonly Contender[]> {
  const signer = await createSigner('ES256');
  const { jkt, publicKey, prove } = await createClient();
  const token = signer.token({ cnf: { jkt } });
  const client = {
    token,
    jkt,
    publicKey,
    jwks: { keys: [signer.jwk] },
    prove: () => prove('GET', url, token),
  };
  return [floor(client), await ours(client), ...jose(client), ...(await oauth4webapi(client))];
}

/** The proof's signature and the token's hash, which no one can do without who knows the key but not the token. */
function floor({ token, publicKey, prove }: Bound): Contender {
  const batch = batchOf(() => {
    const proof = prove();
    const dot = proof.lastIndexOf('.');
    return [Buffer.from(proof.slice(0, dot)), Buffer.from(proof.slice(dot + 1), 'base64url')] as const;
  });
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const };
  const bytes = Buffer.from(token);
  return {
    name: 'floor: crypto.verify and SHA-256',
    prepare: batch.prepare,
    run: (from, count) => {
      for (const [data, signature] of batch.items.slice(from, from + count)) {
        must(verify('SHA256', data, key, signature) && hash('sha256', bytes, 'buffer').length === 32);
      }
    },
  };
}

/** As a server of `node:http` gives a request: the path, and the host in its header. */
async function ours({ token, jwks, prove }: Bound): Promise<Contender> {
  const verifier = createVerifier({
    issuer: { issuer, jwks },
    audience,
    dpop: { mode: 'required', replayStore: createMemoryReplayStore() },
  });
  const guard = verifier.guard({ scope: 'orders:read' });
  const connection = { encrypted: true, remoteAddress: '127.0.0.1', peerCertificate: undefined };
  const batch = batchOf(() => {
    const headers = new Map([
      ['authorization', fresh(`DPoP ${token}`)],
      ['dpop', prove()],
      ['host', fresh(host)],
    ]);
    return { method: 'GET', url: fresh(path), connection, headers };
  });
  return {
    name: 'service-auth, whole authenticate',
    prepare: batch.prepare,
    run: async (from, count) => {
      for (const request of batch.items.slice(from, from + count)) {
        const outcome = guard(request);
        // A turn of the loop that has verified enough leaves the rest to the pool.
        must(outcome instanceof Promise ? (await outcome).ok : outcome.ok);
      }
    },
  };
}

/** What programs put together themselves; no one keeps the used proofs here. */
function jose({ token, jkt, jwks, prove }: Bound): readonly Contender[] {
  const keys: JWTVerifyGetKey = createLocalJWKSet(jwks);
  const checkToken = (given: string): Promise<unknown> =>
    jwtVerify(given, keys, { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] });
  const checkProof = async (proof: string, given: string): Promise<void> => {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: ['ES256'],
      maxTokenAge: 60,
      clockTolerance: 5,
      requiredClaims: ['jti'],
    });
    const { htm, htu, ath } = payload;
    must(htm === 'GET' && htu === url);
    must(ath === createHash('sha256').update(given).digest('base64url'));
    must((await calculateJwkThumbprint(protectedHeader.jwk ?? {})) === jkt);
  };
  const batch = batchOf(() => ({ proof: prove(), token: fresh(token) }));
  return [
    {
      name: 'jose, the proof alone',
      prepare: batch.prepare,
      run: async (from, count) => {
        for (const request of batch.items.slice(from, from + count))
          await checkProof(request.proof, request.token);
      },
    },
    {
      name: 'jose, token and proof',
      prepare: batch.prepare,
      run: async (from, count) => {
        for (const request of batch.items.slice(from, from + count)) {
          await checkToken(request.token);
          await checkProof(request.proof, request.token);
        }
      },
    },
  ];
}

async function oauth4webapi({ token, jwks, prove }: Bound): Promise<readonly Contender[]> {
  const oauth = await import('oauth4webapi').catch(() => undefined);
  if (oauth === undefined) return [];
  const server = { issuer, jwks_uri: `${issuer}/jwks` };
  const options = {
    requireDPoP: true,
    [oauth.jwksCache]: { jwks: { keys: [...jwks.keys] as never }, uat: Math.floor(now / 1000) },
  };
  const batch = batchOf(
    () => new Request(url, { headers: { authorization: `DPoP ${token}`, dpop: prove() } }),
  );
  return [
    {
      name: 'oauth4webapi, validateJwtAccessToken',
      prepare: batch.prepare,
      run: async (from, count) => {
        for (const request of batch.items.slice(from, from + count)) {
          must((await oauth.validateJwtAccessToken(server, request, audience, options)) !== undefined);
        }
      },
    },
  ];
}

function must(holds: boolean): void {
  if (!holds) throw new Error('a proof of the benchmark was refused');
}
