/** Who calls, as headers for the service behind the proxy. */
import type { Caller } from '../../index.ts';

export type CallerHeaders = Readonly<Record<string, string>>;

const values: Readonly<Record<string, (caller: Caller) => string | undefined>> = {
  'X-Auth-Client-Id': ({ clientId }) => clientId && headerSafe(clientId),
  'X-Auth-Subject': ({ subject }) => subject && headerSafe(subject),
  'X-Auth-Scope': ({ scopes }) => [...scopes].map(headerSafe).join(' ') || undefined,
  'X-Auth-Issuer': ({ issuer }) => headerSafe(issuer),
  'X-Auth-Kind': ({ kind }) => kind,
  'X-Auth-Actor': ({ actor }) => (typeof actor?.sub === 'string' ? headerSafe(actor.sub) : undefined),
};

/** Every name that the gateway may set, so that none of them is ever the caller's own. */
export const callerHeaderNames: readonly string[] = Object.freeze(Object.keys(values));

const LONGEST = 8192;

/** The headers of a caller; `undefined` where they cannot be told: too long together, or no Unicode text. */
export function callerHeaders(caller: Caller | undefined): CallerHeaders | undefined {
  if (caller === undefined) return {};
  try {
    const told = Object.entries(values).flatMap(([name, read]) => {
      const value = read(caller);
      return value ? [[name, value] as const] : [];
    });
    const length = told.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    return length > LONGEST ? undefined : Object.fromEntries(told);
  } catch (error) {
    // Half of a surrogate pair, which no encoding has.
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** Visible ASCII as it is; the percent sign and all else percent-encoded as UTF-8, so that each value has one form. */
function headerSafe(text: string): string {
  let safe = '';
  for (const character of text) safe += isVisible(character) ? character : encodeURIComponent(character);
  return safe;
}

function isVisible(character: string): boolean {
  return character > ' ' && character <= '~' && character !== '%' && character.length === 1;
}
