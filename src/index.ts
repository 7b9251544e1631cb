export {
  isOptionError,
  isServiceAuthError,
  type OptionError,
  type OptionErrorCode,
  optionError,
  type ProblemDetails,
  ServiceAuthError,
  type ServiceAuthErrorCode,
  type ServiceAuthErrorDetails,
} from './errors.ts';
export type {
  EventListener,
  RejectionReason,
  RejectionStep,
  ServiceAuthEvent,
  UndecidedReason,
} from './events.ts';
export type { Caller } from './inbound/caller.ts';
export type { CertificateSource } from './inbound/certificate.ts';
export type { HttpAnswer, Rejection, RejectionDetail } from './inbound/challenge.ts';
export type { ClaimFunctions, ClaimsOption, ClaimsPreset } from './inbound/claim-mapping.ts';
export type { AuthRequest, Connection, Scheme } from './inbound/credentials.ts';
export type { DpopNonceOptions, DpopOptions } from './inbound/dpop-options.ts';
export {
  type ForwardedCertificateOptions,
  forwardedClientCertificate,
} from './inbound/forwarded-certificate.ts';
export { createGuard, type GuardOptions, resolveVerifier, type VerifierSource } from './inbound/guard.ts';
export type { IntrospectionOptions } from './inbound/introspection-options.ts';
export type { AuthOutcome } from './inbound/outcomes.ts';
export type { Policy, ScopePolicy } from './inbound/policy.ts';
export {
  createProtectedResource,
  type ProtectedResource,
  type ProtectedResourceOptions,
} from './inbound/protected-resource.ts';
export type { PublicUrl } from './inbound/public-url.ts';
export { readRouteSetting } from './inbound/route-setting.ts';
export { tokenKey } from './inbound/token-key.ts';
export type { Invalidation } from './inbound/token-verifier.ts';
export type { TrustedIssuer } from './inbound/trusted-issuers.ts';
export {
  type CallerOf,
  createVerifier,
  type Guard,
  type NoPolicy,
  type Verifier,
  type VerifierHealth,
  type VerifyTokenOptions,
} from './inbound/verifier.ts';
export type { VerifierOptions } from './inbound/verifier-options.ts';
export type { AccessToken, TokenType } from './outbound/access-token.ts';
export {
  type AuthedFetch,
  authedFetch,
  createAuthedFetch,
} from './outbound/authed-fetch.ts';
export type { AuthedFetchOptions, RedirectPolicy } from './outbound/authed-fetch-options.ts';
export {
  type AuthorizedCall,
  type CallAuthorizer,
  type CallAuthorizerOptions,
  createCallAuthorizer,
  type OutgoingAnswer,
  type OutgoingRequest,
} from './outbound/call-authorizer.ts';
export type { DpopKeyOptions } from './outbound/dpop-keys.ts';
export type { SubjectToken } from './outbound/exchange.ts';
export type { Explanation } from './outbound/explain.ts';
export type { FetchFunction } from './outbound/hop.ts';
export type { Target, Targets } from './outbound/targets.ts';
export {
  createTokenClient,
  type DpopProofOptions,
  type ExchangeOptions,
  type GetTokenOptions,
  type InvalidateOptions,
  type TokenClient,
} from './outbound/token-client.ts';
export type { RefreshOptions, TokenClientOptions } from './outbound/token-client-options.ts';
export type { TokenState } from './outbound/token-slot.ts';
export type { CircuitState } from './shared/circuit-breaker.ts';
export type { ClientAssertionOptions } from './shared/client-assertion.ts';
export {
  type ClientAuth,
  type ClientAuthRequest,
  type ClientSecretBasicOptions,
  type CredentialUsed,
  clientSecretBasic,
  clientSecretPost,
} from './shared/client-auth.ts';
export { type ClientSecretJwtOptions, clientSecretJwt } from './shared/client-secret-jwt.ts';
export type { Jwk, JwsAlgorithm, KeyAlgorithm, SecretAlgorithm } from './shared/crypto.ts';
export {
  type FederatedAssertionOptions,
  type FederatedAssertionSource,
  federatedAssertion,
  kubernetesServiceAccountToken,
} from './shared/federated-assertion.ts';
export type { EventMembers, LimitedLogOptions, LogLevel } from './shared/limited-log.ts';
export { type EventLogger, type LogFunction, logEvents } from './shared/log-events.ts';
export type { MaybePromise } from './shared/maybe-async.ts';
export { createMemoryReplayStore, type MemoryReplayStoreOptions } from './shared/memory-replay-store.ts';
export { createMemoryTokenStore, type MemoryTokenStoreOptions } from './shared/memory-token-store.ts';
export type { Discovery } from './shared/metadata.ts';
export type { PrivateKey } from './shared/private-key.ts';
export { type PrivateKeyJwtOptions, privateKeyJwt } from './shared/private-key-jwt.ts';
export type { DocumentState } from './shared/remote-document.ts';
export type { Secret } from './shared/secret.ts';
export { secretFile } from './shared/secret-file.ts';
export type { LimitRequest, LimitStore, ReplayStore, TextStore, TokenStore } from './shared/stores.ts';
export { tlsClientAuth } from './shared/tls-client-auth.ts';
export type { AnswerHeaders, Fetch } from './shared/transport.ts';
