/** Nonces that a server needs not remember (RFC 9449 section 8 and 9): the HMAC of a slot of time. */
import { encodeBase64url } from './base64url.ts';
import { hmacSha256 } from './crypto.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';

export interface DpopNonces {
  /** The nonce to send with an answer. */
  current(): MaybePromise<string>;
  accepts(nonce: string): MaybePromise<boolean>;
}

export interface DpopNonceRules {
  /** The first makes nonces, all are accepted. */
  readonly secrets: readonly string[];
  readonly lifetimeSeconds: number;
  readonly now: () => number;
}

interface Slot {
  readonly number: number;
  readonly current: string;
  readonly accepted: ReadonlySet<string>;
}

/**
 * Makes nonces that every instance with the same secret makes too, so that none must be stored.
 *
 * A nonce is accepted in its slot and the one after it; in the one before it too, since clocks differ.
 */
export function createDpopNonces({ secrets, lifetimeSeconds, now }: DpopNonceRules): DpopNonces {
  let latest: Slot | undefined;

  /** Made once in a slot; all requests within it compare strings. */
  function slot(): MaybePromise<Slot> {
    const number = Math.floor(now() / 1000 / lifetimeSeconds);
    if (latest?.number === number) return latest;
    const made = secrets.flatMap((secret) =>
      [number, number - 1, number + 1].map((at) => nonceOf(secret, at)),
    );
    // All are promises or none is: that is a matter of the runtime.
    const nonces = made.some((nonce) => nonce instanceof Promise) ? Promise.all(made) : (made as string[]);
    return andThen(nonces, ([current = '', ...others]) => {
      latest = { number, current, accepted: new Set([current, ...others]) };
      return latest;
    });
  }

  return {
    current: () => andThen(slot(), ({ current }) => current),
    accepts: (nonce) => andThen(slot(), ({ accepted }) => accepted.has(nonce)),
  };
}

function nonceOf(secret: string, slot: number): MaybePromise<string> {
  const encoder = new TextEncoder();
  const tag = hmacSha256(encoder.encode(secret), encoder.encode(`service-auth DPoP nonce ${slot}`));
  return andThen(tag, (bytes) => encodeBase64url(bytes.subarray(0, 24)));
}
