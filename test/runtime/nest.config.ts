import { defineConfig } from 'vitest/config';

/** Everything about Nest with the version that is installed in the folder `NEST_FOLDER`. */
const installed = [
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/platform-express',
  '@nestjs/platform-fastify',
  'reflect-metadata',
];
const folder = process.env.NEST_FOLDER;
if (folder === undefined) throw new Error('NEST_FOLDER must name the folder where Nest is installed');

export default defineConfig({
  resolve: {
    alias: installed.map((name) => ({
      find: new RegExp(`^${name}$`),
      replacement: `${folder}/node_modules/${name}`,
    })),
  },
  test: {
    include: ['test/contract/{contract,protected-resource}.test.ts', 'test/unit/adapters/nest.test.ts'],
    testTimeout: 30_000,
  },
});
