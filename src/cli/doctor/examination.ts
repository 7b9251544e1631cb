import type { ClaimsPreset, TokenClientOptions } from '../../index.ts';
import type { JsonObject } from '../../shared/json.ts';
import type { Finding } from '../finding.ts';

/** What is examined. */
export interface Examination {
  readonly issuer: string;
  /** For whom tokens must be. */
  readonly audience: readonly string[] | null;
  /** How the issuer writes its claims. */
  readonly claims?: ClaimsPreset;
  readonly timeoutMs: number;
  /** The options of the environment's client; `undefined` where there is none. */
  readonly client: TokenClientOptions | undefined;
}

/** What is known of an issuer that was found. */
export interface FoundIssuer {
  readonly metadata: JsonObject;
}

export type Findings = readonly Finding[];
