/** What is stored as the admin API shows it: member by member, so that what is added to storage stays there. */
import { activeKey, retiresAt } from '../keys/key-schedule.ts';
import type {
  StoredAuditEntry,
  StoredResource,
  StoredSecret,
  StoredService,
  StoredSigningKey,
} from '../storage/records.ts';
import type { AuditRecord, PublishedKey, Resource, Service, ServiceSecret } from './admin-types.ts';
import { toInput } from './registration.ts';

export function showService(service: StoredService): Service {
  const { clientId, secrets, createdAtMs, updatedAtMs, revokedAtMs, version } = service;
  return {
    clientId,
    ...toInput(service),
    secrets: secrets.map(showSecret),
    createdAt: toIso(createdAtMs),
    updatedAt: toIso(updatedAtMs),
    revokedAt: toIsoIfAny(revokedAtMs),
    version,
  };
}

export function showSecret({
  id,
  hint,
  createdAtMs,
  expiresAtMs,
  lastUsedAtMs,
}: StoredSecret): ServiceSecret {
  return {
    id,
    hint,
    createdAt: toIso(createdAtMs),
    expiresAt: toIsoIfAny(expiresAtMs),
    lastUsedAt: toIsoIfAny(lastUsedAtMs),
  };
}

export function showResource(stored: StoredResource): Resource {
  const { resource, name, scopes, createdAtMs, updatedAtMs, version } = stored;
  return { resource, name, scopes, createdAt: toIso(createdAtMs), updatedAt: toIso(updatedAtMs), version };
}

/** A key among all that are published. */
export function showKey(
  key: StoredSigningKey,
  all: readonly StoredSigningKey[],
  nowMs: number,
): PublishedKey {
  const { kid, algorithm, createdAtMs, activeFromMs } = key;
  const end = retiresAt(key, all);
  return {
    kid,
    algorithm,
    state: activeFromMs > nowMs ? 'upcoming' : kid === activeKey(all, nowMs)?.kid ? 'active' : 'retiring',
    createdAt: toIso(createdAtMs),
    activeFrom: toIso(activeFromMs),
    retiresAt: Number.isFinite(end) ? toIso(end) : undefined,
  };
}

export function showAuditEntry(entry: StoredAuditEntry): AuditRecord {
  const { sequence, atMs, actor, action, target, before, after } = entry;
  return { sequence, at: toIso(atMs), actor, action, target, before, after };
}

export function toIso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function toIsoIfAny(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : toIso(timeMs);
}
