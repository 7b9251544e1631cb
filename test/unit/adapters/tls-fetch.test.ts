import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type TlsFetchFiles, tlsFetch } from '../../../adapters/tls-fetch.ts';
import { createAuthedFetch, createTokenClient, tlsClientAuth } from '../../../src/index.ts';
import { type Authority, type Certificate, createAuthority } from '../../helpers/tls.ts';
import { rejection } from '../outbound/support.ts';

let authority: Authority;
let first: Certificate;
let second: Certificate;
beforeAll(async () => {
  authority = await createAuthority();
  [first, second] = await Promise.all([authority.issue('first.example'), authority.issue('second.example')]);
});

interface Scene {
  readonly origin: string;
  /** The names on the certificates of each connection, in order. */
  readonly names: string[];
  readonly files: Required<TlsFetchFiles>;
  write(certificate: Partial<Certificate>): Promise<void>;
}

/** A server that closes each connection after one answer, and the client's files. */
async function createScene(written?: Certificate, keepAlive = false): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'service-auth-tls-'));
  const files = {
    certFile: join(folder, 'tls.crt'),
    keyFile: join(folder, 'tls.key'),
    caFile: join(folder, 'ca.crt'),
  };
  const { cert, key } = await authority.issue('ip:127.0.0.1');
  const names: string[] = [];
  const options = { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
  const server = createServer(options, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    if (!keepAlive) response.setHeader('connection', 'close');
    response.setHeader('content-type', 'application/json');
    const token = { access_token: 'token-1', token_type: 'Bearer', expires_in: 600 };
    const { method, headers } = request;
    response.end(JSON.stringify(request.url === '/token' ? { ...token, body } : { method, headers, body }));
  });
  server.on('secureConnection', (socket: TLSSocket) =>
    names.push(String(socket.getPeerCertificate().subject.CN)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });
  const write = async (given: Partial<Certificate>): Promise<void> => {
    if (given.cert !== undefined) await writeFile(files.certFile, given.cert);
    if (given.key !== undefined) await writeFile(files.keyFile, given.key);
  };
  await writeFile(files.caFile, authority.cert);
  if (written !== undefined) await write(written);
  return { origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, names, files, write };
}

describe('tlsFetch', () => {
  it('presents the certificate, and a renewed one on the next connection', async () => {
    const { origin, names, files, write } = await createScene(first);
    const fetch = tlsFetch(files);
    expect((await fetch(origin)).status).toBe(200);
    await write(second);
    expect((await fetch(origin)).status).toBe(200);
    expect((await fetch(origin)).status).toBe(200);
    expect(names).toEqual(['first.example', 'second.example', 'second.example']);
  });

  it('keeps a connection that is open', async () => {
    const { origin, names, files, write } = await createScene(first, true);
    const fetch = tlsFetch(files);
    await (await fetch(origin)).text();
    await write(second);
    await (await fetch(origin)).text();
    expect(names).toEqual(['first.example']);
  });

  it.each<[string, () => Partial<Certificate>]>([
    ['are half renewed', () => ({ cert: second.cert })],
    ['are half written', () => ({ cert: second.cert.slice(0, 200), key: second.key })],
    ['are empty', () => ({ cert: '', key: '' })],
    ['hold something else', () => ({ key: 'not a key' })],
  ])('uses the last good files while they %s', async (_, partly) => {
    const { origin, names, files, write } = await createScene(first);
    const fetch = tlsFetch(files);
    await fetch(origin);
    await write(partly());
    expect((await fetch(origin)).status).toBe(200);
    await write(second);
    expect((await fetch(origin)).status).toBe(200);
    expect(names).toEqual(['first.example', 'first.example', 'second.example']);
  });

  it('rejects while there are none, and works once there are', async () => {
    const { origin, files, write } = await createScene();
    const fetch = tlsFetch(files);
    const error = await rejection(fetch(origin));
    expect(error).toMatchObject({ name: 'TypeError', cause: { code: 'client_auth_failed' } });
    await write({ cert: first.cert, key: 'not a key' });
    expect(await rejection(fetch(origin))).toMatchObject({ cause: { code: 'client_auth_failed' } });
    await write(first);
    expect((await fetch(origin)).status).toBe(200);
  });

  it('trusts no server that is not signed by an authority of the file', async () => {
    const { origin, files } = await createScene(first);
    const { caFile: _, ...rest } = files;
    expect(await rejection(tlsFetch(rest)(origin))).toMatchObject({ name: 'TypeError' });
    expect((await tlsFetch(files)(origin)).status).toBe(200);
  });

  it('sends requests and forms of the platform', async () => {
    const { origin, files } = await createScene(first);
    const fetch = tlsFetch(files);
    const headers = { 'x-a': '1', 'content-type': 'text/plain' };
    const request = new Request(origin, { method: 'PUT', headers, body: 'hello' });
    expect(await (await fetch(request)).json()).toMatchObject({ method: 'PUT', headers, body: 'hello' });
    expect(await (await fetch(new Request(origin))).json()).toMatchObject({ method: 'GET', body: '' });
    const form = new FormData();
    form.set('name', 'value');
    const { headers: sent, body } = (await (await fetch(origin, { method: 'POST', body: form })).json()) as {
      headers: Record<string, string>;
      body: string;
    };
    expect(sent['content-type']).toMatch(/^multipart\/form-data; boundary=/);
    expect(body).toContain('name="name"');
  });

  it('authenticates a client, whose tokens it takes along', async () => {
    const { origin, names, files } = await createScene(first);
    const options = {
      tokenEndpoint: `${origin}/token`,
      clientId: 'billing',
      clientAuth: tlsClientAuth(),
      fetch: tlsFetch(files),
    };
    const authedFetch = createAuthedFetch({ ...options, targets: [origin] });
    const answer = await (await authedFetch(new Request(`${origin}/orders`))).json();
    expect(answer).toMatchObject({ headers: { authorization: 'Bearer token-1' } });
    expect(names).toEqual(['first.example', 'first.example']);
  });

  it('fails a token request without showing what is in the files', async () => {
    const { origin, files, write } = await createScene();
    await write({ cert: first.cert, key: 'canary-key' });
    const tokens = createTokenClient({
      tokenEndpoint: `${origin}/token`,
      clientId: 'billing',
      clientAuth: tlsClientAuth(),
      fetch: tlsFetch(files),
    });
    const error = await rejection(tokens.getToken());
    expect(error).toMatchObject({ name: 'ServiceAuthError', code: 'network_failed' });
    expect(String(error)).not.toContain('canary');
  });

  it.each<[string, object]>([
    ['certFile, keyFile and caFile must be paths', { certFile: 'a' }],
    ['certFile, keyFile and caFile must be paths', { certFile: 'a', keyFile: '' }],
    ['certFile, keyFile and caFile must be paths', { certFile: 'a', keyFile: 'b', caFile: 5 }],
    ['unknown option key;', { certFile: 'a', keyFile: 'b', key: 'c' }],
  ])('a mistake is a TypeError at creation: %s', (message, files) => {
    expect(() => tlsFetch(files as TlsFetchFiles)).toThrow(TypeError);
    expect(() => tlsFetch(files as TlsFetchFiles)).toThrow(message);
  });
});
