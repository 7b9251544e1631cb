import { isSecureUrl } from '../shared/http.ts';
import { claimsFlagHelp, claimsOption } from './claims-flag.ts';
import { clientFlags, clientFlagsHelp, tokenClientOptions } from './client-flags.ts';
import { asUsage, defineCommand, type FlagValues, wholeNumber } from './command.ts';
import { examineCredentials } from './doctor/credentials.ts';
import { examineDiscovery } from './doctor/discovery.ts';
import type { Examination, Findings } from './doctor/examination.ts';
import { examineIntrospection } from './doctor/introspection.ts';
import { examineKeys } from './doctor/keys.ts';
import { examineReplayStore } from './doctor/replay-store.ts';
import { examineRoundTrip } from './doctor/round-trip.ts';
import { UsageError } from './errors.ts';
import { exitCodes } from './exit-codes.ts';
import { type Finding, showFindings } from './finding.ts';
import { findIntrospectionClient } from './introspection-client.ts';
import type { Output } from './output.ts';
import { variable } from './secret-input.ts';

const usage = `Usage: service-auth doctor [options]

Finds out why tokens are not given, or not accepted: looks at the issuer, its keys and its clock, obtains a token
with the client of the environment and verifies it, introspects a made-up token, and calls a service.

${clientFlagsHelp}
  --token-audience <name>   the audience parameter of Auth0 and Hydra (default SERVICE_AUTH_TOKEN_AUDIENCE)
  --audience <uri>          for whom the token must be; may be repeated (default SERVICE_AUTH_AUDIENCE)
${claimsFlagHelp}
  --url <url>               a protected route that takes GET: is called with a DPoP-bound token, which tells whether
                            the proxies on the way leave the URL as it is
  --replay-store <file>     a module that exports replayStore: is asked 50 times at once for one proof
  --timeout-ms <number>     for each request (default 5000)
  --json                    print one JSON document
  -h, --help                show this

Environment:
  As for service-auth token, and
  SERVICE_AUTH_INTROSPECTION_CLIENT_ID and SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET
                            who introspects (default the client itself)

Examples:
  service-auth doctor --issuer https://idp.example
  service-auth doctor --audience https://orders.example --url https://orders.example/orders
  service-auth doctor --claims auth0 --token-audience https://orders.example --audience https://orders.example

Exit codes:
  0  nothing failed; there may be warnings
  1  a check failed
  2  called in the wrong way
  3  a check could not be made: the issuer, or the service, is out of reach`;

const flags = {
  ...clientFlags,
  'token-audience': { type: 'string' },
  audience: { type: 'string', multiple: true },
  claims: { type: 'string' },
  url: { type: 'string' },
  'replay-store': { type: 'string' },
  'timeout-ms': { type: 'string' },
} as const;

/** `service-auth doctor`: one finding for each thing that commonly goes wrong. */
export const doctorCommand = defineCommand({
  usage,
  flags,
  async run(values, output) {
    const store = values['replay-store'];
    const url = readUrl(values.url);
    const issuer = values.issuer ?? variable('SERVICE_AUTH_ISSUER')?.split(/\s+/)[0];
    if (issuer === undefined && store === undefined) {
      throw new UsageError('give --issuer, or set SERVICE_AUTH_ISSUER');
    }
    const findings: Finding[] = [];
    if (issuer !== undefined) {
      if (!isSecureUrl(issuer))
        throw new UsageError('--issuer must be an https URL (http on loopback addresses)');
      const examination: Examination = {
        issuer,
        audience: values.audience ?? variable('SERVICE_AUTH_AUDIENCE')?.split(/\s+/) ?? null,
        timeoutMs: wholeNumber('timeout-ms', values['timeout-ms']) ?? 5000,
        client: await readClient(values, issuer),
        ...claimsOption(values.claims),
      };
      findings.push(...(await asUsage(() => examineIssuer(examination, url))));
    }
    if (store !== undefined) findings.push(...(await examineReplayStore(store)));
    return report(findings, output);
  },
});

function readUrl(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  if (isSecureUrl(text)) return new URL(text);
  throw new UsageError('--url must be an https URL (http on loopback addresses), as a token is sent there');
}

/** The client as the commands `token` and `call` have it; without one those checks are left out. */
async function readClient(values: FlagValues<typeof flags>, issuer: string): Promise<Examination['client']> {
  const clientId = values['client-id'] ?? variable('SERVICE_AUTH_CLIENT_ID');
  if (clientId === undefined) return undefined;
  const options = await asUsage(() => tokenClientOptions(values, values['token-audience']));
  return { ...options, issuer, clientId };
}

async function examineIssuer(examination: Examination, url: URL | undefined): Promise<Findings> {
  const { findings, found } = await examineDiscovery(examination);
  if (found === undefined) return findings;
  const keys = await examineKeys(examination, found);
  const isNamed = !findings.some(({ check, status }) => check === 'issuer name' && status === 'failure');
  // By another name nothing that follows can go well.
  if (!isNamed) return [...findings, ...keys];
  return [
    ...findings,
    ...keys,
    ...(await examineCredentials(examination)),
    ...(await examineIntrospection(examination, found, findIntrospectionClient())),
    ...(url === undefined ? [] : await examineRoundTrip(url, examination)),
  ];
}

function report(findings: Findings, output: Output): number {
  const has = (word: Finding['status']): boolean => findings.some(({ status }) => status === word);
  const exitCode = has('failure')
    ? exitCodes.failed
    : has('undecided')
      ? exitCodes.undecided
      : exitCodes.good;
  output.result({ ok: exitCode === exitCodes.good, checks: findings }, () => showFindings(findings, output));
  return exitCode;
}
