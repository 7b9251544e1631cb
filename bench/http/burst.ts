/** The ways to verify when many new tokens come at once; those by hand check the signature alone. */
import { createPublicKey } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createVerifier as createFastJwtVerifier } from 'fast-jwt';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { requireServiceAuth } from 'service-auth/express';
import { audience, issuer } from '../tokens.ts';
import { answer } from './answer.ts';
import { createLimits } from './limits.ts';
import type { Setup } from './routes.ts';
import { timeInTurn } from './turns.ts';
import { createVerifiers, scope } from './verifiers.ts';

type Check = (authorization: string) => boolean | Promise<boolean>;

/** Not timed: it does its work after waiting, and none at once. */
const WAITING = '/jose';

export async function createBurstServer(setup: Setup): Promise<Server> {
  const ours = createOurs(setup);
  const checks = createChecks(setup);
  return createServer((request, response) => {
    const { url = '', headers } = request;
    if (url === '/ours') return ours(request, response);
    const check = checks.get(url);
    if (check === undefined) return answer(response);
    const judge = (): ReturnType<Check> => check(headers.authorization ?? '');
    const holds = url === WAITING ? judge() : timeInTurn(judge);
    if (typeof holds === 'boolean') return answer(response, holds);
    return void holds.then((good) => answer(response, good));
  });
}

/** What is answered in the same turn is answered after the clock was read. */
function createOurs(setup: Setup) {
  const protect = requireServiceAuth({ verifier: createVerifiers(setup).new, scope });
  return (request: IncomingMessage, response: ServerResponse): void => {
    let isAllowed = false;
    let isLate = false;
    timeInTurn(() =>
      protect(request, response, () => {
        isAllowed = true;
        if (isLate) answer(response);
      }),
    );
    isLate = true;
    if (isAllowed) answer(response);
  };
}

function createChecks(setup: Setup): ReadonlyMap<string, Check> {
  const { holds, holdsInLoop } = createLimits(setup);
  const fastJwt = createFastJwtVerifier({
    key: createPublicKey({ key: setup.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }),
    algorithms: ['ES256'],
    allowedIss: issuer,
    allowedAud: audience,
    cache: false,
  });
  const set = createLocalJWKSet({ keys: [setup.jwk] });
  const rules = { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] };
  const jose = (token: string): Promise<boolean> =>
    jwtVerify(token, set, rules).then(
      () => true,
      () => false,
    );
  return new Map<string, Check>([
    ['/fast-jwt', (authorization) => fastJwt(authorization.slice(7)) !== undefined],
    [WAITING, (authorization) => jose(authorization.slice(7))],
    ['/loop', holdsInLoop],
    ['/pool', holds],
  ]);
}
