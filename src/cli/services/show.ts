import { adminClient, adminFlags, adminFlagsHelp } from '../admin-client.ts';
import { defineCommand } from '../command.ts';
import { exitCodeHelp, exitCodes } from '../exit-codes.ts';
import { columns, harmlessLine } from '../output.ts';

const usage = `Usage: service-auth services show <client> [options]

Shows a service: its registration, and its secrets by id, hint, expiry and last use.

${adminFlagsHelp}

${exitCodeHelp}`;

/** `service-auth services show`. */
export const showCommand = defineCommand({
  usage,
  flags: adminFlags,
  takes: ['the client id'],
  async run(values, output, [clientId = '']) {
    const client = await adminClient(values);
    const service = await client.services.get(clientId);
    output.result(service, () => showObject(service));
    return exitCodes.good;
  },
});

/** One line for each member that says something. */
export function showObject(object: object): string {
  const rows = Object.entries(object).flatMap(([name, value]): (readonly [string, string])[] => {
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return [];
    const items = Array.isArray(value) ? value : [value];
    const isSimple = items.every((item) => typeof item !== 'object');
    return isSimple
      ? [[name, harmlessLine(items.join(' '))]]
      : items.map((item) => [name, harmlessLine(JSON.stringify(item))]);
  });
  return columns(rows);
}
