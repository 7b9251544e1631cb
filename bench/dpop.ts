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
import * as oauth from 'oauth4webapi';
import { createMemoryReplayStore, createVerifier } from 'service-auth';
import { batchOf, type Contender, fresh, must } from './harness.ts';
import { awaiting, judging } from './judging.ts';
import { audience, createClient, createSigner, issuer } from './tokens.ts';

const host = 'orders.example';
const path = '/orders/4711';
const url = `https://${host}${path}`;
const proofOfTheBenchmark = 'a proof of the benchmark';

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
  return [floor(client), ...ours(client), ...jose(client), ...viaOauth4webapi(client)];
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
        const holds = verify('SHA256', data, key, signature);
        must(holds && hash('sha256', bytes, 'buffer').length === 32, proofOfTheBenchmark);
      }
    },
  };
}

/** As a server of `node:http` gives a request: the path, and the host in its header. */
function ours({ token, jwks, prove }: Bound): readonly Contender[] {
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
  return judging('service-auth, whole authenticate', batch, guard);
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
    must(htm === 'GET' && htu === url, proofOfTheBenchmark);
    must(ath === createHash('sha256').update(given).digest('base64url'), proofOfTheBenchmark);
    must((await calculateJwkThumbprint(protectedHeader.jwk ?? {})) === jkt, proofOfTheBenchmark);
  };
  const batch = batchOf(() => ({ proof: prove(), token: fresh(token) }));
  return [
    ...awaiting('jose, the proof alone', batch, (request) => checkProof(request.proof, request.token)),
    ...awaiting('jose, token and proof', batch, async (request) => {
      await checkToken(request.token);
      await checkProof(request.proof, request.token);
    }),
  ];
}

function viaOauth4webapi({ token, jwks, prove }: Bound): readonly Contender[] {
  const server = { issuer, jwks_uri: `${issuer}/jwks` };
  const options = {
    requireDPoP: true,
    [oauth.jwksCache]: { jwks: { keys: [...jwks.keys] as never }, uat: Math.floor(Date.now() / 1000) },
  };
  const batch = batchOf(
    () => new Request(url, { headers: { authorization: `DPoP ${token}`, dpop: prove() } }),
  );
  return awaiting('oauth4webapi, validateJwtAccessToken', batch, async (request) =>
    oauth.validateJwtAccessToken(server, request, audience, options),
  );
}
