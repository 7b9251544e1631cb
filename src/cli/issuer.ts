import { randomBytes } from 'node:crypto';
import { type IssuerServer, type ServeIssuerOptions, serveIssuer } from '../issuer/index.ts';
import { adminTokenRule, isAdminToken } from '../issuer/issuer-settings.ts';
import { signingAlgorithms } from '../issuer/keys/signing-keys.ts';
import { type Command, type FlagValues, oneOf, parseFlags, UsageError, wholeNumber } from './command.ts';

const usage = `Usage: service-auth issuer [options]

Runs an issuer: an OAuth 2.0 authorization server for services. What it stores is kept in memory and lost when
it stops.

  --port <number>                      port to listen on; 0 picks a free one (default 4000)
  --host <address>                     address to listen on (default 127.0.0.1)
  --issuer <url>                       issuer identifier (default: the address it listens on)
  --resource <uri>                     a resource that services may be registered for; may be repeated (default: any)
  --access-token-seconds <number>      life of access tokens (default 900)
  --signing-algorithm <name>           ES256, EdDSA or RS256 (default ES256)
  --key-publish-ahead-seconds <number> how long new signing keys are published before they sign (default 300)
  --json                               print one JSON object in one line when listening
  -h, --help                           show this

Environment:
  SERVICE_AUTH_ADMIN_TOKEN             opens the admin API (16 characters or more); if it is not set,
                                       one is made and printed once`;

const flags = {
  port: { type: 'string' },
  host: { type: 'string' },
  issuer: { type: 'string' },
  resource: { type: 'string', multiple: true },
  'access-token-seconds': { type: 'string' },
  'signing-algorithm': { type: 'string' },
  'key-publish-ahead-seconds': { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** `service-auth issuer`: runs until SIGINT or SIGTERM, then finishes what is under way. */
export const issuerCommand: Command = async (args) => {
  const values = parseFlags(args, flags);
  if (values.help) {
    console.log(usage);
    return 0;
  }
  // From the environment only: flags show up in process titles.
  const configured = process.env.SERVICE_AUTH_ADMIN_TOKEN?.trim() || undefined;
  if (configured !== undefined && !isAdminToken(configured)) {
    throw new UsageError(`SERVICE_AUTH_ADMIN_TOKEN must be ${adminTokenRule}`);
  }
  const adminToken = configured ?? `saa_${randomBytes(32).toString('base64url')}`;
  const stopped = nextStopSignal();
  const server = await start({ ...toOptions(values), adminToken });
  announce(server, values.json, configured === undefined ? adminToken : undefined);
  await stopped;
  await server.close();
  return 0;
};

function toOptions(values: FlagValues<typeof flags>): ServeIssuerOptions {
  const port = wholeNumber('port', values.port);
  const { host, issuer, resource: resources } = values;
  const accessTokenSeconds = wholeNumber('access-token-seconds', values['access-token-seconds']);
  const keyPublishAheadSeconds = wholeNumber(
    'key-publish-ahead-seconds',
    values['key-publish-ahead-seconds'],
  );
  const signingAlgorithm = oneOf('signing-algorithm', values['signing-algorithm'], signingAlgorithms);
  return {
    ...(port !== undefined && { port }),
    ...(host !== undefined && { host }),
    ...(issuer !== undefined && { issuer }),
    ...(resources !== undefined && { resources }),
    ...(accessTokenSeconds !== undefined && { accessTokenSeconds }),
    ...(keyPublishAheadSeconds !== undefined && { keyPublishAheadSeconds }),
    ...(signingAlgorithm !== undefined && { signingAlgorithm }),
  };
}

async function start(options: ServeIssuerOptions): Promise<IssuerServer> {
  try {
    return await serveIssuer(options);
  } catch (error) {
    // The issuer judges the values of flags; what it calls a wrong option is a wrong flag here.
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}

/** Says where the issuer listens; a generated admin token is shown here and never again. */
function announce({ url, issuer }: IssuerServer, asJson: boolean, generatedToken: string | undefined): void {
  if (asJson) {
    const { pid } = process;
    console.log(
      JSON.stringify({ event: 'listening', url, issuer: issuer.issuer, pid, adminToken: generatedToken }),
    );
    return;
  }
  console.log(`service-auth issuer ${issuer.issuer} listening on ${url}`);
  if (generatedToken !== undefined) console.log(`admin token, shown once: ${generatedToken}`);
}

/** The first signal asks for a graceful end; a second one, no longer handled, ends the process at once. */
function nextStopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      resolve();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}
