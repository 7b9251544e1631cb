import { defineConfig } from 'vitest/config';

/** What needs a real service, which each suite starts for itself. */
export default defineConfig({
  test: {
    include: ['test/services/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Servers that are killed and started again need the machine to themselves.
    fileParallelism: false,
  },
});
