import { commandGroup } from './command.ts';
import { exitCodeHelp } from './exit-codes.ts';
import { createCommand } from './services/create.ts';
import { listCommand } from './services/list.ts';
import { revokeCommand } from './services/revoke.ts';
import { rotateCommand } from './services/rotate.ts';
import { showCommand } from './services/show.ts';
import { updateCommand } from './services/update.ts';

const usage = `Usage: service-auth services <command> [options]

Manages the services of an issuer through its admin API.

  create           register a service; its secret is shown once
  list             list the services
  show <client>    show a service and its secrets, of which only hints are known
  update <client>  change its registration
  rotate <client>  give it another secret, and end the others after an overlap
  revoke <client>  revoke it for good: its tokens stop working

Every command takes --json; service-auth services <command> --help shows its options.

${exitCodeHelp}`;

/** `service-auth services`: the life of a service. */
export const servicesCommand = commandGroup('services', usage, {
  create: createCommand,
  list: listCommand,
  show: showCommand,
  update: updateCommand,
  rotate: rotateCommand,
  revoke: revokeCommand,
});
