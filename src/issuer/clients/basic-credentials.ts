export interface BasicCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/**
 * Decodes HTTP Basic as OAuth uses it: identifier and secret are form-encoded before they are joined
 * (RFC 6749 section 2.3.1), which plain Basic (RFC 7617) does not do.
 */
export function decodeBasic(authorization: string): BasicCredentials | undefined {
  const space = authorization.indexOf(' ');
  if (authorization.slice(0, space).toLowerCase() !== 'basic') return undefined;
  const encoded = authorization.slice(space).trimStart();
  const bytes = Buffer.from(encoded, 'base64');
  // Node skips what it does not know; encoding again and comparing sees everything it skipped.
  if (bytes.toString('base64') !== encoded) return undefined;
  const text = bytes.toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) return undefined;
  const clientId = formDecode(text.slice(0, colon));
  const clientSecret = formDecode(text.slice(colon + 1));
  return clientId && clientSecret ? { clientId, clientSecret } : undefined;
}

function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
