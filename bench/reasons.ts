/** Why a goal is missed, and what the limit is, in the figures of the results themselves. */

/** One figure as text; the first row of the table whose name begins so. */
export type Read = (table: string, row: string, column: string) => string;

interface Reason {
  /** The goals that it explains, by their text. */
  readonly of: RegExp;
  /** `matched` is what the expression found in the goal. */
  readonly why: (read: Read, matched: RegExpMatchArray) => string;
}

/** What came out below nothing is less than can be measured. */
const noise = (us: string): string => (us.startsWith('-') ? 'less than rounds differ' : `${us} us`);
const http = (framework: string): string => `http ${framework}`;
const cpu = 'CPU us over the open route';
const share = 'of the open route';

const reasons: readonly Reason[] = [
  {
    of: /^Uncached, (\w+)$/,
    why: (read, [, algorithm = '']) =>
      `besides the signature a verification does strict parsing, JSON, claims and a caller, in ${read(`uncached ${algorithm}`, 'service-auth', 'us over the floor')} us. The check itself takes ${read(`uncached ${algorithm}`, 'floor', 'us')} us here, and the goal was set where it took longer (PS256 36 us, HS256 9.6 us), so that the same work was a smaller share. The best peer takes ${read(`uncached ${algorithm}`, 'fast-jwt', 'us over the floor')} us.`,
  },
  {
    of: /^Uncached, (\w+), against the best peer$/,
    why: (read, [, algorithm = '']) =>
      `a tie: ${read(`uncached ${algorithm}`, 'service-auth', 'us over the floor')} us over the floor, and fast-jwt ${read(`uncached ${algorithm}`, 'fast-jwt', 'us over the floor')} us, which is less than rounds differ from each other. The signature is nearly all of it.`,
  },
  {
    of: /against the cache of fast-jwt/,
    why: (read) =>
      `both figures hold the making of the string, ${read('cached 1000', 'floor', 'us')} us. Beyond it the cost is ${read('cached 1000', 'service-auth', 'us over the floor')} us against ${read('cached 1000', 'fast-jwt, cache of', 'us over the floor')} us.`,
  },
  {
    of: /^Uncached, (\w+), 64 at once/,
    why: (read, [, algorithm = '']) =>
      `both use both cores, where rounds differ most: between ${read(`uncached ${algorithm}`, 'service-auth, 64', 'least')} and ${read(`uncached ${algorithm}`, 'service-auth, 64', 'most')} times the floor in one run.`,
  },
  {
    of: /^(.+), 1,000 tokens, throughput$/,
    why: (read, [, framework = '']) =>
      `an open request takes ${read(http(framework), 'floor', 'CPU us')} us of CPU, of which a twentieth is left for everything. To read the header and judge nothing already comes to ${read(http(framework), 'limit: the header', share)} of the open route (more than 1 is noise); the whole verification adds ${read(http(framework), 'service-auth, 1,000', cpu)} us.`,
  },
  {
    of: /^(.+), 1,000 tokens, CPU added to a request$/,
    why: (read, [, framework = '']) =>
      `of the ${read(http(framework), 'service-auth, 1,000', cpu)} us the cached verification is ${read('cached 1000', 'service-auth', 'us over the floor')} us, as on every framework; to read the header through the framework takes ${noise(read(http(framework), 'limit: the header', cpu))}, and the rest is one more middleware with its promises. Rounds of the open route itself differ by more than the goal where that takes ${read(http(framework), 'floor', 'CPU us')} us.`,
  },
  {
    of: /^(.+), every token new, throughput$/,
    why: (read, [, framework = '']) =>
      `\`crypto.verify\` alone, with nothing parsed and nothing judged, serves ${read(http(framework), 'limit: crypto.verify', 'requests/s')} requests a second; service-auth ${read(http(framework), 'service-auth, every', 'requests/s')}. The signature is most of what anybody can do here, and both cores are busy with it.`,
  },
  {
    of: /^(.+), every token new, p99$/,
    why: (read, [, framework = '']) =>
      `32 connections are always busy, so that waiting follows throughput: ${read(http(framework), 'service-auth, every', 'p50 ms')} ms at the median against ${read(http(framework), 'limit: crypto.verify', 'p50 ms')} ms of the signature alone, which parses and judges nothing.`,
  },
  {
    of: /^Burst of (\d+), (.+), p99$/,
    why: (read, [, tokens = '', cores = '']) =>
      `the last request of a burst waits for all others. The signatures alone, all in the pool, take ${read(`burst of ${tokens}, ${cores}`, 'crypto.verify, all in the pool', 'p99 ms')} ms, and service-auth ${read(`burst of ${tokens}, ${cores}`, 'service-auth', 'p99 ms')} ms.`,
  },
  {
    of: /^Burst of (\d+), (.+), verified/,
    why: (read, [, tokens = '', cores = '']) =>
      `this holds everything that is done for the tokens which one turn reads: parsing and the way to the pool as well as the first quarter of a millisecond of signatures. \`crypto.verify\` alone in the pool takes ${read(`burst of ${tokens}, ${cores}`, 'crypto.verify, all in the pool', 'verified in one turn, ms (median of maxima)')} ms for the way there, and fast-jwt, all in the loop, ${read(`burst of ${tokens}, ${cores}`, 'fast-jwt', 'verified in one turn, ms (median of maxima)')} ms.`,
  },
  {
    of: /^A proof recorded/,
    why: (read) =>
      `one \`Set\` of as many strings, from which the oldest goes, takes ${read('replay 1000000', 'floor', 'us')} us: at a million entries each look is a miss of the processor's cache. Expiry, keys and quotas add ${read('replay 1000000', 'service-auth', 'us over the floor')} us.`,
  },
  {
    of: /^`authedFetch`/,
    why: (read) =>
      `3 % of a call is about 4 us. A round of \`fetch\` differs from the next by more: between ${read('outbound, fetch', 'service-auth, authedFetch', 'least')} and ${read('outbound, fetch', 'service-auth, authedFetch', 'most')} times the floor in one run; simple-oauth2, which only sets a header, comes to ${read('outbound, fetch', 'simple-oauth2', 'times the floor')}.`,
  },
  {
    of: /^Introspection of a new token/,
    why: (read) =>
      `beyond the bare POST, JSON is read, the claims are checked and the answer is kept, in ${read('introspection', 'service-auth', 'us over the floor')} us; rounds lie between ${read('introspection', 'service-auth', 'least')} and ${read('introspection', 'service-auth', 'most')} times the floor.`,
  },
  {
    of: /^Inbound core/,
    why: (read) =>
      `everything that the options of a verifier can turn on is in one bundle. Of ${read('bundles', 'service-auth, inbound', 'kB minified')} kB minified, introspection is about 14, proofs of possession 8, status lists 4, proxies and certificates 6; by that share some 22 kB gzipped would remain without all of these (an estimate: no such bundle can be made). Their place in the bundle is the price of options that are checked at creation and need no import of their own.`,
  },
  {
    of: /^Issuer, tokens/,
    why: (read) =>
      `the floor, a bare server that signs, gives ${read('issuer, tokens', 'floor', 'a second')} a second on the same core; on disk every token waits for its audit record to be durable.`,
  },
];

/** The explanation of a goal that is missed; undefined where there is none. */
export function reasonFor(goal: string, read: Read): string | undefined {
  for (const { of, why } of reasons) {
    const matched = goal.match(of);
    if (matched !== null) return why(read, matched);
  }
  return undefined;
}
