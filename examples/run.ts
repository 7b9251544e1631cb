/** `npm run example <name> [-- --check]`: runs an example, or lists all of them. */
import { catalogue } from './catalogue.ts';
import { printed } from './kit/programs.ts';
import { createStage } from './kit/stage.ts';

const [name = '', ...flags] = process.argv.slice(2);
const example = Object.hasOwn(catalogue, name) ? catalogue[name] : undefined;

if (example === undefined || flags.some((flag) => flag !== '--check')) {
  if (name !== '') console.error(`There is no example ${[name, ...flags].join(' ')}.\n`);
  console.log('npm run example <name> [-- --check]\n');
  for (const [each, { shows }] of Object.entries(catalogue)) console.log(`  ${each.padEnd(18)} ${shows}`);
  process.exitCode = name === '' ? 0 : 1;
} else {
  const stage = createStage(example.serves !== true || flags.includes('--check'));
  const failure: unknown = await example.run(stage).then(
    () => undefined,
    (error: unknown) => error ?? new Error('it failed'),
  );
  if (failure !== undefined) console.error(failure, `\n\nIts programs said:\n${printed()}`);
  const wentWell = await stage.finish();
  process.exitCode = wentWell && failure === undefined ? 0 : 1;
}
