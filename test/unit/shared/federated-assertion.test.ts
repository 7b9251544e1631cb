import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { SignJWT } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ClientAuth, ClientAuthRequest } from '../../../src/shared/client-auth.ts';
import {
  federatedAssertion,
  kubernetesServiceAccountToken,
} from '../../../src/shared/federated-assertion.ts';
import { rejection } from '../outbound/support.ts';

const startMs = 1_800_000_000_000;
let nowMs = startMs;

/** What a platform would sign: good for so many seconds from the start. */
function sign(seconds: number, claims: object = {}): Promise<string> {
  return new SignJWT({ sub: 'pod', jti: crypto.randomUUID(), ...claims })
    .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
    .setIssuer('https://cluster.example')
    .setAudience('https://idp.example')
    .setIssuedAt(startMs / 1000)
    .setExpirationTime(startMs / 1000 + seconds)
    .sign(new Uint8Array(32));
}

async function temporaryFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'service-auth-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  nowMs = startMs;
  return join(directory, 'token');
}

function requestNow(): ClientAuthRequest {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  const endpoint = 'https://idp.example/token';
  return {
    issuer: undefined,
    endpoint,
    clientId: 'billing',
    form,
    headers: {},
    refusals: 0,
    now: () => nowMs,
  };
}

async function sent(auth: ClientAuth): Promise<string | null> {
  const request = requestNow();
  await auth(request);
  return request.form.get('client_assertion');
}

const credential = async (auth: ClientAuth): Promise<string | undefined> =>
  (await auth(requestNow()))?.credential;

describe('federatedAssertion from a file', () => {
  it('sends what is in the file as it is (RFC 7523 section 2.2)', async () => {
    const path = await temporaryFile();
    const token = await sign(600);
    await writeFile(path, `${token}\n`);
    const request = requestNow();
    await federatedAssertion({ file: path })(request);
    expect(Object.fromEntries(request.form)).toEqual({
      grant_type: 'client_credentials',
      client_id: 'billing',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: token,
    });
    expect(request.headers).toEqual({});
  });

  it('uses a rotated assertion at once, and tells it from the one before', async () => {
    const path = await temporaryFile();
    const auth = federatedAssertion({ file: path });
    const [first, second] = [await sign(600), await sign(1200)];
    await writeFile(path, first);
    expect(await sent(auth)).toBe(first);
    const used = await credential(auth);
    expect(await credential(auth)).toBe(used);
    await writeFile(`${path}.new`, second);
    await rename(`${path}.new`, path);
    expect(await sent(auth)).toBe(second);
    expect(await credential(auth)).not.toBe(used);
  });

  it('keeps the last good one through every stage of a write in place', async () => {
    const path = await temporaryFile();
    const auth = federatedAssertion({ file: path });
    const [first, second] = [await sign(600), await sign(1200)];
    await writeFile(path, first);
    await sent(auth);
    const inSignature = second.lastIndexOf('.') + 1;
    for (let length = 0; length <= inSignature; length += 7) {
      await writeFile(path, second.slice(0, length));
      expect(await sent(auth)).toBe(first);
    }
    await writeFile(path, second);
    expect(await sent(auth)).toBe(second);
    await rm(path);
    expect(await sent(auth)).toBe(second);
  });

  it('keeps the last good one when the file goes back to an expired one', async () => {
    const path = await temporaryFile();
    const auth = federatedAssertion({ file: path });
    const [good, expired] = [await sign(600), await sign(-1)];
    await writeFile(path, good);
    await sent(auth);
    await writeFile(path, expired);
    expect(await sent(auth)).toBe(good);
  });

  it('never uses an assertion beyond its exp, less the margin', async () => {
    const path = await temporaryFile();
    for (const [options, marginMs] of [
      [{}, 10_000],
      [{ marginSeconds: 0 }, 0],
      [{ marginSeconds: 60 }, 60_000],
    ] as const) {
      const auth = federatedAssertion({ file: path }, options);
      const token = await sign(600);
      await writeFile(path, token);
      nowMs = startMs + 600_000 - marginMs - 1;
      expect(await sent(auth)).toBe(token);
      nowMs++;
      expect(await rejection(sent(auth))).toMatchObject({
        code: 'client_auth_failed',
        message: `the client assertion could not be read from ${path} (it has expired)`,
      });
      await rm(path);
      expect(await rejection(sent(auth))).toMatchObject({
        message: `the client assertion could not be read from ${path} (ENOENT)`,
      });
      const renewed = await sign(1200);
      await writeFile(path, renewed);
      expect(await sent(auth)).toBe(renewed);
    }
  });

  it.each([
    ['nothing', async () => ''],
    ['a word', async () => 'canary'],
    ['a JWT without exp', async () => withoutExp(await sign(600))],
    ['an exp that is text', async () => withClaims('{"exp":"1900000000"}')],
    ['an exp beyond numbers', async () => withClaims('{"exp":1e400}')],
    ['claims that are no object', async () => withClaims('[]')],
    ['five parts', async () => 'a.b.c.d.e'],
    ['no signature', async () => (await sign(600)).replace(/[^.]*$/, '')],
  ])('names the path and never the content where it holds %s', async (_name, content) => {
    const path = await temporaryFile();
    const text = await content();
    await writeFile(path, text);
    const error = await rejection(sent(federatedAssertion({ file: path })));
    expect(error).toMatchObject({
      code: 'client_auth_failed',
      message: `the client assertion could not be read from ${path} (it is no JWT with exp)`,
    });
    if (text !== '') expect(inspect(error, { depth: null, showHidden: true })).not.toContain(text);
  });

  it('says so where the runtime has no files', async () => {
    const path = await temporaryFile();
    await writeFile(path, await sign(600));
    const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    onTestFinished(() => getBuiltinModule.mockRestore());
    expect(await rejection(sent(federatedAssertion({ file: path })))).toMatchObject({
      code: 'client_auth_failed',
      message: `the client assertion could not be read from ${path} (this runtime has no files)`,
    });
  });

  it('threat 27: shows the assertion nowhere', async () => {
    const path = await temporaryFile();
    const token = await sign(600);
    await writeFile(path, token);
    const auth = federatedAssertion({ file: path });
    const shown = inspect([auth, await auth(requestNow()), auth], {
      depth: null,
      showHidden: true,
      getters: true,
    });
    expect(shown).not.toContain(token);
  });
});

