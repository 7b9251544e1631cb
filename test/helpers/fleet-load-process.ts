/** Callers of a fleet, in a process of their own: what they do is said by lines on standard input. */
import { createInterface } from 'node:readline';
import type { LoadReport } from './fleet-counts.ts';
import { createLoad } from './fleet-load.ts';
import { createProver } from './fleet-proofs.ts';

const {
  NAME = '',
  URL: url = '',
  KEY = '',
  PORTS = '',
  AT_ONCE = '',
  TIMEOUT_MS = '',
  PROOFS = '',
} = process.env;
const load = createLoad({
  name: NAME,
  ports: JSON.parse(PORTS),
  prover: createProver(JSON.parse(KEY), url),
  atOnce: Number(AT_ONCE),
  answerTimeoutMs: Number(TIMEOUT_MS),
  proofs: Number(PROOFS),
});
let running: Promise<LoadReport> | undefined;

async function obey(word: string, rest: string): Promise<object> {
  if (word === 'token') load.useToken(rest);
  if (word === 'bad') load.useBadTokens(JSON.parse(rest));
  if (word === 'run') running = load.run();
  if (word === 'stop') load.stop();
  if (word === 'stop' || word === 'end') await running;
  return load.report();
}

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [word = ''] = line.split(' ', 1);
  console.log(JSON.stringify(await obey(word, line.slice(word.length + 1))));
}
// The test has ended, however it did.
process.exit();
