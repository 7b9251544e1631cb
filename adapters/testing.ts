export type { TestClient } from './testing/clients.ts';
export type { TestDuration } from './testing/clock.ts';
export { createTestIssuer } from './testing/create-test-issuer.ts';
export type { TestEndpoint } from './testing/endpoints.ts';
export type { EndpointFault, ScriptedAnswer, ScriptedFault } from './testing/faults.ts';
export type { ReplacedFetch } from './testing/global-fetch.ts';
export type {
  SeenAuthentication,
  SeenCall,
  SeenForm,
  SeenRequest,
  SeenTokenRequest,
  TestRequests,
} from './testing/ledger.ts';
export type { MintOptions } from './testing/mint.ts';
export type {
  MintedToken,
  PresentationFault,
  SuperagentPlugin,
  SuperagentRequest,
  TokenUse,
} from './testing/minted-token.ts';
export type { TestService } from './testing/network.ts';
export type { TestIssuerOptions } from './testing/options.ts';
export type { RevocationTarget } from './testing/revocation.ts';
export type { TestIssuer } from './testing/test-issuer.ts';
export { type TokenFault, type TokenFaultOutcome, tokenFaults } from './testing/token-faults.ts';
export type {
  ReadyClientOptions,
  TestClientOptions,
  TestEnvironmentOptions,
  TestVerifierOptions,
} from './testing/wiring.ts';
