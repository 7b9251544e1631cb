/** What a document says of one code, under a heading that is the code itself. */
export interface Section {
  readonly code: string;
  /** The document with the anchor of the heading. */
  readonly place: string;
  /** In Markdown, without the heading. */
  readonly text: string;
}

const CODE = /^### (\w+)$/;
const HEADING = /^#{1,3} /;

/** Takes the sections about codes out of a document, `name` with its folder. */
export function readSections(name: string, markdown: string): readonly Section[] {
  const sections: { code: string; lines: string[] }[] = [];
  let isCode = false;
  let current: string[] | undefined;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('```')) isCode = !isCode;
    if (isCode || !HEADING.test(line)) {
      current?.push(line);
      continue;
    }
    const code = CODE.exec(line)?.[1];
    current = code === undefined ? undefined : [];
    if (code !== undefined && current !== undefined) sections.push({ code, lines: current });
  }
  return sections.map(({ code, lines }) => ({
    code,
    place: `${name}#${code}`,
    text: lines.join('\n').trim(),
  }));
}
