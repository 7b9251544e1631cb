import type { IssuerStorage, RevokedToken, StoredService, StoredSigningKey } from './storage.ts';

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
  const revokedTokens = new Map<string, RevokedToken>();
  const signingKeys = new Map<string, StoredSigningKey>();

  return {
    durable: false,

    async createService(service) {
      if (services.has(service.clientId)) return false;
      services.set(service.clientId, Object.freeze({ ...service }));
      return true;
    },
    async findService(clientId) {
      return services.get(clientId);
    },
    async listServices() {
      return [...services.values()];
    },
    async revokeService(clientId, atMs) {
      const service = services.get(clientId);
      if (service === undefined) return false;
      services.set(clientId, Object.freeze({ ...service, revokedAtMs: service.revokedAtMs ?? atMs }));
      return true;
    },

    async revokeToken(token) {
      revokedTokens.set(token.tokenId, token);
    },
    async isTokenRevoked(tokenId) {
      return revokedTokens.has(tokenId);
    },
    async deleteExpiredTokens(nowMs) {
      for (const { tokenId, expiresAtMs } of revokedTokens.values()) {
        if (expiresAtMs <= nowMs) revokedTokens.delete(tokenId);
      }
    },

    async listSigningKeys() {
      return [...signingKeys.values()];
    },
    async addSigningKey(key, after) {
      if ([...signingKeys.keys()].at(-1) !== after) return false;
      signingKeys.set(key.kid, Object.freeze({ ...key }));
      return true;
    },
    async deleteSigningKey(kid) {
      signingKeys.delete(kid);
    },
  };
}
