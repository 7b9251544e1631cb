import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { buildProgram } from './harness.ts';

const program = await buildProgram();
afterAll(() => program.remove());

const read = (name: string): string =>
  readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');

describe('explain', () => {
  it.each([
    ['issuer_not_https', 'errors.md'],
    ['wrong_audience', 'reasons.md'],
  ])('prints what the document says of %s, and no more', async (code, name) => {
    const { code: exitCode, stdout } = await program.run(['explain', code]);
    expect(exitCode).toBe(0);
    const [place, ...text] = stdout.trim().split('\n\n');
    expect(place).toBe(`docs/${name}#${code}`);
    expect(read(name)).toContain(`### ${code}\n\n${text.join('\n\n')}\n`);
    expect(stdout).not.toContain('###');
  });

  it('prints both meanings of a word that has two', async () => {
    const { sections } = await program.json<{ sections: { place: string }[] }>(['explain', 'closed']);
    expect(sections.map(({ place }) => place)).toEqual(['docs/errors.md#closed', 'docs/reasons.md#closed']);
  });

  it('lists every code', async () => {
    const { codes } = await program.json<{ codes: string[] }>(['explain', '--list']);
    expect(codes).toContain('option_missing');
    expect(codes).toContain('untrusted_target');
    expect(codes).toContain('expired');
  });

  it.each([
    [['explain'], 'the code is missing; --list prints all'],
    [['explain', 'wrong_audiense'], 'did you mean wrong_audience?'],
    [['explain', 'qqqqqqqqqqqqqqqqqq'], '--list prints all'],
    [['explain', 'expired', 'closed'], 'give one code at a time'],
  ])('%j is called in the wrong way', async (args, text) => {
    const { code, stderr } = await program.run(args);
    expect(code).toBe(2);
    expect(stderr).toContain(text);
  });
});