describe('federatedAssertion from a function', () => {
  it('asks for each request', async () => {
    const tokens = [await sign(600), `${await sign(600)}\n`];
    const [first, second] = tokens.map((token) => token.trim());
    const auth = federatedAssertion(async () => tokens.shift() ?? '');
    nowMs = startMs;
    expect([await sent(auth), await sent(auth)]).toEqual([first, second]);
  });

  it('takes assertions that differ in number and times alone for one credential', async () => {
    nowMs = startMs;
    let claims: object = {};
    let seconds = 600;
    const auth = federatedAssertion(() => sign(seconds, claims));
    const used = await credential(auth);
    seconds = 900;
    expect(await credential(auth)).toBe(used);
    claims = { sub: 'other' };
    expect(await credential(auth)).not.toBe(used);
  });

  it.each([
    ['expired', async () => sign(5), 'it has expired'],
    ['no JWT', async () => 'canary', 'it is no JWT with exp'],
    ['nothing', async () => undefined, 'it is no JWT with exp'],
  ])('refuses what is %s', async (_name, source, reason) => {
    nowMs = startMs;
    const error = await rejection(sent(federatedAssertion(source as () => Promise<string>)));
    expect(error).toMatchObject({
      code: 'client_auth_failed',
      message: `the client assertion could not be read (${reason})`,
    });
  });

  it('says of a failing function its code, never its message', async () => {
    const failure = Object.assign(new Error('canary'), { code: 'ECONNREFUSED' });
    const error = await rejection(sent(federatedAssertion(() => Promise.reject(failure))));
    expect(error).toMatchObject({ message: 'the client assertion could not be read (ECONNREFUSED)' });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('canary');
  });
});

describe('options', () => {
  it.each([
    [
      'canary',
      {},
      /source must be a function that gives a JWT, or \{ file \} with the path of one; got a text/,
    ],
    [undefined, {}, /source must be a function/],
    [[], {}, /source must be an object/],
    [{}, {}, /source.file must be a path/],
    [{ path: 'x' }, {}, /unknown option path in source/],
    [{ file: 'x' }, { marginSeconds: -1 }, /marginSeconds must be a number of seconds from 0 to 300; got -1/],
    [{ file: 'x' }, { margin: 1 }, /unknown option margin in options; did you mean marginSeconds\?/],
  ])('%j with %j is refused at creation', (source, options, message) => {
    const create = (): ClientAuth => federatedAssertion(source as { file: string }, options as object);
    expect(create).toThrow(TypeError);
    expect(create).toThrow(message);
    expect(create).not.toThrow('canary');
  });

  it('kubernetesServiceAccountToken names the file that a pod mounts', async () => {
    expect(kubernetesServiceAccountToken()).toEqual({ file: '/var/run/secrets/tokens/service-auth' });
    const path = await temporaryFile();
    const token = await sign(600);
    await writeFile(path, token);
    expect(await sent(federatedAssertion(kubernetesServiceAccountToken(path)))).toBe(token);
    expect(() => kubernetesServiceAccountToken('')).toThrow(/path must be a path/);
  });
});

function withClaims(json: string): string {
  const encode = (text: string): string => Buffer.from(text).toString('base64url');
  return `${encode('{"alg":"HS256"}')}.${encode(json)}.c2ln`;
}

/** The same token without its exp; the signature is not looked at. */
function withoutExp(token: string): string {
  const { exp: _, ...claims } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  return withClaims(JSON.stringify(claims));
}
