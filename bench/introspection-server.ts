/** An introspection endpoint that does as little as it may, in a process of its own; counts what it was asked. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerParent } from './children.ts';
import { audience, issuer, now } from './tokens.ts';

const seconds = Math.floor(now / 1000);
const answer = JSON.stringify({
  active: true,
  iss: issuer,
  sub: 'billing-service',
  aud: audience,
  client_id: 'billing-service',
  scope: 'orders:read orders:write',
  token_type: 'Bearer',
  iat: seconds,
  exp: seconds + 3600,
});
let calls = 0;

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    const isCall = request.method === 'POST';
    if (isCall) calls++;
    const text = isCall ? answer : `${calls}`;
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length }).end(text);
  });
});
const listening = once(server.listen(0, '127.0.0.1'), 'listening');
answerParent(async () => {
  await listening;
  return (server.address() as AddressInfo).port;
});
