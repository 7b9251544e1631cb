import { adminAccess, adminFlags, adminFlagsHelp } from '../admin-client.ts';
import { defineCommand } from '../command.ts';
import { UsageError } from '../errors.ts';
import { exitCodeHelp, exitCodes } from '../exit-codes.ts';
import { environmentLines, environmentOf } from './environment-lines.ts';
import { readRegistration, registrationFlags, registrationFlagsHelp } from './registration-flags.ts';
import { keepSecret, secretFileHelp } from './secret-file.ts';

const usage = `Usage: service-auth services create --name <text> [options]

Registers a service. On standard output are the environment variables that it needs, its secret among them, which is
shown this once; what else there is to say is on standard error.

  --client-id <id>          its client id (default: one is made)
${registrationFlagsHelp}
${secretFileHelp}
  --idempotency-key <text>  a repeat of the same create within 24 hours gives the same answer
${adminFlagsHelp}

Examples:
  service-auth services create --name Billing --client-id billing --scope orders:read \\
    --resource https://orders.example > billing.env
  service-auth services create --name Orders --serves https://orders.example
  service-auth services create --from billing.json --secret-file /run/secrets/billing

${exitCodeHelp}`;

/** `service-auth services create`. */
export const createCommand = defineCommand({
  usage,
  flags: {
    ...adminFlags,
    ...registrationFlags,
    'client-id': { type: 'string' },
    'secret-file': { type: 'string' },
    'idempotency-key': { type: 'string' },
  },
  async run(values, output) {
    const { client, issuer } = await adminAccess(values);
    const clientId = values['client-id'];
    const registration = await readRegistration(values);
    const { name, scopes = [] } = registration;
    if (name === undefined) throw new UsageError('give --name, or a registration by --from');
    const input = { ...registration, name, scopes, ...(clientId !== undefined && { clientId }) };
    const path = values['secret-file'];
    const idempotencyKey = values['idempotency-key'];
    const key = { ...(idempotencyKey !== undefined && { idempotencyKey }) };
    const created = await keepSecret(path, () => client.services.create(input, key));
    const { clientSecret, ...service } = created;
    const shown = path === undefined ? clientSecret : undefined;
    const environment = {
      ...environmentOf({ ...service, issuer, clientSecret: shown }),
      ...(path !== undefined && clientSecret !== undefined && { SERVICE_AUTH_CLIENT_SECRET_FILE: path }),
    };
    output.result({ ...service, clientSecret: shown, environment }, () => environmentLines(environment));
    if (output.json) return exitCodes.good;
    output.note(`Created service ${service.clientId}. Set these variables where it runs.`);
    if (service.scopes.length === 0) output.note('Its tokens carry no scope, as none is registered.');
    if (shown !== undefined) output.note('Its secret is shown this once.');
    return exitCodes.good;
  },
});
