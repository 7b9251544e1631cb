/**
 * The URL that a text is; `undefined` if it is none.
 *
 * `URL.canParse` would say so too, but once its calls are compiled, Node 20 and 22 refuse every URL with a letter from
 * U+0080 to U+00FF in its host.
 */
export function parseUrl(text: string | URL, base?: string): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}
