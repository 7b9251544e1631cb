/** Services with more members than the admin API takes at once, and requests that prove possession of a key. */
import type { StoredService } from '../../../../src/issuer/storage/records.ts';
import type { DpopClient } from '../../../helpers/dpop.ts';
import {
  type Answer,
  basic,
  type Credentials,
  form,
  type Harness,
  ISSUER,
  type Parameters,
  readAnswer,
} from '../harness.ts';

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
export const JWT = 'urn:ietf:params:oauth:token-type:jwt';

/** Registers a service and then sets members of its record. */
export async function addService(
  { storage, register, nowSeconds }: Harness,
  input: object,
  members: Partial<StoredService> = {},
): Promise<Credentials> {
  const credentials = await register(input);
  const record = await storage.findService(credentials.clientId);
  if (record === undefined) throw new Error('the service was not stored');
  const audit = {
    atMs: nowSeconds() * 1000,
    actor: 'admin',
    action: 'service.updated',
    target: credentials.clientId,
    before: undefined,
    after: undefined,
  };
  const updated = { ...record, ...members, version: record.version + 1 };
  if (!(await storage.updateService(updated, audit))) throw new Error('the service was not updated');
  return credentials;
}

/** The parameters of an exchange, save for what is asked. */
export function exchangeOf(subjectToken: string, more: Parameters = {}): Parameters {
  return {
    grant_type: EXCHANGE,
    subject_token: subjectToken,
    subject_token_type: ACCESS_TOKEN,
    ...more,
  };
}

export interface Proven {
  readonly dpop?: string | readonly string[] | undefined;
  /** In DER. */
  readonly certificate?: Uint8Array | undefined;
  readonly headers?: Record<string, string>;
  readonly url?: string;
}

/** A token request with a proof or over a connection with a certificate. */
export async function ask(
  { issuer }: Harness,
  as: Credentials,
  parameters: Parameters,
  { dpop = [], certificate, headers: more = {}, url = `${ISSUER}/token` }: Proven = {},
): Promise<Answer> {
  const headers = new Headers({ authorization: basic(as), ...more });
  for (const proof of [dpop].flat()) headers.append('dpop', proof);
  const request = new Request(url, { method: 'POST', headers, body: form(parameters) });
  const connection =
    certificate === undefined ? {} : { peerCertificate: certificate, peerCertificateVerified: true };
  return readAnswer(await issuer.fetch(request, connection));
}

/** A proof for the token endpoint, now. */
export function proofFor(
  { nowSeconds }: Harness,
  client: DpopClient,
  claims: object = {},
  header: object = {},
): Promise<string> {
  return client.prove({ htm: 'POST', htu: `${ISSUER}/token`, iat: nowSeconds(), ...claims }, header);
}
