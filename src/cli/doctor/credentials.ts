/** Whether the environment's client gets a token that verifies. */
import { createTokenClient, isOptionError, isServiceAuthError } from '../../index.ts';
import { isOutOfReach, messageOf } from '../failure.ts';
import type { Finding } from '../finding.ts';
import { decodeToken } from '../inspect/decoded-token.ts';
import { hintOf } from '../inspect/hints.ts';
import { judge } from '../inspect/judgement.ts';
import { relativeTime } from '../relative-time.ts';
import type { Examination, Findings } from './examination.ts';

const hints: Readonly<Record<string, string>> = {
  invalid_client:
    'the client id or its secret is wrong, or the service was revoked: service-auth services show',
  invalid_scope: 'the service is not registered for this scope: service-auth services update --scope',
  invalid_target: 'the service is not registered for this resource: service-auth services update --resource',
  unauthorized_client:
    'the client may not use the client credentials grant; Keycloak says so of a wrong secret, too',
  access_denied: 'name the API by --token-audience, and authorise the client for it there',
  invalid_dpop_proof: 'the issuer sees another URL than clients do, or the clocks differ',
};

const check = 'token';

export async function examineCredentials(examination: Examination): Promise<Findings> {
  const { client } = examination;
  if (client === undefined) {
    const hint = 'set SERVICE_AUTH_CLIENT_ID and SERVICE_AUTH_CLIENT_SECRET';
    return [{ check, status: 'skipped', found: 'no client in the environment', hint }];
  }
  try {
    const tokens = createTokenClient(client);
    const { accessToken, expiresAt, scope } = await tokens.getToken();
    tokens.close();
    const expires = relativeTime(Math.floor(expiresAt / 1000), Date.now());
    const found = `obtained; scope ${scope ?? 'not said'}, expires ${expires}`;
    return [{ check, status: 'ok', found }, ...(await verify(accessToken, examination))];
  } catch (error) {
    return [failureOf(error)];
  }
}

export function failureOf(error: unknown): Finding {
  const oauthError = isServiceAuthError(error) ? error.oauthError : undefined;
  const hint = oauthError === undefined ? undefined : hints[oauthError];
  const status = isOutOfReach(error) ? 'undecided' : 'failure';
  const code = isServiceAuthError(error) || isOptionError(error) ? error.code : undefined;
  return { check, status, found: messageOf(error), hint, code };
}

async function verify(token: string, { issuer, audience, claims }: Examination): Promise<Findings> {
  const name = 'verification';
  const decoded = decodeToken(token);
  if (decoded.kind === 'opaque') {
    const found = 'the token is opaque: services need the option introspection for it';
    return [{ check: name, status: 'skipped', found }];
  }
  const trusted = { issuer, ...(claims !== undefined && { claims }) };
  const expectations = { issuer: trusted, audience, typ: 'any', policy: {} };
  const unset = { clockToleranceSeconds: undefined, certificate: undefined };
  const judgement = await judge(token, decoded, { ...expectations, ...unset }, (url, init) =>
    fetch(url, init),
  );
  const { complaints, undecided } = judgement;
  if (undecided !== undefined) return [{ check: name, status: 'undecided', found: undecided.message }];
  if (complaints.length > 0) {
    return complaints.map((complaint) => {
      const { reason, expected, actual } = complaint;
      const facts = `expected ${expected ?? 'otherwise'}, got ${actual ?? 'another'}`;
      const found = `${reason}: ${facts}`;
      return { check: name, status: 'failure', found, hint: hintOf(complaint), code: reason };
    });
  }
  const found = `a verifier for ${audience?.join(', ') ?? 'any audience'} accepts it`;
  if (audience !== null) return [{ check: name, status: 'ok', found }];
  return [{ check: name, status: 'warning', found, hint: 'give --audience, or set SERVICE_AUTH_AUDIENCE' }];
}
