import type { IssuerContext } from '../context.ts';
import type { StoredSigningKey } from '../storage/records.ts';

export interface RotationOptions {
  /**
   * Signs with the new key at once instead of publishing it ahead. Verifiers that do not know it yet must fetch
   * the key set again.
   * @default false
   */
  readonly immediately?: boolean;
}

/** Rotates, and says so. Gives `undefined` where an earlier rotation has not taken effect yet. */
export async function rotateKeys(
  { keys, emit }: Pick<IssuerContext, 'keys' | 'emit'>,
  { immediately = false }: RotationOptions,
): Promise<StoredSigningKey | undefined> {
  const rotated = await keys.rotate(immediately);
  if (rotated === undefined) return undefined;
  const { kid, algorithm, activeFromMs } = rotated;
  emit?.({ type: 'issuer.keys_rotated', kid, algorithm, activeFrom: activeFromMs });
  return rotated;
}
