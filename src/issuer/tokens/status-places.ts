/** Gives tokens their places in status lists (OAuth Token Status List), most of them without asking the storage. */
import { LRUCache } from 'lru-cache';
import type { IssuerSettings } from '../issuer-settings.ts';
import { inTime } from '../storage/in-time.ts';
import type { StatusBlock, StatusPlace } from '../storage/records.ts';
import { AFTERLIFE_MS } from './afterlife.ts';

export interface StatusPlaces {
  /** A place that no other token gets. Rejects where none can be reserved. */
  take(clientId: string, tokenExpiresAtMs: number): Promise<StatusPlace>;
}

/** Places that were reserved for one service, and how far they are used up. */
interface Places extends StatusBlock {
  used: number;
  readonly reservedAtMs: number;
  readonly expiresAtMs: number;
}

const SMALLEST_BLOCK = 8;
const LARGEST_BLOCK = 4096;
/** A block that is used up sooner is followed by one of twice its size. */
const BUSY_MS = 60_000;
/** How long a block gives places to tokens of one life; what is left of it then is given up. */
const OPEN_MS = 60 * 60_000;
/** All requests of a service wait for the same reservation: one that is never answered must not hold them up for ever. */
const LONGEST_RESERVATION_MS = 10_000;
/** What is known of services that ask rarely is forgotten: their next token begins another block. */
const MOST_SERVICES = 20_000;

export function createStatusPlaces({ storage, now }: Pick<IssuerSettings, 'storage' | 'now'>): StatusPlaces {
  const blocks = new LRUCache<string, Places>({ max: MOST_SERVICES });
  const reserving = new Map<string, Promise<void>>();

  function next(clientId: string, neededUntilMs: number): StatusPlace | undefined {
    const places = blocks.get(clientId);
    if (places === undefined || places.used === places.count || neededUntilMs > places.expiresAtMs) {
      return undefined;
    }
    return { listId: places.listId, index: places.start + places.used++ };
  }

  async function reserve(clientId: string, neededUntilMs: number): Promise<void> {
    const reservedAtMs = now();
    const count = sizeAfter(blocks.get(clientId), reservedAtMs);
    const expiresAtMs = neededUntilMs + OPEN_MS;
    const block = await storage.reserveStatuses({ clientId, count, expiresAtMs });
    blocks.set(clientId, { ...block, used: 0, reservedAtMs, expiresAtMs });
  }

  /** Requests of one service that come at once share a reservation. */
  function reserveOnce(clientId: string, neededUntilMs: number): Promise<void> {
    let running = reserving.get(clientId);
    if (running === undefined) {
      const work = reserve(clientId, neededUntilMs);
      running = inTime(LONGEST_RESERVATION_MS, work).finally(() => reserving.delete(clientId));
      reserving.set(clientId, running);
    }
    return running;
  }

  return {
    async take(clientId, tokenExpiresAtMs) {
      const neededUntilMs = tokenExpiresAtMs + AFTERLIFE_MS;
      for (;;) {
        const place = next(clientId, neededUntilMs);
        if (place !== undefined) return place;
        await reserveOnce(clientId, neededUntilMs);
      }
    },
  };
}

/** Blocks grow with demand, and begin small again after a lull. */
function sizeAfter(last: Places | undefined, nowMs: number): number {
  if (last === undefined || last.used < last.count) return SMALLEST_BLOCK;
  const wasBusy = nowMs - last.reservedAtMs < BUSY_MS;
  return wasBusy ? Math.min(last.count * 2, LARGEST_BLOCK) : last.count;
}
