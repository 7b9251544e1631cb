import { adminClient, adminFlags, adminFlagsHelp } from './admin-client.ts';
import { commandGroup, defineCommand } from './command.ts';
import { exitCodeHelp, exitCodes } from './exit-codes.ts';
import { harmless } from './output.ts';
import { table } from './table.ts';

const usage = `Usage: service-auth keys list | rotate [options]

Lists the signing keys of an issuer, or adds one that takes over once verifiers have had the time to learn of it.

  --immediately             with rotate: it signs at once, as after a theft of the key before it
${adminFlagsHelp}

${exitCodeHelp}`;

const list = defineCommand({
  usage,
  flags: adminFlags,
  async run(values, output) {
    const { keys } = await (await adminClient(values)).keys.list();
    output.result({ keys }, () => {
      const rows = keys.map(({ kid, algorithm, state, activeFrom, retiresAt }) => [
        kid,
        algorithm,
        state,
        activeFrom,
        retiresAt ?? '',
      ]);
      return table(['KEY', 'ALGORITHM', 'STATE', 'SIGNS FROM', 'RETIRES'], rows, output.style);
    });
    return exitCodes.good;
  },
});

const rotate = defineCommand({
  usage,
  flags: { ...adminFlags, immediately: { type: 'boolean', default: false } },
  async run({ immediately, ...values }, output) {
    const key = await (await adminClient(values)).keys.rotate({ immediately });
    output.result(key, () =>
      harmless(`added ${key.algorithm} key ${key.kid}, which signs from ${key.activeFrom}`),
    );
    return exitCodes.good;
  },
});

/** `service-auth keys`: the signing keys of an issuer. */
export const keysCommand = commandGroup('keys', usage, { list, rotate });
