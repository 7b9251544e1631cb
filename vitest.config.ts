import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/services/**', 'test/runtime/**'],
    testTimeout: 30_000,
    // A machine of two cores would run one file at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
