import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What noticed the last change may notice the next one, and a quick file before a slow one: the first failure ends it. */
class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { cache, config } = this.ctx;
    const cost = (file: TestSpecification): number => {
      const key = `${file.project.name}:${relative(config.root, file.moduleId)}`;
      const { failed = false, duration = 0 } = cache.getFileTestResults(key) ?? {};
      return failed ? -1 : duration;
    };
    return [...files].sort((a, b) => cost(a) - cost(b));
  }
}

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
      'test/unit/outbound/{memory,credential-leaks}.test.ts',
      'test/unit/shared/{inflate,runtime,url}.test.ts',
      'test/conformance/{dpop-oracle,jws}.test.ts',
    ],
    // One process loads the modules once for all files: most of the time of a change would go into that.
    isolate: false,
    sequence: { sequencer: QuickFirst },
    testTimeout: 60_000,
  },
});
