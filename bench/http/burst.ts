/** The ways to verify when many new tokens come at once; those by hand check the signature alone. */
import { createPublicKey, verify } from 'node:crypto';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { createVerifier as createFastJwtVerifier } from 'fast-jwt';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { requireServiceAuth } from 'service-auth/express';
import { audience, issuer } from '../tokens.ts';
import { order, type Setup } from './routes.ts';
import { createVerifiers, scope } from './verifiers.ts';

const text = JSON.stringify(order);
const headers = { 'content-type': 'application/json', 'content-length': text.length };

export async function createBurstServer(setup: Setup): Promise<Server> {
  const publicKey = createPublicKey({ key: setup.jwk, format: 'jwk' });
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const };
  const protect = requireServiceAuth({ verifier: createVerifiers(setup).new, scope });
  const set = createLocalJWKSet({ keys: [setup.jwk] });
  const fastJwt = createFastJwtVerifier({
    key: publicKey.export({ type: 'spki', format: 'pem' }),
    algorithms: ['ES256'],
    allowedIss: issuer,
    allowedAud: audience,
    cache: false,
  });
  const answer = (response: ServerResponse, holds: boolean): void => {
    response.writeHead(holds ? 200 : 401, headers).end(text);
  };
  return createServer((request, response) => {
    const { url, headers: given } = request;
    if (url === '/open') return answer(response, true);
    if (url === '/ours') return protect(request, response, () => answer(response, true));
    const token = given.authorization?.slice(7) ?? '';
    if (url === '/fast-jwt') return answer(response, fastJwt(token) !== undefined);
    if (url === '/jose') {
      const options = { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] };
      const checked = jwtVerify(token, set, options);
      return void checked.then(
        () => answer(response, true),
        () => answer(response, false),
      );
    }
    const dot = token.lastIndexOf('.');
    const data = Buffer.from(token.slice(0, dot), 'latin1');
    const signature = Buffer.from(token.slice(dot + 1), 'base64url');
    if (url === '/loop') return answer(response, verify('SHA256', data, key, signature));
    return verify('SHA256', data, key, signature, (error, holds) =>
      answer(response, error === null && holds),
    );
  });
}
