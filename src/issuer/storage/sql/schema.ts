/** The tables as queries see them; `migrations.ts` makes them. Booleans are 0 and 1, documents are JSON as text. */
import type { Generated } from 'kysely';

/** A number that grows with every row: the order of creation. */
type Sequence = Generated<number>;

export interface Schema {
  readonly migrations: MigrationsTable;
  readonly services: ServicesTable;
  readonly secrets: SecretsTable;
  readonly idempotent_creates: IdempotentCreatesTable;
  readonly resources: ResourcesTable;
  readonly tokens: TokensTable;
  readonly revoked_tokens: RevokedTokensTable;
  readonly status_lists: StatusListsTable;
  readonly status_blocks: StatusBlocksTable;
  readonly used_names: UsedNamesTable;
  readonly limits: LimitsTable;
  readonly signing_keys: SigningKeysTable;
  readonly audit: AuditTable;
}

interface MigrationsTable {
  readonly version: number;
}

interface ServicesTable {
  readonly sequence: Sequence;
  readonly client_id: string;
  readonly registration: string;
  readonly version: number;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly revoked_at_ms: number | null;
}

interface SecretsTable {
  readonly sequence: Sequence;
  readonly id: string;
  readonly client_id: string;
  readonly hash: string;
  readonly sealed: string | null;
  readonly hint: string;
  readonly created_at_ms: number;
  readonly expires_at_ms: number | null;
  readonly last_used_at_ms: number | null;
}

interface IdempotentCreatesTable {
  readonly key: string;
  readonly fingerprint: string;
  readonly salt: string;
  readonly client_id: string;
  readonly secret_id: string | null;
  readonly expires_at_ms: number;
}

interface ResourcesTable {
  readonly sequence: Sequence;
  readonly resource: string;
  readonly name: string | null;
  readonly scopes: string | null;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly version: number;
}

interface TokensTable {
  readonly hash: string;
  readonly token_id: string;
  readonly client_id: string;
  readonly claims: string;
  readonly expires_at_ms: number;
}

interface RevokedTokensTable {
  readonly token_id: string;
  readonly client_id: string;
  readonly list_id: number | null;
  readonly list_index: number | null;
  readonly expires_at_ms: number;
}

interface StatusListsTable {
  /** Lists are numbered from 1; the last one is the one that places are taken from. */
  readonly id: number;
  readonly revision: number;
  readonly next_place: number;
  /** When the last token of the list will have expired. */
  readonly expires_at_ms: number;
}

interface StatusBlocksTable {
  readonly list_id: number;
  readonly start: number;
  readonly count: number;
  readonly client_id: string;
  /** Whether the service is revoked, kept here so that a list is made without looking at every service in it. */
  readonly revoked: number;
  readonly expires_at_ms: number;
}

interface UsedNamesTable {
  readonly hash: string;
  readonly expires_at_ms: number;
}

interface LimitsTable {
  readonly key: string;
  readonly window_ends_at_ms: number;
  readonly used: number;
  /** What the last request was given: the only way to learn it from the one statement that takes it. */
  readonly granted: number;
}

interface SigningKeysTable {
  readonly sequence: Sequence;
  readonly kid: string;
  /** The `kid` of the key before it, empty for the first one. Unique: no two keys follow the same one. */
  readonly after_kid: string;
  readonly algorithm: string;
  readonly sealed_key: string;
  readonly created_at_ms: number;
  readonly active_from_ms: number;
  readonly token_seconds: number;
}

interface AuditTable {
  readonly sequence: Sequence;
  readonly at_ms: number;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly before: string | null;
  readonly after: string | null;
}
