/** Client authentication by a signed assertion (RFC 7523 section 2.2), `private_key_jwt` of OpenID Connect Core. */
import { encodeBase64url } from './base64url.ts';
import type { ClientAuth } from './client-auth.ts';
import type { KeyAlgorithm } from './crypto.ts';
import { andThen } from './maybe-async.ts';
import { OptionChecker } from './options.ts';
import { importPrivateKey, type PrivateKey } from './private-key.ts';

export interface PrivateKeyJwtOptions {
  /** A private JWK, PKCS#8 as PEM, a `CryptoKey` that may sign, or a `KeyObject` of Node. */
  readonly key: PrivateKey;
  /** @default the `alg` of the JWK, or what fits the key: ES256, ES384, ES512, EdDSA, RS256 */
  readonly alg?: KeyAlgorithm | undefined;
  /** Tells the authorization server which key to verify with. @default the `kid` of the JWK */
  readonly kid?: string | undefined;
  /**
   * Who is to accept the assertion: `'issuer'` (the endpoint where no issuer is known), `'endpoint'`, or a value
   * that the authorization server has told. @default 'issuer'
   */
  readonly audience?: 'issuer' | 'endpoint' | (string & {}) | undefined;
  /** How long an assertion may be used, in seconds; each is sent once only. @default 60 */
  readonly lifetimeSeconds?: number | undefined;
  /** The clock, in epoch milliseconds. @default Date.now */
  readonly now?: () => number;
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const KNOWN = ['key', 'alg', 'kid', 'audience', 'lifetimeSeconds', 'now'] as const;

/**
 * Authenticates the client by an assertion that it signs anew for each request: `private_key_jwt`, RFC 7523.
 *
 * Not checked: whether the authorization server knows the public key.
 *
 * @throws TypeError if the key cannot sign, does not fit `alg`, or an option is wrong; never shows the key.
 *
 * @example
 * ```ts
 * import { createTokenClient, privateKeyJwt } from 'service-auth';
 *
 * export const connect = (pem: string) =>
 *   createTokenClient({
 *     issuer: 'https://idp.example',
 *     clientId: 'billing',
 *     clientAuth: privateKeyJwt({ key: pem, kid: 'billing-2026' }),
 *   });
 * ```
 */
export function privateKeyJwt(options: PrivateKeyJwtOptions): ClientAuth {
  const check = new OptionChecker('privateKeyJwt');
  const given = check.object('options', options, KNOWN);
  const key = importPrivateKey(check, given.key, given.alg);
  const kid = given.kid === undefined ? key.kid : check.string('kid', given.kid);
  const audience = check.string('audience', given.audience ?? 'issuer');
  const lifetime = check.number('lifetimeSeconds', given.lifetimeSeconds ?? 60, 1, 3600, 'seconds');
  const now = check.function('now', options.now) ?? Date.now;
  const header = encodeJson({ alg: key.alg, typ: 'JWT', ...(kid !== undefined && { kid }) });

  return ({ clientId, issuer, endpoint, form }) => {
    const aud = audience === 'endpoint' ? endpoint : audience === 'issuer' ? (issuer ?? endpoint) : audience;
    const iat = Math.floor(now() / 1000);
    const claims = {
      iss: clientId,
      sub: clientId,
      aud,
      jti: crypto.randomUUID(),
      iat,
      exp: iat + Math.ceil(lifetime),
    };
    const input = `${header}.${encodeJson(claims)}`;
    return andThen(key.sign(input), (signature) => {
      form.set('client_id', clientId);
      form.set('client_assertion_type', ASSERTION_TYPE);
      form.set('client_assertion', `${input}.${encodeBase64url(signature)}`);
    });
  };
}

function encodeJson(value: object): string {
  return encodeBase64url(new TextEncoder().encode(JSON.stringify(value)));
}
