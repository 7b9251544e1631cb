/** Issuer and service in one, which do as little as they may, in a process of their own; counts token requests. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSigner } from './tokens.ts';

const token = (await createSigner('ES256')).token();
const answers = {
  token: JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 3600 }),
  order: JSON.stringify({ id: 4711, item: 'a book', quantity: 1 }),
};
let tokenRequests = 0;

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    const { url, headers } = request;
    if (url === '/token') tokenRequests++;
    const isOrder = url === '/orders/4711';
    const status = isOrder && headers.authorization !== `Bearer ${token}` ? 401 : 200;
    const text = isOrder ? answers.order : url === '/token' ? answers.token : `${tokenRequests}`;
    response
      .writeHead(status, { 'content-type': 'application/json', 'content-length': text.length })
      .end(text);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', 2048, () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());
