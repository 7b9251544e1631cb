import type { IssuerContext } from '../context.ts';
import type { AuditEntry, StoredSigningKey } from '../storage/records.ts';

export interface RotationOptions {
  /**
   * Signs with the new key at once instead of publishing it ahead. Verifiers that do not know it yet must fetch
   * the key set again.
   * @default false
   */
  readonly immediately?: boolean;
}

/**
 * Rotates on command; `audit` is filled in with the new key. Gives `undefined` where an earlier rotation has not taken
 * effect yet.
 */
export function rotateKeys(
  { keys }: Pick<IssuerContext, 'keys'>,
  { immediately = false }: RotationOptions,
  audit?: AuditEntry,
): Promise<StoredSigningKey | undefined> {
  return keys.rotate(
    immediately,
    audit &&
      (({ kid, algorithm, activeFromMs }) => ({
        ...audit,
        target: kid,
        after: { kid, algorithm, activeFrom: new Date(activeFromMs).toISOString() },
      })),
  );
}
