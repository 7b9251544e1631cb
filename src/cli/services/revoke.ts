import { adminClient, adminFlags, adminFlagsHelp } from '../admin-client.ts';
import { defineCommand } from '../command.ts';
import { UsageError } from '../errors.ts';
import { exitCodeHelp, exitCodes } from '../exit-codes.ts';

const usage = `Usage: service-auth services revoke <client> --yes [options]

Revokes a service for good: it gets no tokens any more, those that it has stop working, and its client id is never
given to another. Nobody is asked, so --yes must say that it is meant.

  --yes                     it is meant
${adminFlagsHelp}

${exitCodeHelp}`;

/** `service-auth services revoke`. */
export const revokeCommand = defineCommand({
  usage,
  flags: { ...adminFlags, yes: { type: 'boolean', default: false } },
  takes: ['the client id'],
  async run(values, output, [clientId = '']) {
    if (!values.yes) throw new UsageError('a service is revoked for good; give --yes if that is meant');
    const client = await adminClient(values);
    await client.services.revoke(clientId);
    output.result({ clientId, revoked: true }, () => `revoked ${clientId}`);
    return exitCodes.good;
  },
});
