/**
 * The resource server of the introspection cookbook, as a process: prints its URL, and listens for what to do.
 * `forget <token>`: it is told that the token was revoked; `wait <ms>`: its clock goes on by that much.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { requireServiceAuth } from '../../adapters/express.ts';
import { clientSecretPost, createVerifier } from '../../src/index.ts';

const { ISSUER = '', AUDIENCE = '', CLIENT_ID, CLIENT_SECRET = '' } = process.env;
let offsetMs = 0;
const verifier = createVerifier({
  issuer: {
    issuer: ISSUER,
    introspection: {
      clientId: CLIENT_ID,
      clientAuth: clientSecretPost(CLIENT_SECRET),
      tokens: 'all',
      negativeCacheSeconds: 0,
    },
  },
  audience: AUDIENCE,
  now: () => Date.now() + offsetMs,
});
const guard = requireServiceAuth({ verifier, scope: 'read' });
const server = createServer((request, response) => {
  guard(request, response, () => response.end(request.caller?.clientId));
});

createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, argument = ''] = line.split(' ');
  if (command === 'forget') verifier.invalidate(argument);
  if (command === 'wait') offsetMs += Number(argument);
  console.log(`done ${command}`);
});
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
