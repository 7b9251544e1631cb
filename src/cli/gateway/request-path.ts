/** The path of a request as policies are matched against it; ambiguous spellings are refused, never guessed at. */

export interface RequestPath {
  /** Decoded once, as the service will see it. */
  readonly decoded: string;
  /**
   * As the most lenient of services might read it: decoded to the end, in one case and one form of each letter, without
   * parameters of segments and the slash at its end.
   */
  readonly lenient: string;
}

/** `pchar` and slashes (RFC 3986 section 3.3). */
const pathCharacters = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*$/;
/** Empty and dot segments, also once their parameters or a query are cut off, and what may count as a slash. */
const detour = /\/[/;]|\/\.{1,2}(?:[/;?#]|$)|[\\\p{Cc}]/u;
const encodedSlash = /%2f|%5c/i;
/** Text that was encoded more often than this hides something. */
const MOST_DECODINGS = 3;

/**
 * Reads the path of an original request; `undefined` for one that servers may understand in different ways: with
 * encoded slashes, empty or dot segments, backslashes, controls, or bytes that are no text.
 */
export function readPath(text: string): RequestPath | undefined {
  if (!pathCharacters.test(text) || isDetour(text)) return undefined;
  const decoded = decode(text);
  if (decoded === undefined) return undefined;
  let innermost = inOneForm(decoded);
  for (let round = 1; innermost.includes('%'); round++) {
    if (round === MOST_DECODINGS || isDetour(innermost)) return undefined;
    const next = decodeAgain(innermost);
    if (next === undefined) return undefined;
    if (next === innermost) break;
    innermost = inOneForm(next);
  }
  return isDetour(innermost) ? undefined : { decoded, lenient: toLenient(innermost) };
}

/** The same for paths of the policy, which are written as they are decoded. */
export function toLenient(path: string): string {
  const [before = ''] = inOneForm(path).split(/[?#]/, 1);
  const plain = inOneCase(before.replaceAll(/;[^/]*/g, ''));
  return plain.length > 1 && plain.endsWith('/') ? plain.slice(0, -1) : plain;
}

/** Whether a path of the policy is one that a request can have. */
export function isPlainPath(path: string): boolean {
  return path.startsWith('/') && !isDetour(path) && !/[%?#;]/.test(path);
}

function isDetour(text: string): boolean {
  return detour.test(text) || encodedSlash.test(text);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Percent signs that nothing can be made of stand for themselves; they keep nobody from decoding the others. */
function decodeAgain(text: string): string | undefined {
  try {
    return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (bytes) => decodeURIComponent(bytes));
  } catch {
    return undefined;
  }
}

/** Letters that look the same are the same, as they are to some file systems and frameworks. */
function inOneForm(text: string): string {
  return text.normalize('NFKC');
}

/** By way of capitals, since dotless and dotted ones have the same as the letters of ASCII. */
function inOneCase(text: string): string {
  return text.toUpperCase().toLowerCase().replaceAll('i\u0307', 'i');
}
