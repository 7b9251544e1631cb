import { randomBytes } from 'node:crypto';
import {
  adminTokenRule,
  type IssuerServer,
  isAdminToken,
  type ServeIssuerOptions,
  serveIssuer,
} from '../issuer/index.ts';
import { asUsage, defineCommand } from './command.ts';
import { UsageError } from './errors.ts';
import { exitCodes } from './exit-codes.ts';
import { issuerFlags, issuerOptionsOf } from './issuer/flags.ts';
import { plantSeed } from './issuer/plant-seed.ts';
import { readSeed } from './issuer/seed.ts';
import { type ChosenStorage, chooseStorage } from './issuer/storage-choice.ts';
import { issuerUsage } from './issuer/usage.ts';
import { createJournal, type Journal } from './journal.ts';
import { secretVariable } from './secret-input.ts';
import { nextStopSignal } from './stop-signal.ts';

/** `service-auth issuer`: runs until SIGINT or SIGTERM, then finishes what is under way. */
export const issuerCommand = defineCommand({
  usage: issuerUsage,
  flags: issuerFlags,
  async run(values, { json }) {
    const journal = createJournal(json, values['log-level']);
    const options = await issuerOptionsOf(values);
    const seedSecrets = values['seed-secrets'];
    const seed = values.seed === undefined ? undefined : await readSeed(values.seed);
    if (seed === undefined && seedSecrets !== undefined) throw new UsageError('--seed-secrets needs --seed');
    const configured = await configuredAdminToken();
    const adminToken = configured ?? `saa_${randomBytes(32).toString('base64url')}`;
    const chosen = await chooseStorage(values, journal);
    const stopped = nextStopSignal();
    try {
      const server = await asUsage(() =>
        serveIssuer(withStorage({ ...options, adminToken }, chosen, journal)),
      );
      try {
        const { storage } = chosen;
        const planted = seed && (await plantSeed({ seed, seedSecrets, issuer: server.issuer, storage }));
        announce(server, journal, configured === undefined ? adminToken : undefined);
        for (const { event, members, text } of planted ?? []) journal.say(event, members, text);
        await stopped;
      } finally {
        await server.close();
      }
    } finally {
      journal.flush();
      await chosen.storage.close();
    }
    return exitCodes.good;
  },
});

function withStorage(
  options: ServeIssuerOptions,
  chosen: ChosenStorage,
  journal: Journal,
): ServeIssuerOptions {
  return { ...options, ...chosen, onEvent: journal.onEvent };
}

/** From the environment only: flags show up in process titles. */
async function configuredAdminToken(): Promise<string | undefined> {
  const token = await secretVariable('SERVICE_AUTH_ADMIN_TOKEN');
  if (token === undefined || isAdminToken(token)) return token;
  throw new UsageError(`SERVICE_AUTH_ADMIN_TOKEN must be ${adminTokenRule}`);
}

/** Says where the issuer listens; a generated admin token is shown here and never again. */
function announce({ url, issuer }: IssuerServer, journal: Journal, generatedToken: string | undefined): void {
  const { pid } = process;
  const lines = [`service-auth issuer ${issuer.issuer} listening on ${url}`];
  if (generatedToken !== undefined) lines.push(`admin token, shown once: ${generatedToken}`);
  journal.open({ url, issuer: issuer.issuer, pid, adminToken: generatedToken }, lines.join('\n'));
}
