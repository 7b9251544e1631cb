/** An issuer and a service that do as little as they may, in a process of their own. */
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { answerParent } from './children.ts';
import { createSigner } from './tokens.ts';

const token = (await createSigner('ES256')).token();
let tokenRequests = 0;

/** Gives a token to everybody; to GET, says how many it has given. */
const issuer = createServer((request, response) => {
  request.resume().on('end', () => {
    if (request.method === 'POST') tokenRequests++;
    const answer = { access_token: token, token_type: 'Bearer', expires_in: 3600 };
    const text = request.method === 'POST' ? JSON.stringify(answer) : `${tokenRequests}`;
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length }).end(text);
  });
});

/** Without a parser, which would cost more than the clients do: what ends in an empty line is a request. */
const service = createTcpServer((socket) => {
  let text = '';
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    if (!text.endsWith('\r\n\r\n')) return;
    socket.write(text.includes(`uthorization: Bearer ${token}\r\n`) ? accepted : refused);
    text = '';
  });
});

const order = JSON.stringify({ id: 4711, item: 'a book', quantity: 1 });
const accepted = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${order.length}\r\n\r\n${order}`;
const refused = 'HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n';

const listen = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', 2048, () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });

const listening = Promise.all([listen(issuer), listen(service)]);
answerParent(async () => {
  const [issuerUrl, serviceUrl] = await listening;
  return { issuer: issuerUrl, service: serviceUrl };
});
