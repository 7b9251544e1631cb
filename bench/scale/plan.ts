/** What a fleet is made of: the inputs of the capacity model and of its simulation. */
export interface Plan {
  readonly instances: number;
  /** Instances that share a client id, and where they share a store, their tokens. */
  readonly instancesPerService: number;
  /** Tokens that each instance holds: one for each target with a scope or resource of its own. */
  readonly tokens: number;
  /** How often an instance calls with each of its tokens, a second. */
  readonly callsPerSecond: number;
  readonly lifetimeSeconds: number;
  /** `refresh.aheadSeconds` and `refresh.mandatorySeconds` of token clients. */
  readonly aheadSeconds: number;
  readonly mandatorySeconds: number;
  /** `timeoutMs` of token clients. */
  readonly timeoutMs: number;
  readonly roundTripMs: number;
  /** What all issuers together can do. */
  readonly issuerTokensPerSecond: number;
  /** What an issuer allows one client id in a minute. */
  readonly clientRequestsPerMinute: number;
  /** Every instance is replaced once in this time. */
  readonly deploySeconds: number;
  readonly outageSeconds: number;
  readonly statusListTtlSeconds: number;
  /** `max-age` of the key set. */
  readonly keysMaxAgeSeconds: number;
  /** `introspection.cacheSeconds` of verifiers. */
  readonly introspectionCacheSeconds: number;
  /** How long a used proof is kept in Redis: its age, the tolerance and the difference between clocks. */
  readonly proofSeconds: number;
  /** `syncSeconds` of invalidations in Redis. */
  readonly syncSeconds: number;
}

/** Twenty instances a service, three tokens each, everything else as it is by default; an issuer of two cores. */
export const defaultPlan: Omit<Plan, 'instances'> = Object.freeze({
  instancesPerService: 20,
  tokens: 3,
  callsPerSecond: 1,
  lifetimeSeconds: 900,
  aheadSeconds: 60,
  mandatorySeconds: 1,
  timeoutMs: 10_000,
  roundTripMs: 5,
  issuerTokensPerSecond: 5000,
  clientRequestsPerMinute: 6000,
  deploySeconds: 60,
  outageSeconds: 300,
  statusListTtlSeconds: 60,
  keysMaxAgeSeconds: 150,
  introspectionCacheSeconds: 30,
  proofSeconds: 75,
  syncSeconds: 5,
});

export function planFor(instances: number, changes: Partial<Plan> = {}): Plan {
  return Object.freeze({ ...defaultPlan, instances, ...changes });
}

/** Client ids. */
export function servicesOf({ instances, instancesPerService }: Plan): number {
  return Math.ceil(instances / instancesPerService);
}

/** Instances of one client id. */
export function membersOf({ instances, instancesPerService }: Plan): number {
  return Math.min(instances, instancesPerService);
}
