/** A mistake in how the command was called: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What could not be decided, since somebody was out of reach: exit code 3. */
export class UndecidedError extends Error {
  override readonly name = 'UndecidedError';
}
