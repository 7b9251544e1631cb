/**
 * Names parts of the two cores, ten lines each, taken at random: `node sample.mjs SHARE SEED`, for Stryker's `--mutate`.
 * All of them together take two hours on two cores; a fair part says the same within a few in a hundred.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LINES = 10;
const [share = '0.1', seed = '1'] = process.argv.slice(2);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** The numbers of a seed, always the same (a generator of Lehmer). */
let state = Number(seed);
const random = () => {
  state = (state * 48_271) % 2_147_483_647;
  return state / 2_147_483_647;
};
for (let skipped = 0; skipped < 10; skipped++) random();

const parts = ['src/inbound', 'src/outbound'].flatMap((folder) =>
  readdirSync(root + folder, { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .flatMap((name) => {
      const lines = readFileSync(`${root}${folder}/${name}`, 'utf8').split('\n').length;
      const starts = Array.from({ length: Math.ceil(lines / LINES) }, (_, at) => at * LINES + 1);
      return starts.map((start) => `${folder}/${name}:${start}-${start + LINES - 1}`);
    }),
);
process.stdout.write(parts.filter(() => random() < Number(share)).join(','));
