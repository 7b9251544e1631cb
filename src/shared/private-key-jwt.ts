/** Client authentication by a signed assertion (RFC 7523 section 2.2), `private_key_jwt` of OpenID Connect Core. */
import { ServiceAuthError } from '../errors.ts';
import { assertionOptions, type ClientAssertionOptions, clientAssertion } from './client-assertion.ts';
import { type ClientAuth, credentialUsed } from './client-auth.ts';
import { type KeyAlgorithm, keyAlgorithms } from './crypto.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';
import { OptionChecker } from './options.ts';
import { importPrivateKey, type PrivateKey, type SigningKey } from './private-key.ts';
import { askSource } from './secret.ts';

export interface PrivateKeyJwtOptions extends ClientAssertionOptions {
  /**
   * A private JWK, PKCS#8 as PEM, a `CryptoKey` that may sign, or a `KeyObject` of Node; or a function that gives one,
   * such as `secretFile(path)` for PEM, which is asked for each request. While it gives no key, the last one serves.
   */
  readonly key: PrivateKey | (() => MaybePromise<PrivateKey>);
  /** @default the `alg` of the JWK, or what fits the key: ES256, ES384, ES512, EdDSA, RS256 */
  readonly alg?: KeyAlgorithm | undefined;
  /** Tells the authorization server which key to verify with. @default the `kid` of the JWK */
  readonly kid?: string | undefined;
}

/**
 * Authenticates the client by an assertion that it signs anew for each request: `private_key_jwt`, RFC 7523.
 *
 * Not checked: whether the authorization server knows the public key. A function that gives no usable key at first is
 * `client_auth_failed`.
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
  const given = check.object('options', options, ['key', 'alg', 'kid', ...assertionOptions]);
  const givenKid = given.kid === undefined ? undefined : check.string('kid', given.kid);
  const read = keyReader(check, given);
  const add = clientAssertion(check, given);
  const names = new WeakMap<SigningKey, string>();
  return (request) =>
    andThen(read(), (key) => {
      const { alg, publicKey, sign } = key;
      const kid = givenKid ?? key.kid;
      return andThen(add(request, { alg, kid, sign }), () => {
        // Of some keys the runtime does not tell the public half; they get a name at first use.
        const name = publicKey ?? kid ?? names.get(key) ?? crypto.randomUUID();
        names.set(key, name);
        return credentialUsed(name);
      });
    });
}

function keyReader(check: OptionChecker, { key, alg }: PrivateKeyJwtOptions): () => MaybePromise<SigningKey> {
  if (typeof key !== 'function') {
    const imported = importPrivateKey(check, key, alg);
    return () => imported;
  }
  if (alg !== undefined) check.oneOf('alg', alg, keyAlgorithms);
  let last: { readonly given: unknown; readonly imported: SigningKey } | undefined;
  return async () => {
    const given = await askSource('the private key', key);
    if (last !== undefined && last.given === given) return last.imported;
    try {
      last = { given, imported: importPrivateKey(check, given, alg) };
    } catch (error) {
      // A file may just be being written. The checker's messages show no key.
      if (last === undefined) {
        const message = error instanceof TypeError ? error.message : 'the private key is of no use';
        throw new ServiceAuthError('client_auth_failed', message);
      }
    }
    return last.imported;
  };
}
