import type { Emit } from '../../events.ts';
import type { IssuerConnection } from '../http/incoming.ts';
import type { IssuerSettings } from '../issuer-settings.ts';
import { createLimiter, type Limiter, type LimitName, type LimitState, partOf } from './limiter.ts';
import { requesterAddress } from './requester-address.ts';

/** What of a request decides whom it counts for. */
export interface CountedRequest {
  readonly request: { readonly headers: { get(name: string): string | null } };
  readonly connection: IssuerConnection;
}

/** The limits of an issuer; each function counts one request, and gives `undefined` where there is no limit. */
export interface Limits {
  /** Before anything of the request is believed. */
  countAddress(endpoint: string, request: CountedRequest): Promise<LimitState | undefined>;
  /** For clients that have authenticated: nobody locks a client out by pretending to be it. */
  countClient(endpoint: string, clientId: string): Promise<LimitState | undefined>;
}

export function createLimits(settings: IssuerSettings, emit: Emit | undefined): Limits {
  const client = limiter('client');
  const address = limiter('address');

  function limiter(name: LimitName): Limiter | undefined {
    const { limits, now } = settings;
    const policy = limits[name];
    const onFailure = (error: unknown): void => {
      const errorName = error instanceof Error ? error.name : typeof error;
      emit?.({ type: 'issuer.limits_not_shared', limit: name, errorName });
    };
    if (policy === undefined) return undefined;
    // Addresses are anybody's to make up, clients are not.
    const uncounted = name === 'address' ? partOf(policy) : 0;
    return createLimiter({ name, policy, storage: limits.store, now, onFailure, uncounted });
  }

  return {
    async countAddress(endpoint, { request, connection }) {
      const from = address && requesterAddress(request, connection, settings.isTrustedProxy);
      if (address === undefined || from === undefined) return undefined;
      const state = await address.take(from);
      if (!state.allowed) {
        emit?.({ type: 'issuer.limited', limit: 'address', endpoint, clientId: undefined, address: from });
      }
      return state;
    },
    async countClient(endpoint, clientId) {
      const state = await client?.take(clientId);
      if (state?.allowed === false) {
        emit?.({ type: 'issuer.limited', limit: 'client', endpoint, clientId, address: undefined });
      }
      return state;
    },
  };
}
