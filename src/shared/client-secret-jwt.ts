/** Client authentication by an assertion under a shared secret: `client_secret_jwt` of OpenID Connect Core section 9. */
import { assertionOptions, type ClientAssertionOptions, clientAssertion } from './client-assertion.ts';
import { type ClientAuth, credentialUsed } from './client-auth.ts';
import { hmac, type SecretAlgorithm, secretAlgorithms } from './crypto.ts';
import { andThen } from './maybe-async.ts';
import { OptionChecker } from './options.ts';
import { type Secret, secretReader } from './secret.ts';

const hashBits = { HS256: 256, HS384: 384, HS512: 512 } as const;

export interface ClientSecretJwtOptions extends ClientAssertionOptions {
  /** @default 'HS256' */
  readonly alg?: SecretAlgorithm | undefined;
}

/**
 * Authenticates the client by an assertion that it signs anew for each request with its secret, which is not sent:
 * `client_secret_jwt`, RFC 7523 section 2.2.
 *
 * Not checked: whether the server expects it; a refusal is `token_request_rejected` with `invalid_client`. A secret
 * from a function that is too short (RFC 7518 section 3.2) is `client_auth_failed`.
 *
 * @throws TypeError if the secret is shorter than the hash (32, 48 or 64 bytes) or an option is wrong; never shows
 * the secret.
 *
 * @example
 * ```ts
 * import { clientSecretJwt, createTokenClient } from 'service-auth';
 *
 * export const connect = (secret: string) =>
 *   createTokenClient({
 *     issuer: 'https://idp.example',
 *     clientId: 'billing',
 *     clientAuth: clientSecretJwt(secret, { alg: 'HS256' }),
 *   });
 * ```
 */
export function clientSecretJwt(secret: Secret, options: ClientSecretJwtOptions = {}): ClientAuth {
  const check = new OptionChecker('clientSecretJwt');
  const given = check.object('options', options, ['alg', ...assertionOptions]);
  const alg = check.oneOf('alg', given.alg ?? 'HS256', secretAlgorithms);
  const bits = hashBits[alg];
  const read = secretReader(check, 'secret', secret, bits / 8);
  const add = clientAssertion(check, given);
  const encoder = new TextEncoder();
  return (request) =>
    andThen(read(request.refusals), (key) => {
      const sign = (text: string) => hmac(bits, encoder.encode(key), encoder.encode(text));
      return andThen(add(request, { alg, kid: undefined, sign }), () => credentialUsed(key));
    });
}
