import type { IssuerContext } from '../context.ts';
import type { PathParameters } from '../http/incoming.ts';
import type { StoredService } from '../storage/records.ts';
import { refuse } from './problems.ts';
import { clientId } from './texts.ts';

/** The service that the path names, revoked or not. What cannot be a client id is not asked for. */
export async function findService(
  { settings }: IssuerContext,
  parameters: PathParameters,
): Promise<StoredService | Response> {
  const { success, data } = clientId.safeParse(parameters.get('clientId'));
  const service = success ? await settings.storage.findService(data) : undefined;
  return service ?? refuse('unknown_service');
}
