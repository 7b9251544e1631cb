/** What a hostile client does to the server of an issuer, to its log, and to those who share a process with it. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { createVerifier, type Verifier } from '../../src/index.ts';
import { json } from '../../src/issuer/http/http-answers.ts';
import type { IssuerConnection } from '../../src/issuer/http/incoming.ts';
import type { IssuerHandler } from '../../src/issuer/http/node-http.ts';
import { createNodeServer, type ServerTls } from '../../src/issuer/http/node-server.ts';
import { createEventLog, libsqlStorage } from '../../src/issuer/index.ts';
import { isTurnSpent, verifyInPool } from '../../src/shared/burst.ts';
import { OptionChecker } from '../../src/shared/options.ts';
import { findHalves, findLost } from '../faults/issuer-crash.ts';
import { createDpopClient, hashOf, requestWith } from '../helpers/dpop.ts';
import { createAuthority } from '../helpers/tls.ts';
import { audience, createKey, issuer, mint, nowMs } from '../helpers/tokens.ts';

const check = new OptionChecker('test');
const writer = fileURLToPath(new URL('../faults/issuer-crash-writer.ts', import.meta.url));
const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function serve(handler: IssuerHandler, tls?: ServerTls) {
  const server = createNodeServer(handler, check, tls);
  const port = await server.listen(0, '127.0.0.1');
  cleanUps.push(() => server.close(0));
  return { server, port };
}

/** A connection that keeps what it is told. */
function open(port: number): { socket: Socket; text: () => string } {
  const socket = connect(port, '127.0.0.1');
  cleanUps.push(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  return { socket, text: () => text };
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

/** A handler that answers once it is let go. */
function holding() {
  const held: (() => void)[] = [];
  const handler: IssuerHandler = async () => {
    await new Promise<void>((resolve) => held.push(resolve));
    return json({ ok: true });
  };
  const letGo = (): void => {
    for (const release of held.splice(0)) release();
  };
  return { handler, held, letGo };
}

describe('threat 23: one connection', () => {
  it('holds a few requests at once, however many it sends while the storage is slow', async () => {
    const { handler, held, letGo } = holding();
    const { port } = await serve(handler);
    const { socket, text } = open(port);
    socket.write(GET.repeat(2000));
    const other = open(port);
    other.socket.write(GET);
    await expect.poll(() => held.length).toBe(17);
    letGo();
    await expect.poll(text).toMatch(/HTTP\/1\.1 503 [\s\S]*retry-after: 1/i);
    await expect.poll(other.text).toMatch(/HTTP\/1\.1 200 /);
    await expect.poll(() => text().match(/HTTP\/1\.1 (200|503) /g)?.length).toBe(2000);
    // Those whose answers are made are no longer counted.
    socket.write(GET);
    await expect.poll(() => held.length).toBe(1);
    letGo();
    await expect.poll(() => text().match(/HTTP\/1\.1 200 /g)?.length).toBe(17);
  });

  it('that goes away while its requests wait harms no other', async () => {
    const { handler, held, letGo } = holding();
    const { port } = await serve(handler);
    const gone = Array.from({ length: 20 }, () => open(port).socket);
    for (const socket of gone) socket.write(GET);
    await expect.poll(() => held.length).toBe(20);
    for (const socket of gone) socket.resetAndDestroy();
    const { socket, text } = open(port);
    socket.write(GET);
    await expect.poll(() => held.length).toBe(21);
    letGo();
    await expect.poll(text).toMatch(/HTTP\/1\.1 200 /);
  });
});

it('a server that closes answers a hundred requests under way, and does not wait for idle connections', async () => {
  const { handler, held, letGo } = holding();
  const { server, port } = await serve(async (request, connection) =>
    request.url.endsWith('/idle') ? json({}) : handler(request, connection),
  );
  const idle = Array.from({ length: 20 }, () => open(port));
  for (const { socket } of idle) socket.write(GET.replace('/', '/idle'));
  const busy = Array.from({ length: 100 }, () => open(port));
  for (const { socket } of busy) socket.write(GET);
  await expect.poll(() => held.length).toBe(100);
  await Promise.all(idle.map(({ text }) => expect.poll(text).toContain('200')));
  const closing = server.close(0);
  letGo();
  await closing;
  await Promise.all(
    busy.map(({ text }) => expect.poll(text).toMatch(/HTTP\/1\.1 200 [\s\S]*connection: close/i)),
  );
  const next = createNodeServer(async () => json({ next: true }), check, undefined);
  expect(await next.listen(port, '127.0.0.1')).toBe(port);
  await next.close(0);
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a resumed session of %s', (version) => {
  it('comes with the certificate of the first one, and with what it is worth', async () => {
    const seen: IssuerConnection[] = [];
    const [authority, stranger] = await Promise.all([createAuthority(), createAuthority('stranger.example')]);
    const { port } = await serve(
      async (_, connection) => {
        seen.push(connection);
        return json({});
      },
      { ...(await authority.issue('ip:127.0.0.1')), ca: authority.cert },
    );

    async function call(options: object): Promise<{ session: Buffer | undefined; reused: boolean }> {
      const socket: TLSSocket = connectTls({
        port,
        host: '127.0.0.1',
        ca: authority.cert,
        minVersion: version,
        maxVersion: version,
        ...options,
      });
      let session: Buffer | undefined;
      socket.on('session', (given: Buffer) => {
        session = given;
      });
      await once(socket, 'secureConnect');
      const reused = socket.isSessionReused();
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      await once(socket.resume(), 'close');
      return { session, reused };
    }

    for (const [issuer, verified] of [
      [authority, true],
      [stranger, false],
    ] as const) {
      // biome-ignore format: one line
      const { session } = await call(await issuer.issue('billing.example'));
      const first = seen.at(-1);
      expect(first).toMatchObject({ peerCertificateVerified: verified });
      expect(await call({ session })).toMatchObject({ reused: true });
      expect(seen.at(-1)).toEqual(first);
    }
    const { session } = await call({});
    expect(await call({ session, ...(await authority.issue('billing.example')) })).toMatchObject({
      reused: true,
    });
    expect(seen.at(-1)).not.toHaveProperty('peerCertificate');
    expect(seen.at(-1)).not.toMatchObject({ peerCertificateVerified: true });
  });
});

it('threat 27: a line of the log is one line of visible characters, whatever an event holds', () => {
  const lines: string[] = [];
  const log = createEventLog({ write: (line) => lines.push(line) });
  const forged = '\n{"event":"forged"}\r\u001b[2J\u0000\u007f\u009b31m\u0085\u2028\u2029\u202e';
  log({ type: 'issuer.request_failed', at: 0, method: forged, path: forged, errorName: 'Error' });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^[\x20-\x7e]+$/);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ path: forged });
});

