/** What commands print: text for people, or one JSON document. */

type Styled = (text: string) => string;

export interface Style {
  readonly bold: Styled;
  readonly dim: Styled;
  readonly green: Styled;
  readonly yellow: Styled;
  readonly red: Styled;
}

export interface Output {
  readonly json: boolean;
  /** For standard output. */
  readonly style: Style;
  /** Prints the result of the command: the document with `--json`, the text otherwise. */
  result(document: object, text: () => string): void;
  /** Says something beside the result, to people alone: on standard error. */
  note(text: string): void;
}

export function createOutput(json: boolean): Output {
  return {
    json,
    style: createStyle(hasColours(process.stdout.isTTY, process.env)),
    result(document, text) {
      console.log(json ? jsonText(document, 2) : text());
    },
    note: (text) => console.error(harmless(text)),
  };
}

/** On terminals alone, unless `FORCE_COLOR` or `NO_COLOR` says otherwise; the former goes first, as in Node. */
export function hasColours(isTerminal: boolean | undefined, environment: NodeJS.ProcessEnv): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: none, TERM: terminal } = environment;
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  if (none !== undefined && none !== '') return false;
  return isTerminal === true && terminal !== 'dumb';
}

function createStyle(coloured: boolean): Style {
  const style = (start: number, end: number): Styled =>
    coloured ? (text) => `\u001b[${start}m${text}\u001b[${end}m` : (text) => text;
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    green: style(32, 39),
    yellow: style(33, 39),
    red: style(31, 39),
  };
}

/** Text of others for a terminal: its control characters could move the cursor, or worse. Keeps line ends. */
export function harmless(text: string): string {
  return text.replaceAll(/(?!\n)[\p{Cc}\p{Bidi_Control}]/gu, '\uFFFD');
}

/** The same on one line, where another line would pass for one of ours. */
export function harmlessLine(text: string): string {
  return harmless(text).replaceAll('\n', ' ');
}

/** JSON for a terminal: what `JSON.stringify` leaves of control characters and marks of direction is escaped, too. */
export function jsonText(value: unknown, indent?: number): string {
  return jsonOnTerminal(JSON.stringify(value, undefined, indent));
}

/** The same for JSON that is text already, as lines of a log are. */
export function jsonOnTerminal(json: string): string {
  // What is outside of strings is ASCII, of which line ends alone are control characters.
  return json.replaceAll(/(?!\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Rows of two columns. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n');
}
