import type { Stage } from './stage.ts';

/** One example, as the list shows it. */
export interface Example {
  readonly shows: string;
  /** What to read, from the folder of the examples. */
  readonly file: string;
  /** What must be on the machine. */
  readonly needs?: string;
  /** Whether it goes on serving when it is not asked to check. */
  readonly serves?: boolean;
  run(stage: Stage): Promise<void>;
}
