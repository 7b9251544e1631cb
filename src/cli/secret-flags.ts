import { UsageError } from './errors.ts';

const secretOfClient =
  'set SERVICE_AUTH_CLIENT_SECRET or SERVICE_AUTH_CLIENT_SECRET_FILE, or give --secret-stdin';
const adminToken = 'set SERVICE_AUTH_ADMIN_TOKEN or SERVICE_AUTH_ADMIN_TOKEN_FILE';

/** What to do instead of giving a secret as a flag, by the flag that somebody may try. */
const instead: ReadonlyMap<string, string> = new Map([
  ['client-secret', secretOfClient],
  ['secret', secretOfClient],
  ['password', secretOfClient],
  ['admin-token', adminToken],
  ['secret-key', 'set SERVICE_AUTH_SECRET_KEY or SERVICE_AUTH_SECRET_KEY_FILE'],
  ['token', 'give it on standard input, with - as the argument'],
  ['access-token', 'give it on standard input, with - as the argument'],
  ['subject-token', 'give --on-behalf-of -, @FILE or env:NAME'],
  [
    'introspection-client-secret',
    'set SERVICE_AUTH_INTROSPECTION_CLIENT_ID and SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET',
  ],
]);

/**
 * Refuses flags that would hold a secret: every user of the machine reads them in the list of processes.
 *
 * @throws UsageError that says what to do instead
 */
export function refuseSecretFlag(name: string): void {
  const advice = instead.get(name);
  if (advice === undefined) return;
  throw new UsageError(
    `--${name} is refused: flags show up in process titles and shell histories; ${advice}`,
  );
}
