import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { secretFromEnvironment } from '../../../src/environment.ts';
import { type ClientAuthRequest, clientSecretPost } from '../../../src/shared/client-auth.ts';
import { secretFile } from '../../../src/shared/secret-file.ts';
import { rejection } from '../outbound/support.ts';

async function temporaryFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'service-auth-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, 'secret');
}

describe('secretFile', () => {
  it('reads the file at each use, without white space around the secret', async () => {
    const path = await temporaryFile();
    const read = secretFile(path);
    for (const [content, secret] of [
      ['one\n', 'one'],
      ['\ufeff two words\r\n', 'two words'],
      ['three', 'three'],
    ] as const) {
      await writeFile(path, content);
      expect(read()).toBe(secret);
    }
  });

  it('keeps the last secret while the file is empty, gone or no file', async () => {
    const path = await temporaryFile();
    const read = secretFile(path);
    await writeFile(path, 'one');
    expect(read()).toBe('one');
    await writeFile(path, ' \n');
    expect(read()).toBe('one');
    await rm(path);
    expect(read()).toBe('one');
    await writeFile(`${path}.new`, 'two');
    await rename(`${path}.new`, path);
    expect(read()).toBe('two');
  });

  it('names the path and what is wrong where there never was a secret', async () => {
    const path = await temporaryFile();
    const read = secretFile(path);
    const failure = (reason: string): object =>
      expect.objectContaining({ code: 'client_auth_failed', message: `secretFile: ${path} ${reason}` });
    expect(read).toThrow(failure('could not be read (ENOENT)'));
    await writeFile(path, '\n');
    expect(read).toThrow(failure('holds no secret'));
    expect(secretFile(tmpdir())).toThrow('could not be read (EISDIR)');
  });

  it('says so where the runtime has no files', async () => {
    const path = await temporaryFile();
    await writeFile(path, 'one');
    const read = secretFile(path);
    const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    onTestFinished(() => getBuiltinModule.mockRestore());
    expect(read).toThrow(`secretFile: ${path} could not be read (this runtime has no files)`);
  });

  it.each([undefined, '', ' ', 7, {}])('refuses the path %j at creation', (path) => {
    expect(() => secretFile(path as string)).toThrow(/^secretFile: path must be a path/);
  });

  it('is a source of secrets: the file is read again after a refusal', async () => {
    const path = await temporaryFile();
    const auth = clientSecretPost(secretFile(path));
    const sent = async (refusals: number): Promise<string | null> => {
      const request: ClientAuthRequest = {
        issuer: undefined,
        endpoint: 'https://idp.example/token',
        clientId: 'a',
        form: new URLSearchParams(),
        headers: {},
        refusals,
        now: Date.now,
      };
      await auth(request);
      return request.form.get('client_secret');
    };
    expect(await rejection(sent(0))).toMatchObject({
      message: `secretFile: ${path} could not be read (ENOENT)`,
    });
    await writeFile(path, 'half');
    expect(await sent(0)).toBe('half');
    await writeFile(path, 'half and half');
    expect(await sent(1)).toBe('half and half');
  });
});

describe('secretFromEnvironment', () => {
  it('prefers the variable itself, and keeps the last good content of the file', async () => {
    const path = await temporaryFile();
    vi.stubEnv('SERVICE_AUTH_CLIENT_SECRET', '');
    vi.stubEnv('SERVICE_AUTH_CLIENT_SECRET_FILE', path);
    onTestFinished(() => void vi.unstubAllEnvs());
    const read = secretFromEnvironment('here');
    if (typeof read !== 'function') throw new Error('the variable is blank');
    const file = `here: the file of SERVICE_AUTH_CLIENT_SECRET_FILE (${path})`;
    expect(read).toThrow(`${file} could not be read (ENOENT)`);
    await writeFile(path, 'one\n');
    expect(read()).toBe('one');
    await rm(path);
    expect(read()).toBe('one');
    vi.stubEnv('SERVICE_AUTH_CLIENT_SECRET', 'direct');
    expect(secretFromEnvironment('here')).toBe('direct');
  });
});
