/** Making a DPoP proof for a request (RFC 9449 section 4.2) with a key and a token that are known. */
import { generateKeyPairSync, hash, randomUUID, sign } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import { createTokenClient } from 'service-auth';
import type { Contender } from './harness.ts';
import { createSigner, encode } from './tokens.ts';

const method = 'GET';
const url = 'https://orders.example/orders/4711';

export async function proofs(): Promise<readonly Contender[]> {
  const token = (await createSigner('ES256')).token();
  return [floor(token), await ours(token), await viaJose(token), await viaOauth4webapi(token)];
}

/** One signature over a text that is there already. */
function floor(token: string): Contender {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) };
  const ath = hash('sha256', token, 'base64url');
  const iat = Math.floor(Date.now() / 1000);
  const text = `${encode(header)}.${encode({ jti: randomUUID(), htm: method, htu: url, iat, ath })}`;
  const data = Buffer.from(text);
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' as const };
  return {
    name: 'floor: crypto.sign',
    run: (_, count) => {
      for (let left = count; left > 0; left--) sign('SHA256', data, key);
    },
  };
}

async function ours(token: string): Promise<Contender> {
  const answer = { access_token: token, token_type: 'DPoP', expires_in: 3600 };
  const client = createTokenClient({
    tokenEndpoint: 'https://issuer.example/token',
    clientId: 'billing',
    clientSecret: 'a secret of the usual length, made for the benchmark alone',
    dpop: true,
    fetch: async () => Response.json(answer),
  });
  const { accessToken } = await client.getToken();
  return repeated('service-auth, dpopProof', () => client.dpopProof({ method, url, accessToken }));
}

async function viaJose(token: string): Promise<Contender> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: await exportJWK(publicKey) };
  const ath = hash('sha256', token, 'base64url');
  return repeated('jose, SignJWT', () =>
    new SignJWT({ jti: randomUUID(), htm: method, htu: url, ath })
      .setProtectedHeader(header)
      .setIssuedAt()
      .sign(privateKey),
  );
}

/** What its requests do before they are sent; its types do not name it. */
interface Prover {
  addProof(url: URL, headers: Headers, method: string, token: string): Promise<void>;
}

async function viaOauth4webapi(token: string): Promise<Contender> {
  const pair = await oauth.generateKeyPair('ES256');
  const prover = oauth.DPoP({}, pair) as oauth.DPoPHandle & Prover;
  const target = new URL(url);
  return repeated('oauth4webapi, DPoP', () => prover.addProof(target, new Headers(), method, token));
}

function repeated(name: string, make: () => Promise<unknown>): Contender {
  return {
    name,
    run: async (_, count) => {
      for (let left = count; left > 0; left--) await make();
    },
  };
}
