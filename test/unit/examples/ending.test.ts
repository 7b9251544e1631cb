import { describe, expect, it } from 'vitest';
import { startExample } from './run-example.ts';

const MOST_MS = 60_000;
/** Alone, as nobody else may pass signals on. */
const node = [process.execPath, '--import', 'tsx'];

async function startEnding(how: string): Promise<{ url: string; example: ReturnType<typeof startExample> }> {
  const example = startExample([...node, 'test/unit/examples/ending.ts', how]);
  const said = await example.saying(' .\n');
  return { url: /http:\S+/.exec(said)?.[0] ?? '', example };
}

describe('the programs of an example end with it', () => {
  it.each([
    ['the terminal is closed', ['SIGHUP']],
    ['somebody is impatient', ['SIGINT', 'SIGINT', 'SIGTERM']],
  ] as const)(
    'where %s',
    async (_, signals) => {
      const { url, example } = await startEnding('stay');
      expect((await fetch(url)).status).toBe(200);
      for (const signal of signals) example.child.kill(signal);
      await example.ended;
      await expect(fetch(url)).rejects.toThrow('fetch failed');
    },
    MOST_MS,
  );

  it(
    'where it breaks',
    async () => {
      const { url, example } = await startEnding('throw');
      expect((await example.ended).stderr).toContain('nobody catches it');
      await expect(fetch(url)).rejects.toThrow('fetch failed');
    },
    MOST_MS,
  );
});
