import { type OptionErrorCode, optionError } from '../errors.ts';

/** What a mistake is about, where it is more than a value that does not fit. */
export interface Mistake {
  /** @default 'option_invalid' */
  readonly code?: OptionErrorCode | undefined;
  /** What was probably meant. */
  readonly hint?: string | undefined;
}

/**
 * Checks of options: each mistake is a `TypeError` that names where, which option, the rule and the value.
 * Values of options that hold secrets must not be passed here as `actual`.
 */
export class OptionChecker {
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  /** Throws the `TypeError` of this checker. */
  fail(option: string, rule: string, actual: unknown, mistake?: Mistake): never {
    return this.refuse(`${option} must be ${rule}; got ${describe(actual)}`, mistake);
  }

  /** As `fail`, for what may be a secret in the wrong place: only its kind is shown. */
  failKind(option: string, rule: string, actual: unknown, mistake?: Mistake): never {
    return this.refuse(`${option} must be ${rule}; got ${kindOf(actual)}`, mistake);
  }

  /** As `fail`, for a value that must not be shown. */
  failSecret(option: string, rule: string, mistake?: Mistake): never {
    return this.refuse(`${option} must be ${rule}`, mistake);
  }

  /** Throws a `TypeError` in words of its own. */
  refuse(problem: string, { code = 'option_invalid', hint }: Mistake = {}): never {
    throw optionError(code, `${this.#where}: ${problem}${hint === undefined ? '' : `; ${hint}`}`);
  }

  /**
   * Requires an object with none but the known options; a misspelt one is named with its likely meaning.
   *
   * Gives a copy of its own members, without prototype: what somebody put into every object is no option.
   */
  object<T extends object>(option: string, value: T, known: readonly string[]): T;
  object(option: string, value: unknown, known: readonly string[]): Record<string, unknown>;
  object(option: string, value: unknown, known: readonly string[]): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return this.failKind(option, 'an object', value);
    }
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      const same = known.find((name) => name.toLowerCase() === key.toLowerCase());
      const near = same ?? known.find((name) => isNear(name, key));
      const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`;
      this.refuse(`unknown option ${key} in ${option}`, { code: 'option_unknown', hint });
    }
    return Object.assign(Object.create(null), value);
  }

  /** Refuses members without a value: a variable that is not set must not drop a check without a word. */
  noneUnset(value: object, prefix = ''): void {
    for (const [name, member] of Object.entries(value)) {
      if (member !== undefined && member !== null) continue;
      this.refuse(`${prefix}${name} is ${member}`, { code: 'option_unset', hint: 'leave it out' });
    }
  }

  string(option: string, value: unknown, rule = 'a non-empty string'): string {
    if (typeof value !== 'string' || value.trim() === '') return this.fail(option, rule, value);
    return value;
  }

  /** The path of a file: a secret or key that stands in its place is refused, and not shown. */
  path(option: string, value: unknown): string {
    const path =
      typeof value === 'string' && value.trim() !== '' ? value : this.failKind(option, 'a path', value);
    const isPath = !path.includes('\n') && !path.includes('-----BEGIN') && path.length <= LONGEST_PATH;
    return isPath
      ? path
      : this.failSecret(option, 'a path, not what the file holds', { code: 'secret_misplaced' });
  }

  /** Text for a header field: no character that could end it (RFC 9110 section 5.5). */
  headerText(option: string, value: unknown): string {
    const text = this.string(option, value);
    return /^[\x20-\x7e]+$/.test(text) ? text : this.fail(option, 'printable ASCII', text);
  }

  /** A string or a non-empty list of them, as a frozen list. */
  strings(
    option: string,
    value: unknown,
    rule = 'a non-empty string or a non-empty list of them',
  ): readonly string[] {
    const list = Array.isArray(value) ? [...value] : [value];
    if (list.length === 0) return this.fail(option, rule, value);
    for (const item of list) this.string(option, item, rule);
    return Object.freeze(list as string[]);
  }

  number(option: string, value: unknown, least: number, most: number, unit: string): number {
    if (typeof value !== 'number' || !(value >= least && value <= most)) {
      return this.fail(option, `a number of ${unit} from ${least} to ${most}`, value);
    }
    return value;
  }

  wholeNumber(option: string, value: unknown, least: number, most: number, unit: string): number {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      return this.fail(option, `a whole number of ${unit} from ${least} to ${most}`, value);
    }
    return value;
  }

  boolean(option: string, value: unknown): boolean {
    if (typeof value !== 'boolean') return this.fail(option, 'true or false', value);
    return value;
  }

  // biome-ignore lint/complexity/noBannedTypes: any callable will do; its type is the caller's to know
  function<T extends Function>(option: string, value: T | undefined): T | undefined {
    if (value !== undefined && typeof value !== 'function') {
      return this.failKind(option, 'a function', value);
    }
    return value;
  }

  oneOf<T extends string>(option: string, value: unknown, allowed: readonly T[]): T {
    if (!allowed.includes(value as T)) {
      const rule = `one of ${allowed.map((item) => `'${item}'`).join(', ')}`;
      // A longer text is no misspelt word; a key or secret may be in the wrong place.
      const isWord = typeof value === 'string' && value.length <= LONGEST_WORD;
      return isWord ? this.fail(option, rule, value) : this.failKind(option, rule, value);
    }
    return value as T;
  }
}

const LONGEST_WORD = 24;
const LONGEST_PATH = 1024;

function kindOf(value: unknown): string {
  if (typeof value === 'string') return 'a text';
  return Array.isArray(value) ? 'a list' : describe(value);
}

function describe(value: unknown): string {
  // In URLs, readable or not, a user may have a password, and a query a key.
  if (typeof value === 'string' && value.includes('@')) return 'a text with an @ in it';
  if (typeof value === 'string' && value.includes('?'))
    return `${describe(value.split('?', 1)[0])} and a query`;
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100));
  if (Array.isArray(value)) return `[${value.slice(0, 5).map(describe).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'function') return 'a function';
  return String(value);
}

/** Equal but for case, punctuation, an ending, or two letters: enough to guess what was meant. */
function isNear(name: string, typed: string): boolean {
  const a = name.toLowerCase();
  const b = typed.toLowerCase().replaceAll(/[-_]/g, '');
  if (a === b || (b.length > 2 && (a.startsWith(b) || b.startsWith(a)))) return true;
  return a.length > 3 && distance(a, b) <= 2;
}

/** How many letters must be put in, taken out or changed (Levenshtein). */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [above, letter] of [...a].entries()) {
    const next = [above + 1];
    for (const [at, other] of [...b].entries()) {
      const changed = (row[at] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
