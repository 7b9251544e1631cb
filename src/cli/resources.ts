import { adminClient, adminFlags, adminFlagsHelp } from './admin-client.ts';
import { commandGroup, defineCommand } from './command.ts';
import { UsageError } from './errors.ts';
import { exitCodeHelp, exitCodes } from './exit-codes.ts';
import { harmless } from './output.ts';
import { table } from './table.ts';

const usage = `Usage: service-auth resources create <uri> | list | delete <uri> [options]

Manages the resources (RFC 8707) that services of an issuer may ask tokens for.

  --name <text>             with create: what people call it
  --scope <scopes>          with create: the scopes that tokens for it may carry; may be repeated (default: any)
  --yes                     with delete: it is meant
${adminFlagsHelp}

Example:
  service-auth resources create https://orders.example --scope 'orders:read orders:write'

${exitCodeHelp}`;

const create = defineCommand({
  usage,
  flags: { ...adminFlags, name: { type: 'string' }, scope: { type: 'string', multiple: true } },
  takes: ['the URI of the resource'],
  async run(values, output, [resource = '']) {
    const { name, scope } = values;
    const scopes = scope?.flatMap((text) => text.split(/[\s,]+/).filter((word) => word !== ''));
    const created = await (await adminClient(values)).resources.create({
      resource,
      ...(name !== undefined && { name }),
      ...(scopes !== undefined && { scopes }),
    });
    output.result(created, () => `created resource ${harmless(created.resource)}`);
    return exitCodes.good;
  },
});

const list = defineCommand({
  usage,
  flags: adminFlags,
  async run(values, output) {
    const { resources } = await (await adminClient(values)).resources.list();
    output.result({ resources }, () => {
      const rows = resources.map(({ resource, name = '', scopes }) => [
        resource,
        name,
        scopes?.join(' ') ?? 'any',
      ]);
      return table(['RESOURCE', 'NAME', 'SCOPES'], rows, output.style);
    });
    return exitCodes.good;
  },
});

const remove = defineCommand({
  usage,
  flags: { ...adminFlags, yes: { type: 'boolean', default: false } },
  takes: ['the URI of the resource'],
  async run({ yes, ...values }, output, [resource = '']) {
    if (!yes)
      throw new UsageError('services cannot ask for tokens for it any more; give --yes if that is meant');
    await (await adminClient(values)).resources.remove(resource);
    output.result({ resource, deleted: true }, () => `deleted resource ${resource}`);
    return exitCodes.good;
  },
});

/** `service-auth resources`: the resource registry of an issuer. */
export const resourcesCommand = commandGroup('resources', usage, { create, list, delete: remove });
