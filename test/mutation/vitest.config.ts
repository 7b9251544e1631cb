import { defineConfig } from 'vitest/config';

/** What judges a change: all that tests the two cores without other processes, whole frameworks or minutes of load. */
export default defineConfig({
  test: {
    root: '.',
    include: [
      'test/unit/{inbound,outbound,shared}/**/*.test.ts',
      'test/conformance/**/*.test.ts',
      'test/threats/**/*.test.ts',
    ],
    exclude: [
      'test/threats/{issuer-*,floods,waiting-signatures}.test.ts',
      'test/unit/outbound/memory.test.ts',
      'test/unit/shared/inflate.test.ts',
    ],
    // One case of twenty thousand subjects takes minutes where every branch is counted.
    testNamePattern: /^(?!.*20,000 subjects)/,
    testTimeout: 60_000,
  },
});
