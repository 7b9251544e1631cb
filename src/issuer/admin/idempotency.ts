/** Creates that may be sent again (`Idempotency-Key`): once done, and every time answered the same. */
import type { IssuerContext } from '../context.ts';
import type { IssuerRequest } from '../http/incoming.ts';
import type { IdempotentCreate } from '../storage/records.ts';
import type { CreateResult } from '../storage/storage.ts';
import { refuse } from './problems.ts';

const REMEMBERED_MS = 24 * 60 * 60 * 1000;
const ANSWERED_TWICE = 2;

/** What decides all of a new thing that the input leaves open. */
export interface Seed {
  readonly clientSecret: string;
  readonly createdAtMs: number;
  /** Known where the thing was made before. */
  readonly known: { readonly clientId: string; readonly secretId: string | undefined } | undefined;
}

/** A thing that is ready to be stored. */
export interface Prepared {
  readonly clientId: string;
  readonly secretId: string | undefined;
  store(request?: IdempotentCreate): Promise<CreateResult>;
  /** What is answered where the storage did not take it. */
  refused(result: 'taken' | 'full'): Response;
  answer(): Response;
}

export interface Creation {
  readonly actor: string;
  readonly request: IssuerRequest;
  /** What is made, and of what; it tells creates with one key apart. */
  readonly purpose: string;
  /** The judged input. */
  readonly content: unknown;
  /** Refuses what cannot be made now. A create that was done before is not asked. */
  check(): Promise<Response | undefined>;
  prepare(seed: Seed): Prepared;
  /** Told of what was made just now. */
  done(made: Prepared): void;
}

/**
 * Makes a thing once, whatever comes twice. Nothing secret is kept for it: the secret is derived from the issuer's
 * `secretKey` and a random salt, and the answer is made anew of the same input.
 */
export async function createOnce(context: IssuerContext, creation: Creation): Promise<Response> {
  const { secrets, settings } = context;
  const { actor, request, purpose, content, check, prepare } = creation;
  const header = request.headers.get('idempotency-key');
  if (header !== null && !/^[\x21-\x7e]{1,255}$/.test(header)) return refuse('invalid_idempotency_key');
  const key = header && secrets.fingerprint('idempotency key', JSON.stringify([actor, purpose, header]));
  const fingerprint = secrets.fingerprint('idempotent content', JSON.stringify(content));

  async function repeated(): Promise<Response | undefined> {
    const found = key === null ? undefined : await settings.storage.findIdempotentCreate(key, settings.now());
    if (found === undefined) return undefined;
    if (found.fingerprint !== fingerprint) return refuse('idempotency_key_reused');
    const clientSecret = secrets.derive(found.salt);
    return prepare({ clientSecret, createdAtMs: found.expiresAtMs - REMEMBERED_MS, known: found }).answer();
  }

  for (let tries = 0; tries < ANSWERED_TWICE; tries++) {
    const before = (await repeated()) ?? (await check());
    if (before !== undefined) return before;
    const salt = secrets.identifier() + secrets.identifier();
    const createdAtMs = settings.now();
    const clientSecret = key === null ? secrets.generate() : secrets.derive(salt);
    const made = prepare({ clientSecret, createdAtMs, known: undefined });
    const { clientId, secretId } = made;
    const expiresAtMs = createdAtMs + REMEMBERED_MS;
    const result = await made.store(
      key === null ? undefined : { key, fingerprint, salt, clientId, secretId, expiresAtMs },
    );
    if (result === 'created') {
      creation.done(made);
      return made.answer();
    }
    // A twin was faster, whose answer is found next.
    if (result !== 'repeated') return made.refused(result);
  }
  return (await repeated()) ?? refuse('update_conflict');
}