describe('the thread pool', () => {
  it('goes on after a verification that cannot even begin', async () => {
    const dones: ((error: Error | null, holds: boolean) => void)[] = [];
    const fails = (): never => {
      throw new Error('the runtime refuses');
    };
    const first = Array.from({ length: 16 }, () => verifyInPool((done) => dones.push(done)));
    const late = [verifyInPool(fails), verifyInPool((done) => done(null, true))];
    for (const done of dones.splice(0)) done(null, true);
    expect(await Promise.all([...first, ...late])).toEqual([...first.map(() => true), false, true]);
    expect(await Promise.all(Array.from({ length: 20 }, () => verifyInPool(fails)))).not.toContain(true);
    expect(await verifyInPool((done) => done(null, true))).toBe(true);
  });
});

it('a second open in one process does not let other processes into the data directory', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'service-auth-two-'));
  cleanUps.push(() => rm(directory, { recursive: true }));
  const storage = await libsqlStorage({ directory });
  cleanUps.push(() => storage.close());
  await expect(libsqlStorage({ directory })).rejects.toThrow('in use by another issuer');
  const args = ['--import', 'tsx', writer, 'libsql', directory, '4', 'intruder'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stderr).toContain('in use by another issuer');
  expect([status, stdout]).toEqual([1, '']);
});

it('a disk that is full loses nothing that was acknowledged, and says that it is full', async () => {
  const directory = join(await mkdtemp(join(tmpdir(), 'service-auth-full-')), 'with space and ünïcode 日本');
  cleanUps.push(() => rm(dirname(directory), { recursive: true }));
  // Files of at most 2 or 4 MB: shells count in units of their own.
  const limited = ['-c', 'ulimit -f 4000; exec "$0" "$@"', process.execPath];
  const args = ['--import', 'tsx', writer, 'libsql', directory, '10000', 'full'];
  const { stdout, stderr } = spawnSync('sh', [...limited, ...args], { encoding: 'utf8' });
  expect(stderr).toMatch(/disk I\/O error|disk is full/);
  expect(stderr).not.toContain('cannot rollback');
  const lines = stdout.trim().split('\n');
  expect(lines.length).toBeGreaterThan(50);
  const storage = await libsqlStorage({ directory });
  cleanUps.push(() => storage.close());
  expect(await findLost(storage, lines)).toEqual([]);
  expect(await findHalves(storage)).toEqual([]);
});

describe('threat 18: a proof that comes a hundred times in one turn', () => {
  it('is accepted once, whichever thread verifies it, and not at all with an invalidated token', async () => {
    const [key, client] = await Promise.all([createKey('ES256'), createDpopClient()]);
    const make = () =>
      createVerifier({
        issuer: { issuer, jwks: { keys: [key.publicJwk] } },
        audience,
        dpop: 'required',
        now: () => nowMs,
      });
    const token = await mint(key, { cnf: { jkt: client.jkt } });
    const proof = await client.prove({ ath: hashOf(token) });
    const request = requestWith({ authorization: `DPoP ${token}`, dpop: proof });
    const ask = (verifier: Verifier) => Array.from({ length: 100 }, () => verifier.authenticate(request));

    const verifier = make();
    await endOfTurn();
    const outcomes = ask(verifier);
    expect(outcomes.filter((outcome) => outcome instanceof Promise).length).toBeGreaterThan(20);
    expect((await Promise.all(outcomes)).filter(({ ok }) => ok)).toHaveLength(1);

    const other = make();
    await endOfTurn();
    passTime();
    const late = ask(other).filter((outcome) => outcome instanceof Promise);
    other.invalidate(token);
    expect(late.length).toBeGreaterThan(20);
    expect((await Promise.all(late)).filter(({ ok }) => ok)).toEqual([]);
  });
});

/** Longer than a turn of the loop may verify. */
function passTime(): void {
  isTurnSpent();
  const end = performance.now() + 1;
  while (performance.now() < end);
}
