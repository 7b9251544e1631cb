/** Status List Tokens (OAuth Token Status List, section 5.1): made of what was revoked, and kept while it holds. */
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { IssuerSettings } from '../issuer-settings.ts';
import { signJwt } from '../keys/signed-jwt.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import { inTime } from '../storage/in-time.ts';
import type { StatusListState } from '../storage/records.ts';
import { statusListUri } from './status-list-uri.ts';

export interface StatusListTokens {
  /** The token of a list, never older than the last revocation; `undefined` if there is no such list. */
  find(listId: string): Promise<string | undefined>;
}

interface Made {
  readonly token: string;
  /** At the time of making or a little before. */
  readonly revision: number;
  readonly madeAtMs: number;
}

const TYP = 'statuslist+jwt';
/** One bit for each token: valid or not. */
const BITS = 1;
const MOST_KEPT_CHARACTERS = 32 * 1024 * 1024;
/** Whoever asks waits for the same making: one that never ends must not hold them up for ever. */
const LONGEST_MAKING_MS = 10_000;
const pack = promisify(deflate);

export function createStatusListTokens(settings: IssuerSettings, keys: SigningKeys): StatusListTokens {
  const { storage, baseUrl, statusListTtlSeconds: ttl, now } = settings;
  // Verifiers go on with a list for as long when they get no new one; so they outlast tokens, but not much more.
  const lifetimeSeconds = Math.max(2 * ttl, settings.accessTokenSeconds);
  const kept = new LRUCache<string, Made>({ maxSize: MOST_KEPT_CHARACTERS });
  const making = new Map<string, Promise<Made | undefined>>();

  function isFresh({ madeAtMs }: Made): boolean {
    const age = now() - madeAtMs;
    return age >= 0 && age < (ttl * 1000) / 2;
  }

  async function make(listId: string): Promise<Made | undefined> {
    const madeAtMs = now();
    const state = await storage.statusList(listId, madeAtMs);
    if (state === undefined) return undefined;
    const lst = (await pack(toBits(state))).toString('base64url');
    const iat = Math.floor(madeAtMs / 1000);
    const token = await signJwt(await keys.signer(lifetimeSeconds), TYP, {
      sub: statusListUri(baseUrl, listId),
      iat,
      exp: iat + lifetimeSeconds,
      ttl,
      status_list: { bits: BITS, lst },
    });
    const made = { token, revision: state.revision, madeAtMs };
    kept.set(listId, made, { size: token.length });
    return made;
  }

  /** Whoever asks while a list is made gets that one, unless something was revoked since it was begun. */
  function makeOnce(listId: string, revision: number): Promise<Made | undefined> {
    const name = `${revision} ${listId}`;
    let running = making.get(name);
    if (running === undefined) {
      running = inTime(LONGEST_MAKING_MS, make(listId)).finally(() => making.delete(name));
      making.set(name, running);
    }
    return running;
  }

  return {
    async find(listId) {
      const revision = await storage.statusListRevision(listId);
      if (revision === undefined) return undefined;
      const known = kept.get(listId);
      const holds = known !== undefined && known.revision >= revision && isFresh(known);
      return (holds ? known : await makeOnce(listId, revision))?.token;
    },
  };
}

/** The first status is in the lowest bit of the first byte (section 4.1). */
function toBits({ size, revoked }: StatusListState): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(size / 8));
  for (const [start, count] of revoked) {
    for (let index = start; index < start + count; index++) {
      bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
    }
  }
  return bytes;
}
