/** An example that starts a program which does not care to be asked, and ends in the way that it is told. */
import { createStage } from '../../../examples/kit/stage.ts';

const program = `
process.on('SIGTERM', () => {});
const server = require('node:http').createServer((_, response) => response.end());
server.listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + server.address().port));`;

const stage = createStage(false);
const { url } = await stage.start([process.execPath, '-e', program], {});
process.stdout.write(`it listens at ${url} .\n`);
const [how = ''] = process.argv.slice(2);
if (how === 'throw') {
  setImmediate(() => {
    throw new Error('nobody catches it');
  });
}
await stage.stopped();
await stage.finish();
