/** The admin API as commands use it: where it is, and what opens it. */
import { type AdminClient, createAdminClient } from '../issuer/index.ts';
import { asUsage, type FlagValues } from './command.ts';
import { UsageError } from './errors.ts';
import { secretVariable, variable } from './secret-input.ts';

export const adminFlags = { issuer: { type: 'string' } } as const;

export const adminFlagsHelp = `  --issuer <url>            the issuer (default SERVICE_AUTH_ISSUER)
  --json                    print one JSON document
  -h, --help                show this

Environment:
  SERVICE_AUTH_ADMIN_TOKEN       the admin token of the issuer, or an access token of it with scope services:admin
  SERVICE_AUTH_ADMIN_TOKEN_FILE  or the file that holds it`;

/** @throws UsageError if issuer or token are not known */
export async function adminClient(values: FlagValues<typeof adminFlags>): Promise<AdminClient> {
  return (await adminAccess(values)).client;
}

/** The client together with the issuer that it speaks to. */
export async function adminAccess(
  values: FlagValues<typeof adminFlags>,
): Promise<{ readonly client: AdminClient; readonly issuer: string }> {
  const issuer = values.issuer ?? variable('SERVICE_AUTH_ISSUER');
  if (issuer === undefined) throw new UsageError('give --issuer, or set SERVICE_AUTH_ISSUER');
  const adminToken = await secretVariable('SERVICE_AUTH_ADMIN_TOKEN');
  if (adminToken === undefined) {
    throw new UsageError('set SERVICE_AUTH_ADMIN_TOKEN or SERVICE_AUTH_ADMIN_TOKEN_FILE');
  }
  return { issuer, client: await asUsage(() => createAdminClient({ issuer, adminToken })) };
}
