export interface Split {
  /** Trimmed. */
  readonly parts: readonly string[];
  /** The last part has a quote that does not end. */
  readonly isOpen: boolean;
}

/** Splits a header field where the separator stands outside of quoted strings (RFC 9110 section 5.6.4). */
export function splitOutsideQuotes(text: string, separator: ',' | ';'): Split {
  const parts: string[] = [];
  let isOpen = false;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (isOpen && character === '\\') at++;
    else if (character === '"') isOpen = !isOpen;
    else if (!isOpen && character === separator) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return { parts, isOpen };
}
