/** What servers answer that write it by hand. */
import type { ServerResponse } from 'node:http';
import { order } from './routes.ts';

const text = JSON.stringify(order);
const headers = { 'content-type': 'application/json', 'content-length': text.length };

export function answer(response: ServerResponse, isAllowed = true): void {
  if (isAllowed) response.writeHead(200, headers).end(text);
  else response.writeHead(401, { 'content-length': 0 }).end();
}
