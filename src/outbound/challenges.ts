/** Reading `WWW-Authenticate` (RFC 9110 section 11.6.1), where one comma divides challenges and parameters alike. */
import { splitOutsideQuotes } from '../shared/split-outside-quotes.ts';

export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Names in lower case; the first of a repeated parameter counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

const LONGEST = 8192;

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameterPattern = new RegExp(`^(${token})[ \\t]*=[ \\t]*(?:"(.*)"|(${token}))$`, 's');
const schemePattern = new RegExp(`^(${token})(?:[ \\t]+(.*))?$`, 's');

/** The error codes of Bearer and DPoP challenges (RFC 6750 section 3.1, RFC 9449 section 7.1). */
export function errorsOf(header: string | null): ReadonlySet<string> {
  const errors = new Set<string>();
  if (header === null) return errors;
  for (const { scheme, parameters } of parseChallenges(header)) {
    const error = parameters.get('error');
    if (error !== undefined && (scheme === 'bearer' || scheme === 'dpop')) errors.add(error);
  }
  return errors;
}

/** Parses the field value; reading ends at the first item that fits no grammar, and what came before stands. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: Challenge[] = [];
  let current: Map<string, string> | undefined;
  for (const item of header.length > LONGEST ? [] : listItems(header)) {
    if (current !== undefined && addParameter(current, item)) continue;
    const [, scheme, first] = schemePattern.exec(item) ?? [];
    if (scheme === undefined) break;
    current = new Map();
    challenges.push({ scheme: scheme.toLowerCase(), parameters: current });
    // What is no parameter is a token68, as Negotiate has it: nothing to look for here.
    if (first !== undefined) addParameter(current, first);
  }
  return challenges;
}

function addParameter(parameters: Map<string, string>, text: string): boolean {
  const [, name, quoted, plain] = parameterPattern.exec(text) ?? [];
  if (name === undefined) return false;
  const key = name.toLowerCase();
  // RFC 9110 section 5.6.4: a backslash quotes the character behind it.
  if (!parameters.has(key)) parameters.set(key, quoted?.replaceAll(/\\(.)/gs, '$1') ?? plain ?? '');
  return true;
}

/** The items of a list; an open quote ends it. */
function listItems(text: string): readonly string[] {
  const { parts, isOpen } = splitOutsideQuotes(text, ',');
  return (isOpen ? parts.slice(0, -1) : parts).filter((item) => item !== '');
}
