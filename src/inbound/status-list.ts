/** Revocation without a round trip for each request: the OAuth Token Status List. */
import { ServiceAuthError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { Fault } from '../shared/fault.ts';
import { isSecureUrl, requestBytes, retryAfterMs, withoutQuery } from '../shared/http.ts';
import { isObject, type JsonObject, own } from '../shared/json.ts';
import type { KeySet } from '../shared/key-set.ts';
import { andThen, attempt, type MaybePromise } from '../shared/maybe-async.ts';
import { createRemoteDocument, type Loaded, type RemoteDocument } from '../shared/remote-document.ts';
import type { Transport } from '../shared/transport.ts';
import { asUndecided } from '../shared/undecided.ts';
import { readStatusListToken, type StatusList, statusAt } from './status-list-token.ts';

/** Where the status of one token is. Asked on every request: synchronous while the list is in memory. */
export interface StatusCheck {
  /** @throws UndecidedError (or rejects) `status_unavailable` */
  judge(): MaybePromise<Fault | undefined>;
}

export interface StatusLists {
  /** The check of a token; `undefined` where it names no status list, a fault where it does so badly. */
  check(claims: JsonObject): StatusCheck | Fault | undefined;
}

export interface StatusListsOptions {
  readonly issuer: string;
  readonly keys: KeySet;
  readonly algorithms: ReadonlySet<string>;
  readonly transport: Transport;
  readonly now: () => number;
  readonly emit: Emit | undefined;
  readonly timeoutMs: number;
  readonly maxBytes?: number;
  readonly maxUnpackedBytes?: number;
  /** Of all lists together, unpacked. */
  readonly maxKeptBytes?: number;
}

interface KeptList {
  readonly list: RemoteDocument<StatusList>;
  readonly bytes: number;
}

const MEBIBYTE = 1024 * 1024;
const LONGEST_URI = 2048;
/** A list that asks to be fetched more often, or expires sooner, is fetched this often. */
const SHORTEST_TTL_MS = 5000;
/** What keeping a list takes besides its statuses. */
const BYTES_OF_ENTRY = 4096;
/** The names of the registered statuses, for operators. */
const names: readonly string[] = ['valid', 'invalid', 'suspended'];

export function createStatusLists(options: StatusListsOptions): StatusLists {
  const { issuer, keys, algorithms, transport, now, emit, timeoutMs } = options;
  const {
    maxBytes = 4 * MEBIBYTE,
    maxUnpackedBytes = 16 * MEBIBYTE,
    maxKeptBytes = 256 * MEBIBYTE,
  } = options;
  /** In the order of their last use. */
  const lists = new Map<string, KeptList>();
  let keptBytes = 0;

  /** Only verified tokens name lists, but an issuer that makes a list for each token must not fill the memory. */
  function keep(uri: string, list: RemoteDocument<StatusList>, listBytes: number): void {
    const bytes = listBytes + BYTES_OF_ENTRY;
    drop(uri);
    lists.set(uri, { list, bytes });
    keptBytes += bytes;
    for (const oldest of lists.keys()) {
      if (keptBytes <= maxKeptBytes) break;
      drop(oldest);
    }
  }

  function drop(uri: string): void {
    keptBytes -= lists.get(uri)?.bytes ?? 0;
    lists.delete(uri);
  }

  function listAt(uri: string): RemoteDocument<StatusList> {
    const known = lists.get(uri);
    if (known !== undefined) {
      lists.delete(uri);
      lists.set(uri, known);
      return known.list;
    }
    const shownUri = withoutQuery(uri);
    const list: RemoteDocument<StatusList> = createRemoteDocument({
      load: () => load(uri),
      now,
      minFreshMs: SHORTEST_TTL_MS,
      onRefreshed: ({ bits, bytes }, durationMs) => {
        keep(uri, list, bytes.length);
        const statuses = (bytes.length * 8) / bits;
        emit?.({ type: 'status_list.refreshed', uri: shownUri, statuses, durationMs });
      },
      onFailed: ({ code, message }, retryInMs, durationMs) =>
        emit?.({ type: 'status_list.refresh_failed', uri: shownUri, code, message, retryInMs, durationMs }),
    });
    keep(uri, list, 0);
    return list;
  }

  async function load(uri: string): Promise<Loaded<StatusList>> {
    const headers = { accept: 'application/statuslist+jwt' };
    const answer = await requestBytes(transport, { url: uri, headers, timeoutMs, maxBytes });
    const { status } = answer;
    if (status !== 200)
      throw new ServiceAuthError('unexpected_status', `${withoutQuery(uri)} answered ${status}`, {
        status,
        retryAfterMs: retryAfterMs(answer.headers, now()),
      });
    const token = new TextDecoder().decode(answer.bytes).trim();
    const list = await readStatusListToken(token, uri, { issuer, keys, algorithms, now, maxUnpackedBytes });
    const freshMs = list.ttlSeconds === undefined ? undefined : list.ttlSeconds * 1000;
    // One that expires at once would be fetched for every request.
    const expiresAt = list.expiresAt && Math.max(list.expiresAt, now() + SHORTEST_TTL_MS);
    return { value: list, freshMs, expiresAt };
  }

  function judge(uri: string, index: number): MaybePromise<Fault | undefined> {
    return attempt(
      () => andThen(listAt(uri).read(), (list) => verdict(statusAt(list, index), index)),
      (error): never => {
        throw asUndecided(error, 'status_unavailable', issuer);
      },
    );
  }

  return {
    check(claims) {
      const status = own(claims, 'status');
      const reference = isObject(status) ? own(status, 'status_list') : undefined;
      if (status === undefined || (isObject(status) && reference === undefined)) return undefined;
      const { idx, uri } = isObject(reference) ? reference : {};
      if (typeof idx !== 'number' || !Number.isSafeInteger(idx) || idx < 0)
        return malformed('idx as a whole number');
      if (typeof uri !== 'string' || uri.length > LONGEST_URI || !isSecureUrl(uri))
        return malformed('uri as an https URL');
      return { judge: () => judge(uri, idx) };
    },
  };
}

function verdict(status: number | undefined, index: number): Fault | undefined {
  if (status === 0) return undefined;
  if (status === undefined)
    return new Fault('status', 'status_out_of_range', 'an index within the list', `${index}`);
  return new Fault('status', 'status_not_valid', '0 (valid)', `${status} (${names[status] ?? 'other'})`);
}

function malformed(expected: string): Fault {
  return new Fault('claims', 'invalid_claim', `status.status_list with ${expected}`);
}
