/** The other side in a process of its own: signs tokens and proofs beforehand, sends requests over plain sockets. */
import { connect, type Socket } from 'node:net';
import { answerParent } from '../children.ts';
import { percentile } from '../harness.ts';
import { createClient, createSigner } from '../tokens.ts';
import type { Credentials } from './routes.ts';

export type LoadQuestion =
  | { readonly do: 'key' }
  | {
      readonly do: 'prepare';
      readonly port: number;
      readonly path: string;
      readonly credentials: Credentials;
      readonly requests: number;
      readonly connections: number;
    }
  /** The next so many of what was prepared. */
  | { readonly do: 'send'; readonly count: number }
  | { readonly do: 'hang up' };

export interface Answered {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

type Preparation = Extract<LoadQuestion, { do: 'prepare' }>;

const KNOWN = 1000;
const signer = await createSigner('ES256');
const client = await createClient();
const known = Array.from({ length: KNOWN }, () => signer.token());
const bound = Array.from({ length: KNOWN }, () => signer.token({ cnf: { jkt: client.jkt } }));
let sockets: readonly Socket[] = [];
let requests: readonly Buffer[] = [];
let next = 0;

answerParent(async (question: LoadQuestion): Promise<unknown> => {
  if (question.do === 'key') return signer.jwk;
  if (question.do === 'prepare') return prepare(question);
  if (question.do === 'send') return send(question.count);
  for (const socket of sockets) socket.removeAllListeners().destroy();
  return undefined;
});

async function prepare(given: Preparation): Promise<void> {
  const { port, path, credentials, connections } = given;
  const host = `127.0.0.1:${port}`;
  next = 0;
  requests = Array.from({ length: given.requests }, (_, at) => {
    const lines = credentialsOf(credentials, `http://${host}${path}`, at);
    return Buffer.from(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines}\r\n`, 'latin1');
  });
  const opened = Array.from({ length: connections }, () => open(port));
  sockets = await Promise.all(opened);
}

function credentialsOf(credentials: Credentials, url: string, at: number): string {
  if (credentials === 'known') return `authorization: Bearer ${known[at % KNOWN]}\r\n`;
  if (credentials === 'new') return `authorization: Bearer ${signer.token()}\r\n`;
  const token = bound[at % KNOWN] ?? '';
  return `authorization: DPoP ${token}\r\ndpop: ${client.prove('GET', url, token)}\r\n`;
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.on('error', reject);
  });
}

/** Every connection sends its next request as soon as its last was answered. */
async function send(count: number): Promise<Answered> {
  const latencies: number[] = [];
  const end = next + count;
  const start = performance.now();
  const work = sockets.map(
    (socket) =>
      new Promise<void>((resolve, reject) => {
        let sentAt = 0;
        const sendNext = (): void => {
          const request = next < end ? requests[next++] : undefined;
          if (request === undefined) {
            resolve();
            return;
          }
          sentAt = performance.now();
          socket.write(request);
        };
        socket.removeAllListeners();
        socket.on('error', reject);
        socket.on('close', () => reject(new Error('the server closed a connection')));
        socket.on(
          'data',
          onAnswer(reject, () => {
            latencies.push(performance.now() - sentAt);
            sendNext();
          }),
        );
        sendNext();
      }),
  );
  await Promise.all(work);
  const elapsedMs = performance.now() - start;
  return {
    requestsPerSecond: (latencies.length * 1000) / elapsedMs,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  };
}

/** Finds the end of each answer by its length, which all servers here say. */
function onAnswer(refused: (error: Error) => void, answered: () => void): (chunk: Buffer) => void {
  let text = '';
  return (chunk) => {
    text += chunk.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) return;
    if (!text.startsWith('HTTP/1.1 200 ')) return refused(new Error(`answered with ${text.slice(0, 400)}`));
    const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, end + 2))?.[1];
    if (length === undefined) return refused(new Error('an answer without its length'));
    if (text.length < end + 4 + Number(length)) return;
    text = '';
    answered();
  };
}
