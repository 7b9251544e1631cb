/** What an example shows, line by line: a tick or a cross, what it was, what came of it, and the time it took. */

export interface Report {
  /** Does a step and prints its line; what the work throws goes on to the caller. */
  step<T>(title: string, work: () => T | Promise<T>, detailOf?: (result: T) => string): Promise<T>;
  /** Prints the last line, and says whether nothing failed. */
  finish(): boolean;
}

const TITLE_COLUMNS = 50;
const DETAIL_COLUMNS = 56;

export function createReport(): Report {
  const started = performance.now();
  let passed = 0;
  let failed = 0;
  return {
    async step(title, work, detailOf = String) {
      const start = performance.now();
      const line = (mark: string, detail: string): void => {
        const took = `${Math.round(performance.now() - start)} ms`;
        console.log(`${mark} ${title.padEnd(TITLE_COLUMNS)}  ${detail.padEnd(DETAIL_COLUMNS)}  ${took}`);
      };
      try {
        const result = await work();
        line('✓', detailOf(result));
        passed++;
        return result;
      } catch (error) {
        line('✗', error instanceof Error ? error.message : String(error));
        failed++;
        throw error;
      }
    },
    finish() {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`\n${passed} passed, ${failed} failed in ${seconds} s`);
      return failed === 0 && passed > 0;
    },
  };
}
