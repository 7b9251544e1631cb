import { adminClient, adminFlags, adminFlagsHelp } from './admin-client.ts';
import { defineCommand, wholeNumber } from './command.ts';
import { exitCodeHelp, exitCodes } from './exit-codes.ts';
import { table } from './table.ts';

const usage = `Usage: service-auth audit [options]

Shows what was changed at an issuer, by whom and when, the newest first. With --json also what was there before
and after.

  --target <name>           only what was done to this client id, resource or key
  --limit <number>          at most so many, up to 200 (default 50)
  --before <number>         only what is older: next of the page before
${adminFlagsHelp}

${exitCodeHelp}`;

/** `service-auth audit`: who changed what. */
export const auditCommand = defineCommand({
  usage,
  flags: {
    ...adminFlags,
    target: { type: 'string' },
    limit: { type: 'string' },
    before: { type: 'string' },
  },
  async run(values, output) {
    const { target } = values;
    const limit = wholeNumber('limit', values.limit);
    const before = wholeNumber('before', values.before);
    const client = await adminClient(values);
    const page = await client.audit.list({ target, limit, before });
    output.result(page, () => {
      const rows = page.entries.map(({ at, actor, action, target: what }) => [at, actor, action, what]);
      return table(['AT', 'WHO', 'WHAT', 'TO'], rows, output.style);
    });
    return exitCodes.good;
  },
});
