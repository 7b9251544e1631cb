import { keptSecret } from './kept-secret.ts';
import {
  type AuditEntry,
  type IdempotentCreate,
  type RevokedToken,
  type StatusBlock,
  type StoredAuditEntry,
  type StoredResource,
  type StoredService,
  type StoredSigningKey,
  type StoredToken,
  statusListSize,
} from './records.ts';
import type { IssuerStorage } from './storage.ts';

interface ReservedBlock extends StatusBlock {
  readonly clientId: string;
  readonly expiresAtMs: number;
}

/**
 * Storage in the memory of this process: for tests, trials and the demo, since all is lost when it ends.
 *
 * @example
 * ```ts
 * import { createIssuer, memoryStorage } from 'service-auth/issuer';
 *
 * export const issuer = createIssuer({ issuer: 'https://idp.example', storage: memoryStorage() });
 * ```
 */
export function memoryStorage(): IssuerStorage {
  const services = new Map<string, StoredService>();
  const idempotentCreates = new Map<string, IdempotentCreate>();
  const resources = new Map<string, StoredResource>();
  const tokens = new Map<string, StoredToken>();
  const revokedTokens = new Map<string, RevokedToken>();
  const signingKeys = new Map<string, StoredSigningKey>();
  const usedNames = new Map<string, number>();
  const limits = new Map<string, { readonly used: number; readonly endsAtMs: number }>();
  const revisions = new Map<string, number>();
  const blocks: ReservedBlock[] = [];
  const audits: StoredAuditEntry[] = [];
  let sequence = 0;
  let list = 0;
  let nextPlace = statusListSize;

  function note(entry: AuditEntry): void {
    // A copy: what is in the log does not change with what it tells of.
    audits.push(Object.freeze({ ...structuredClone(entry), sequence: ++sequence }));
  }

  function isRepeated(request: IdempotentCreate | undefined, { atMs }: AuditEntry): boolean {
    const before = request && idempotentCreates.get(request.key);
    return before !== undefined && before.expiresAtMs > atMs;
  }

  function change(service: StoredService): void {
    services.set(service.clientId, Object.freeze(service));
  }

  function touchList(listId: string): void {
    revisions.set(listId, (revisions.get(listId) ?? 0) + 1);
  }

  return {
    durable: false,

    async createService(service, audit, request) {
      if (isRepeated(request, audit)) return 'repeated';
      if (services.has(service.clientId)) return 'taken';
      if (request !== undefined) idempotentCreates.set(request.key, request);
      change({ ...service });
      note(audit);
      return 'created';
    },
    async findService(clientId) {
      return services.get(clientId);
    },
    async listServices({ after, limit }) {
      const all = [...services.values()];
      const start = after === undefined ? 0 : all.findIndex(({ clientId }) => clientId === after) + 1;
      return start === 0 && after !== undefined ? [] : all.slice(start, start + limit);
    },
    async updateService(service, audit) {
      const known = services.get(service.clientId);
      if (known === undefined || known.version !== service.version - 1) return false;
      const secrets = known.secrets.map((secret) => keptSecret(service.authMethods, secret));
      change({ ...service, secrets, revokedAtMs: known.revokedAtMs });
      note(audit);
      return true;
    },
    async revokeService(clientId, atMs, audit) {
      const service = services.get(clientId);
      if (service === undefined) return false;
      if (service.revokedAtMs !== undefined) return true;
      change({ ...service, revokedAtMs: atMs });
      for (const { listId } of blocks.filter((block) => block.clientId === clientId)) touchList(listId);
      note(audit);
      return true;
    },

    async addSecret({ clientId, secret, expireOthersAtMs = Infinity, most = Infinity }, audit, request) {
      if (isRepeated(request, audit)) return 'repeated';
      const service = services.get(clientId);
      if (service === undefined || service.revokedAtMs !== undefined) return 'taken';
      if (service.secrets.length >= most) return 'full';
      if (request !== undefined) idempotentCreates.set(request.key, request);
      const others = service.secrets.map((other) =>
        (other.expiresAtMs ?? Infinity) <= expireOthersAtMs
          ? other
          : { ...other, expiresAtMs: expireOthersAtMs },
      );
      change({ ...service, secrets: [...others, keptSecret(service.authMethods, secret)] });
      note(audit);
      return 'created';
    },
    async removeSecret(clientId, secretId, audit) {
      const service = services.get(clientId);
      const secrets = service?.secrets.filter(({ id }) => id !== secretId) ?? [];
      if (service === undefined || secrets.length === service.secrets.length) return false;
      change({ ...service, secrets });
      note(audit);
      return true;
    },
    async touchSecrets(uses) {
      for (const service of services.values()) {
        if (!service.secrets.some(({ id }) => uses.has(id))) continue;
        const secrets = service.secrets.map((secret) => {
          const usedAtMs = uses.get(secret.id) ?? 0;
          return usedAtMs <= (secret.lastUsedAtMs ?? 0) ? secret : { ...secret, lastUsedAtMs: usedAtMs };
        });
        change({ ...service, secrets });
      }
    },

    async findIdempotentCreate(key, nowMs) {
      const found = idempotentCreates.get(key);
      return found !== undefined && found.expiresAtMs > nowMs ? found : undefined;
    },

    async createResource(resource, audit) {
      if (resources.has(resource.resource)) return false;
      resources.set(resource.resource, Object.freeze({ ...resource }));
      note(audit);
      return true;
    },
    async findResource(resource) {
      return resources.get(resource);
    },
    async listResources() {
      return [...resources.values()];
    },
    async updateResource(resource, audit) {
      if (resources.get(resource.resource)?.version !== resource.version - 1) return false;
      resources.set(resource.resource, Object.freeze({ ...resource }));
      note(audit);
      return true;
    },
    async deleteResource(resource, audit) {
      if (!resources.delete(resource)) return false;
      note(audit);
      return true;
    },

    async saveToken(token) {
      tokens.set(token.hash, token);
    },
    async findToken(hash) {
      return tokens.get(hash);
    },
    async revokeToken(token) {
      if (revokedTokens.has(token.tokenId)) return;
      revokedTokens.set(token.tokenId, token);
      if (token.status !== undefined) touchList(token.status.listId);
    },
    async isTokenRevoked(tokenId) {
      return revokedTokens.has(tokenId);
    },

    async reserveStatuses({ clientId, count, expiresAtMs }) {
      if (!(count >= 1 && count <= statusListSize)) {
        throw new RangeError(`count must be from 1 to ${statusListSize}`);
      }
      if (nextPlace + count > statusListSize) {
        nextPlace = 0;
        revisions.set(String(++list), 0);
      }
      const block = { listId: String(list), start: nextPlace, count };
      nextPlace += count;
      blocks.push({ ...block, clientId, expiresAtMs });
      if (services.get(clientId)?.revokedAtMs !== undefined) touchList(block.listId);
      return block;
    },
    async statusListRevision(listId) {
      return revisions.get(listId);
    },
    async statusList(listId, nowMs) {
      const revision = revisions.get(listId);
      if (revision === undefined) return undefined;
      const revoked: [number, number][] = [];
      for (const { status, expiresAtMs } of revokedTokens.values()) {
        if (status?.listId === listId && expiresAtMs > nowMs) revoked.push([status.index, 1]);
      }
      for (const block of blocks) {
        if (block.listId !== listId || block.expiresAtMs <= nowMs) continue;
        if (services.get(block.clientId)?.revokedAtMs !== undefined) revoked.push([block.start, block.count]);
      }
      return { revision, size: statusListSize, revoked };
    },

    async useOnce(name, expiresAtMs) {
      if (usedNames.has(name)) return false;
      usedNames.set(name, expiresAtMs);
      return true;
    },
    async takeFromLimit({ key, windowEndsAtMs, limit, amount }) {
      const window = `${windowEndsAtMs} ${key}`;
      const used = limits.get(window)?.used ?? 0;
      const granted = Math.max(0, Math.min(amount, limit - used));
      limits.set(window, { used: used + granted, endsAtMs: windowEndsAtMs });
      return granted;
    },

    async listSigningKeys() {
      return [...signingKeys.values()];
    },
    async addSigningKey(key, after, audit) {
      if ([...signingKeys.keys()].at(-1) !== after) return false;
      signingKeys.set(key.kid, Object.freeze({ ...key }));
      if (audit !== undefined) note(audit);
      return true;
    },
    async extendSigningKey(kid, tokenSeconds) {
      const key = signingKeys.get(kid);
      if (key !== undefined && key.tokenSeconds < tokenSeconds) {
        signingKeys.set(kid, Object.freeze({ ...key, tokenSeconds }));
      }
    },
    async deleteSigningKey(kid) {
      signingKeys.delete(kid);
    },

    async listAudit({ before = Infinity, limit, target }) {
      const fits = audits.filter((e) => e.sequence < before && (target === undefined || e.target === target));
      return fits.slice(-limit).reverse();
    },

    async deleteExpired(nowMs) {
      drop(tokens, ({ expiresAtMs }) => expiresAtMs <= nowMs);
      drop(revokedTokens, ({ expiresAtMs }) => expiresAtMs <= nowMs);
      drop(idempotentCreates, ({ expiresAtMs }) => expiresAtMs <= nowMs);
      drop(usedNames, (expiresAtMs) => expiresAtMs <= nowMs);
      drop(limits, ({ endsAtMs }) => endsAtMs <= nowMs);
      blocks.splice(0, blocks.length, ...blocks.filter(({ expiresAtMs }) => expiresAtMs > nowMs));
    },
    // What is in memory ends with the process; another issuer in it may still use it.
    async close() {},
  };
}

function drop<V>(map: Map<string, V>, isExpired: (value: V) => boolean): void {
  for (const [key, value] of map) if (isExpired(value)) map.delete(key);
}
