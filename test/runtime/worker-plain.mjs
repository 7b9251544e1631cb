/** A Worker with what web standards have, and nothing else. */
import { createWorker } from './worker.mjs';

// biome-ignore lint/style/noDefaultExport: that is what a Worker is
export default createWorker();
