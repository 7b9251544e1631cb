/** What happened to invalidations; never a token. */
export type RedisInvalidationEvent =
  /** All that is alive is known again, after the start or an outage. */
  | { readonly type: 'invalidations.synced'; readonly alive: number; readonly learned: number }
  /** Redis cannot be read: what others say is not heard. Told once an outage. */
  | { readonly type: 'invalidations.sync_failed'; readonly message: string }
  /** Redis had lost what this instance knew, which it gave back. */
  | { readonly type: 'invalidations.given_back'; readonly entries: number }
  /** What this instance said is not kept, and perhaps not heard, by Redis yet; it is said again. */
  | { readonly type: 'invalidations.pending'; readonly entries: number; readonly message: string }
  /** What came is no invalidation, or was not said by one that has the secret. */
  | { readonly type: 'invalidations.ignored' }
  /** A verifier did not take it: its deny list is full. It is tried again. */
  | { readonly type: 'invalidations.not_applied'; readonly message: string };
