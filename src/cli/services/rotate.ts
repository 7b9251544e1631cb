import { adminAccess, adminFlags, adminFlagsHelp } from '../admin-client.ts';
import { defineCommand, duration } from '../command.ts';
import { exitCodeHelp, exitCodes } from '../exit-codes.ts';
import { environmentLines } from './environment-lines.ts';
import { keepSecret, secretFileHelp } from './secret-file.ts';

const usage = `Usage: service-auth services rotate <client> [options]

Gives a service another secret, which is shown this once, and ends all others after an overlap: time enough to bring
the new one to every instance.

  --overlap <time>          how long the others go on, such as 30m, 1h or 7d; 0 ends them at once (default 1h)
  --expires-in <time>       when the new one ends (default never)
${secretFileHelp}
${adminFlagsHelp}

Examples:
  service-auth services rotate billing --overlap 24h
  service-auth services rotate billing --overlap 0 --secret-file /run/secrets/billing.new

${exitCodeHelp}`;

const HOUR_SECONDS = 3600;

/** `service-auth services rotate`. */
export const rotateCommand = defineCommand({
  usage,
  flags: {
    ...adminFlags,
    overlap: { type: 'string' },
    'expires-in': { type: 'string' },
    'secret-file': { type: 'string' },
  },
  takes: ['the client id'],
  async run(values, output, [clientId = '']) {
    const overlapSeconds = duration('overlap', values.overlap) ?? HOUR_SECONDS;
    const expiresInSeconds = duration('expires-in', values['expires-in']);
    const path = values['secret-file'];
    const { client } = await adminAccess(values);
    const times = {
      expireOthersInSeconds: overlapSeconds,
      ...(expiresInSeconds !== undefined && { expiresInSeconds }),
    };
    const made = await keepSecret(path, () => client.secrets.create(clientId, times));
    const { clientSecret, ...secret } = made;
    const environment: Record<string, string> =
      path === undefined
        ? { SERVICE_AUTH_CLIENT_SECRET: clientSecret }
        : { SERVICE_AUTH_CLIENT_SECRET_FILE: path };
    // By the issuer's clock, which ends them, not by that of this machine.
    const othersEndAt = new Date(Date.parse(secret.createdAt) + overlapSeconds * 1000).toISOString();
    const shown = path === undefined ? { clientSecret } : {};
    output.result({ clientId, ...secret, ...shown, othersEndAt, environment }, () =>
      environmentLines(environment),
    );
    if (!output.json) output.note(`${clientId} has another secret; all others end at ${othersEndAt}.`);
    return exitCodes.good;
  },
});
