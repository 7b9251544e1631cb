import { readFile } from 'node:fs/promises';
import { defineCommand, quoted } from './command.ts';
import { UsageError } from './errors.ts';
import { exitCodeHelp, exitCodes } from './exit-codes.ts';
import { readSections, type Section } from './explain/sections.ts';
import { suggestion } from './suggestion.ts';

const usage = `Usage: service-auth explain [options] <code>

Explains the code of an error (option_missing, untrusted_target), or the reason why a request was turned away
(expired, wrong_audience): what it means, what usually lies behind it, and how to mend it. These are sections of
docs/errors.md and docs/reasons.md, which come with the package.

  --list                    print every code instead
  --json                    print one JSON document
  -h, --help                show this

Examples:
  service-auth explain issuer_not_https
  service-auth explain wrong_audience

${exitCodeHelp}`;

const documents = ['errors.md', 'reasons.md'];

/** `service-auth explain`: the part of the documents that is about one code. */
export const explainCommand = defineCommand({
  usage,
  flags: { list: { type: 'boolean', default: false } },
  takes: 'any',
  async run({ list }, output, [code, ...others]) {
    if (others.length > 0) throw new UsageError('give one code at a time');
    const sections = (await Promise.all(documents.map(readDocument))).flat();
    if (list === true) {
      const codes = [...new Set(sections.map((section) => section.code))];
      output.result({ codes }, () => codes.join('\n'));
      return exitCodes.good;
    }
    if (code === undefined) throw new UsageError('the code is missing; --list prints all');
    const found = sections.filter((section) => section.code === code.toLowerCase());
    if (found.length === 0) throw new UsageError(`unknown code ${quoted(code)}${nearest(code, sections)}`);
    const show = ({ place, text }: Section): string => `${output.style.bold(place)}\n\n${text}`;
    output.result({ code, sections: found }, () => found.map(show).join('\n\n'));
    return exitCodes.good;
  },
});

function nearest(code: string, sections: readonly Section[]): string {
  const near = suggestion(
    code,
    sections.map((section) => section.code),
  );
  return near === '' ? '; --list prints all' : near;
}

/** The documents lie beside the built program, and one folder higher up from its source. */
const folders = ['../docs/', '../../docs/'];

async function readDocument(name: string): Promise<readonly Section[]> {
  for (const folder of folders) {
    const markdown = await readFile(new URL(folder + name, import.meta.url), 'utf8').catch(() => undefined);
    if (markdown !== undefined) return readSections(`docs/${name}`, markdown);
  }
  throw new Error(`docs/${name} is not there: it was taken out of the package`);
}
