#!/usr/bin/env node
/** The `service-auth` program. Each command says its result on stdout; problems end with a message and a code. */
import { version } from '../../package.json';
import { type Command, quoted } from './command.ts';
import { UsageError } from './errors.ts';
import { exitCodeHelp, exitCodes } from './exit-codes.ts';
import { reportFailure } from './failure.ts';
import { columns } from './output.ts';
import { suggestion } from './suggestion.ts';

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
  [
    'gateway',
    {
      summary: 'answer for nginx, Traefik or Envoy which requests may pass',
      load: async () => (await import('./gateway.ts')).gatewayCommand,
    },
  ],
  [
    'services',
    {
      summary: 'create, list, show, update and revoke services of an issuer, rotate their secrets',
      load: async () => (await import('./services.ts')).servicesCommand,
    },
  ],
  [
    'resources',
    {
      summary: 'create, list and delete the resources of an issuer',
      load: async () => (await import('./resources.ts')).resourcesCommand,
    },
  ],
  [
    'keys',
    {
      summary: 'list and rotate the signing keys of an issuer',
      load: async () => (await import('./keys.ts')).keysCommand,
    },
  ],
  [
    'audit',
    {
      summary: 'show who changed what at an issuer',
      load: async () => (await import('./audit.ts')).auditCommand,
    },
  ],
  [
    'token',
    {
      summary: 'obtain an access token and print it',
      load: async () => (await import('./token.ts')).tokenCommand,
    },
  ],
  [
    'call',
    {
      summary: 'call a URL with an access token',
      load: async () => (await import('./call.ts')).callCommand,
    },
  ],
  [
    'inspect',
    {
      summary: 'verify an access token and say what each check found',
      load: async () => (await import('./inspect.ts')).inspectCommand,
    },
  ],
  [
    'doctor',
    {
      summary: 'find out why tokens are not given, or not accepted',
      load: async () => (await import('./doctor.ts')).doctorCommand,
    },
  ],
  [
    'explain',
    {
      summary: 'explain the code of an error, or the reason of a refusal',
      load: async () => (await import('./explain.ts')).explainCommand,
    },
  ],
]);

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version' || name === '-v') {
    console.log(version);
    return exitCodes.good;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(usage());
    return name === undefined ? exitCodes.usage : exitCodes.good;
  }
  const entry = commands.get(name);
  if (entry === undefined) {
    const problem = `unknown command ${quoted(name)}${suggestion(name, [...commands.keys()])}`;
    return reportFailure(undefined, new UsageError(problem), args);
  }
  try {
    const command = await entry.load();
    return await command(rest);
  } catch (error) {
    return reportFailure(name, error, rest);
  }
}

function usage(): string {
  return [
    'Usage: service-auth <command> [options]',
    '',
    'Commands:',
    indented(columns([...commands].map(([name, { summary }]) => [name, summary]))),
    '',
    indented('-h, --help     show this, or with a command its options'),
    indented('-v, --version  show the version'),
    indented('--json         with a command: print one JSON document'),
    '',
    exitCodeHelp,
  ].join('\n');
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

// Whoever reads may have enough before the end, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A server is there for others, whoever reads its log.
  if (process.argv[2] === 'issuer' || process.argv[2] === 'gateway') return;
  process.exit(error.code === 'EPIPE' ? exitCodes.good : exitCodes.failed);
});
// Whom nobody listens to still does what was asked, and ends with its code.
process.stderr.on('error', () => {});
process.exitCode = await main(process.argv.slice(2));
