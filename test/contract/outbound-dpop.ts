/** An issuer of bound tokens that asks for nonces, and a service that judges them as ours do. */
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';
import { createVerifier } from '../../src/index.ts';
import { audience, createKey, issuer } from '../helpers/tokens.ts';
import {
  type Handler,
  type Received,
  sendJson,
  startServer,
  type TestServer,
} from '../unit/outbound/support.ts';

export interface DpopScene {
  readonly issuer: TestServer;
  readonly service: TestServer;
  /** The nonce that the issuer wants from now on. */
  issuerNonce: string;
}

export async function startDpopScene(
  handle: Handler = (_, response) => sendJson(response, { hello: true }),
): Promise<DpopScene> {
  const key = await createKey('ES256');
  let count = 0;
  const token = async (jkt: string): Promise<string> => {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: issuer,
      sub: 'billing',
      aud: audience,
      client_id: 'billing',
      iat: now,
      exp: now + 300,
    };
    return key.sign({ typ: 'at+jwt' }, { ...claims, jti: `token-${++count}`, cnf: { jkt } });
  };

  const issuerServer = await startServer(async (request, response) => {
    const nonce = { 'dpop-nonce': scene.issuerNonce };
    const proof = await jwtVerify(headerOf(request, 'dpop'), EmbeddedJWK, { typ: 'dpop+jwt' });
    const { htm, htu } = proof.payload;
    if (htm !== 'POST' || htu !== `${issuerServer.origin}/token`) {
      return sendJson(response, { error: 'invalid_dpop_proof' }, 400);
    }
    if (proof.payload.nonce !== scene.issuerNonce) {
      return sendJson(response, { error: 'use_dpop_nonce' }, 400, nonce);
    }
    const accessToken = await token(await calculateJwkThumbprint(proof.protectedHeader.jwk ?? {}));
    return sendJson(response, { access_token: accessToken, token_type: 'DPoP', expires_in: 300 });
  });

  const verifier = createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    dpop: { mode: 'required', nonce: { secret: 'a secret for nonces, long enough' } },
  });
  const service = await startServer(async (request, response) => {
    const url = `${service.origin}${request.url}`;
    const fields = { get: (name: string) => request.headers[name]?.toString() ?? null };
    const outcome = await verifier.authenticate({ method: request.method, url, headers: fields });
    if (!outcome.ok) {
      const { status, headers, body, reason } = outcome.rejection;
      response.writeHead(status, { ...headers, 'x-reason': reason }).end(body);
      return;
    }
    for (const [name, value] of Object.entries(outcome.headers ?? {})) response.setHeader(name, value);
    await handle(request, response);
  });

  const scene: DpopScene = { issuer: issuerServer, service, issuerNonce: 'nonce-1' };
  return scene;
}

function headerOf({ headers }: Received, name: string): string {
  return headers[name]?.toString() ?? '';
}

/** The claims of a proof, unverified. */
export function proofOf(request: Received | undefined): Record<string, unknown> {
  const [, claims = ''] = (request === undefined ? '' : headerOf(request, 'dpop')).split('.');
  return JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}');
}
