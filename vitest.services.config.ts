import { defineConfig } from 'vitest/config';

/** What needs a real service, which each suite starts for itself, on ports of its own. */
export default defineConfig({
  test: {
    include: ['test/services/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // They wait for servers more than they compute.
    maxWorkers: 2,
  },
});
