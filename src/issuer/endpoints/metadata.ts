/** What the issuer publishes of itself: metadata (RFC 8414) and keys (RFC 7517). */
import { keyAlgorithms, secretAlgorithms } from '../../shared/crypto.ts';
import { clientAuthenticationMethods } from '../clients/client-authentication.ts';
import type { IssuerContext } from '../context.ts';
import { json } from '../http/http-answers.ts';
import type { Handler } from '../http/router.ts';
import { proofAlgorithms } from '../tokens/proofs.ts';
import { grantTypes } from './token-endpoint.ts';

/** `client_secret_jwt` and `private_key_jwt`; never `none`. */
const assertionAlgorithms = [...keyAlgorithms, ...secretAlgorithms];

/** Makes the handler of the metadata. Every URL in it comes from the configured issuer, none from the request. */
export function createMetadataEndpoint({ settings }: IssuerContext): Handler {
  const { issuer, baseUrl } = settings;
  const document = {
    issuer,
    token_endpoint: `${baseUrl}/token`,
    jwks_uri: `${baseUrl}/jwks`,
    introspection_endpoint: `${baseUrl}/introspect`,
    revocation_endpoint: `${baseUrl}/revoke`,
    grant_types_supported: grantTypes,
    // Required by RFC 8414; there is no authorization endpoint.
    response_types_supported: [],
    token_endpoint_auth_methods_supported: clientAuthenticationMethods,
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    introspection_endpoint_auth_methods_supported: clientAuthenticationMethods,
    introspection_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    revocation_endpoint_auth_methods_supported: clientAuthenticationMethods,
    revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    // RFC 9701 section 7.
    introspection_signing_alg_values_supported: [settings.signingAlgorithm],
    // RFC 9449 section 5.1, RFC 8705 section 3.3.
    dpop_signing_alg_values_supported: proofAlgorithms,
    tls_client_certificate_bound_access_tokens: true,
  };
  return () => json(document, { 'cache-control': 'public, max-age=300' });
}

/** Makes the handler of the key set. Caches keep it for half of the time by which new keys are published ahead. */
export function createJwksEndpoint({ settings, keys }: IssuerContext): Handler {
  const maxAge = Math.floor(settings.keyPublishAheadSeconds / 2);
  return async () => {
    const published = await keys.published();
    const body = { keys: published.map(({ publicJwk }) => publicJwk) };
    return json(body, { 'cache-control': `public, max-age=${maxAge}` });
  };
}
