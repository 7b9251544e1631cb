/**
 * The origin of a scheme and a `host[:port]`, as a `Host` header has it; `undefined` if it is anything else or more.
 */
export function requestOrigin(protocol: string, host: string): string | undefined {
  for (let at = 0; at < host.length; at++) {
    const code = host.charCodeAt(at);
    // White space, controls, what is not ASCII, and the characters that end a host: # / ? @ \ and the comma of two.
    if (code <= 0x20 || code >= 0x7f || '#/?@\\,'.includes(host[at] ?? '')) return undefined;
  }
  const text = `${protocol}//${host}`;
  return host !== '' && URL.canParse(text) ? new URL(text).origin : undefined;
}
