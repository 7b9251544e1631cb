import type { Service } from '../../issuer/index.ts';
import { adminClient, adminFlags, adminFlagsHelp } from '../admin-client.ts';
import { defineCommand } from '../command.ts';
import { exitCodeHelp, exitCodes } from '../exit-codes.ts';
import { table } from '../table.ts';

const usage = `Usage: service-auth services list [options]

Lists the services of an issuer in order of creation.

  --all                     revoked ones, too
${adminFlagsHelp}

Example:
  service-auth services list --json | jq -r '.services[].clientId'

${exitCodeHelp}`;

/** `service-auth services list`. */
export const listCommand = defineCommand({
  usage,
  flags: { ...adminFlags, all: { type: 'boolean', default: false } },
  async run(values, output) {
    const client = await adminClient(values);
    const services: Service[] = [];
    for await (const service of client.services.all()) {
      if (values.all || service.revokedAt === undefined) services.push(service);
    }
    output.result({ services }, () => {
      if (services.length === 0) return 'no services';
      const rows = services.map(({ clientId, name, scopes, revokedAt }) => [
        clientId,
        name,
        scopes.join(' '),
        revokedAt === undefined ? '' : `revoked ${revokedAt}`,
      ]);
      return table(['CLIENT', 'NAME', 'SCOPES', ''], rows, output.style);
    });
    return exitCodes.good;
  },
});
