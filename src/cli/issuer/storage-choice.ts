/** Where an issuer of the command line keeps things, and the key that they are encrypted with. */
import { randomBytes } from 'node:crypto';
import { type IssuerStorage, libsqlStorage, memoryStorage, postgresStorage } from '../../issuer/index.ts';
import { errorCode } from '../../shared/http.ts';
import { parseUrl } from '../../shared/url.ts';
import { UsageError } from '../errors.ts';
import { messageOf } from '../failure.ts';
import type { Journal } from '../journal.ts';
import { secretVariable, variable } from '../secret-input.ts';
import type { IssuerFlagValues } from './flags.ts';
import { keyOfDirectory } from './key-file.ts';

export interface ChosenStorage {
  readonly storage: IssuerStorage;
  readonly secretKey: Uint8Array;
}

const LEAST_KEY_BYTES = 32;

/** @throws UsageError where several places are named, or a key is missing or too short */
export async function chooseStorage(values: IssuerFlagValues, journal: Journal): Promise<ChosenStorage> {
  const { memory, data } = values;
  const flagUrl = values['database-url'];
  const named = [memory ? '--memory' : undefined, data && '--data', flagUrl && '--database-url'].filter(
    Boolean,
  );
  if (named.length > 1) throw new UsageError(`${named.join(' and ')} exclude each other`);
  const configured = await configuredKey();
  if (memory) return { storage: memoryStorage(), secretKey: configured ?? randomBytes(LEAST_KEY_BYTES) };
  const url = flagUrl ?? (data === undefined ? variable('SERVICE_AUTH_DATABASE_URL') : undefined);
  if (url === undefined) {
    const directory = data ?? 'service-auth-data';
    const secretKey = configured ?? (await keyOfDirectory(directory, journal));
    return { storage: await libsqlStorage({ directory }), secretKey };
  }
  if (flagUrl !== undefined) warnOfPassword(flagUrl, journal);
  if (configured === undefined) {
    throw new UsageError('PostgreSQL needs SERVICE_AUTH_SECRET_KEY or SERVICE_AUTH_SECRET_KEY_FILE');
  }
  return { storage: await openPostgres(url), secretKey: configured };
}

/** What the driver or the server says does not tell that it is the database who says it. */
async function openPostgres(url: string): Promise<IssuerStorage> {
  try {
    return await postgresStorage({ url });
  } catch (error) {
    throw errorCode(error) === undefined ? error : new Error(`PostgreSQL: ${messageOf(error)}`);
  }
}

async function configuredKey(): Promise<Uint8Array | undefined> {
  const text = await secretVariable('SERVICE_AUTH_SECRET_KEY');
  if (text === undefined) return undefined;
  const key = new TextEncoder().encode(text);
  if (key.length >= LEAST_KEY_BYTES) return key;
  throw new UsageError(`the secret key must be at least ${LEAST_KEY_BYTES} bytes long`);
}

function warnOfPassword(url: string, journal: Journal): void {
  if (parseUrl(url)?.password === '') return;
  const text =
    'a password in --database-url shows up in process titles; set SERVICE_AUTH_DATABASE_URL instead';
  journal.warn('cli.password_in_flag', { message: text }, `WARNING: ${text}`);
}
