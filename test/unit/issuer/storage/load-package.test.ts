import { expect, it } from 'vitest';
import { loadPackage } from '../../../../src/issuer/storage/load-package.ts';

const failing = (code: string) => async (): Promise<never> => {
  throw Object.assign(new Error('the first reason'), { code });
};

it.each(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])('names what to install (%s)', async (code) => {
  await expect(loadPackage('libsqlStorage', 'kysely libsql', failing(code))).rejects.toThrow(
    'libsqlStorage needs packages that are not installed: npm install kysely libsql',
  );
});

it('leaves other failures as they are', async () => {
  await expect(loadPackage('x', 'y', failing('EACCES'))).rejects.toThrow('the first reason');
});

it('gives what was loaded', async () => {
  expect(await loadPackage('x', 'y', async () => 5)).toBe(5);
});
