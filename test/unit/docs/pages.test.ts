/** What the site takes from the project: figures, diagrams, the list of pages. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { documents } from '../../../docs/.vitepress/documents.ts';
import { entryPoints } from '../../../docs/.vitepress/entry-points.ts';
import { readNumbers } from '../../../docs/.vitepress/numbers.ts';
import { sidebar } from '../../../docs/.vitepress/sidebar.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

describe('the start page', () => {
  it('has figures that were measured', () => {
    for (const { value, text } of readNumbers()) {
      expect(value, text).toMatch(/^\d[\d.,]*(?:–\d[\d.,]*)?(?: (?:µs|×|%|\/s|ms))?$/);
    }
  });

  it('says the same of cached tokens as the README', () => {
    const [cached] = readNumbers();
    const [, row = ''] = /^\| service-auth, whole `authenticate` \|(.*)\|$/m.exec(read('README.md')) ?? [];
    expect(row.split('|')[1]?.trim()).toBe(cached?.value.replace('µ', 'u'));
  });

  it('holds no figure that was typed', () => {
    const [, , body = ''] = read('docs/index.md').split('---\n');
    expect(body).toContain('<MeasuredNumbers />');
    expect(body).not.toMatch(/\d(?:\.\d+)? ?(?:µs|us|ms|%|times)/);
  });
});

describe('the list of pages', () => {
  const links = sidebar().flatMap(({ items }) => items.map(({ link }) => link));

  it('has every page once', () => {
    expect(new Set(links).size).toBe(links.length);
  });

  it('has a reference for every entry point', () => {
    expect(links).toEqual(expect.arrayContaining(entryPoints.map(({ name }) => `/reference/${name}`)));
  });

  it('is made of documents alone', () => {
    expect(documents()).toEqual(expect.arrayContaining(['README.md', 'docs/inbound.md', 'docs/reasons.md']));
    expect(documents().filter((file) => /node_modules|reference|source/.test(file))).toEqual([]);
  });
});

describe.each(readdirSync(join(root, 'docs/diagrams')).filter((name) => name.endsWith('.svg')))(
  'the diagram %s',
  (name) => {
    const svg = read(`docs/diagrams/${name}`);

    it('is small, and says in words what it shows', () => {
      expect(svg.length).toBeLessThan(10_000);
      expect(svg).toMatch(/<svg [^>]*role="img"[^>]*viewBox="0 0 \d+ \d+"/);
      expect(svg).toMatch(/<title>[^<]{10,}<\/title>\n<desc>[^<]{80,}<\/desc>/);
    });

    it('can be read in light and in dark, and runs nothing', () => {
      expect(svg).toContain('@media (prefers-color-scheme: dark)');
      expect(svg).not.toMatch(/<script|<foreignObject|\son\w+=|href=/);
    });

    it('paints by classes alone, so that both schemes know every colour', () => {
      const [, style = ''] = /<style>([\s\S]*)<\/style>/.exec(svg) ?? [];
      expect(svg.replace(style, '')).not.toMatch(/(?:fill|stroke)="/);
      const known = new Set([...style.matchAll(/\.([a-z]+) \{/g)].map(([, one]) => one));
      const used = [...svg.matchAll(/class="([^"]+)"/g)].flatMap(([, classes = '']) => classes.split(' '));
      expect(used.filter((one) => !known.has(one))).toEqual([]);
    });

    it('stands in a document', () => {
      expect(documents().some((file) => read(file).includes(`diagrams/${name})`))).toBe(true);
    });

    it('names reasons that exist', () => {
      const reasons = `${read('src/errors.ts')}${read('src/events.ts')}`;
      const named = [...svg.matchAll(/>(?:400|401|403|503) ([a-z_, ]+)</g)].flatMap(([, text = '']) =>
        text.split(', '),
      );
      expect(named.filter((reason) => !reasons.includes(`'${reason}'`))).toEqual([]);
    });
  },
);
