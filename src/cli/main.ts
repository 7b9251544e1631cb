#!/usr/bin/env node
/** The entry of `service-auth`: finds the command, runs it, and turns what it throws into a message and a code. */
import { version } from '../../package.json';
import { type Command, UsageError } from './command.ts';

interface CommandEntry {
  readonly summary: string;
  /** Loaded when it is run, so that no command waits for the code of another. */
  readonly load: () => Promise<Command>;
}

const commands: ReadonlyMap<string, CommandEntry> = new Map([
  [
    'issuer',
    {
      summary: 'run an issuer (authorization server)',
      load: async () => (await import('./issuer.ts')).issuerCommand,
    },
  ],
]);

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version' || name === '-v') {
    console.log(version);
    return 0;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(usage());
    return name === undefined ? 2 : 0;
  }
  const entry = commands.get(name);
  if (entry === undefined) {
    console.error(`service-auth: unknown command ${JSON.stringify(name.slice(0, 50))}`);
    console.error('Run service-auth --help for the commands there are.');
    return 2;
  }
  return run(name, entry, rest);
}

async function run(name: string, entry: CommandEntry, args: readonly string[]): Promise<number> {
  try {
    const command = await entry.load();
    return await command(args);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.error(`service-auth ${name}: ${message}`);
    if (!(error instanceof UsageError)) return 1;
    console.error(`Run service-auth ${name} --help for its options.`);
    return 2;
  }
}

function usage(): string {
  const width = Math.max(...[...commands.keys()].map((name) => name.length));
  const lines = [...commands].map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'Usage: service-auth <command> [options]',
    '',
    'Commands:',
    ...lines,
    '',
    '  -h, --help     show this, or with a command its options',
    '  -v, --version  show the version',
  ].join('\n');
}

process.exitCode = await main(process.argv.slice(2));
