import { adminClient, adminFlags, adminFlagsHelp } from '../admin-client.ts';
import { defineCommand } from '../command.ts';
import { UsageError } from '../errors.ts';
import { exitCodeHelp, exitCodes } from '../exit-codes.ts';
import { readRegistration, registrationFlags, registrationFlagsHelp } from './registration-flags.ts';
import { showObject } from './show.ts';

const usage = `Usage: service-auth services update <client> [options]

Changes what is given, and nothing else. A list that is given takes the place of the list that was there.

${registrationFlagsHelp}
${adminFlagsHelp}

Example:
  service-auth services update billing --scope orders:read --scope orders:write

${exitCodeHelp}`;

/** `service-auth services update`. */
export const updateCommand = defineCommand({
  usage,
  flags: { ...adminFlags, ...registrationFlags },
  takes: ['the client id'],
  async run(values, output, [clientId = '']) {
    const client = await adminClient(values);
    const changes = await readRegistration(values);
    if (Object.keys(changes).length === 0) throw new UsageError('nothing to change was given');
    const service = await client.services.update(clientId, changes);
    output.result(service, () => showObject(service));
    return exitCodes.good;
  },
});
