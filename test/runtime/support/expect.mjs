/** What a check may ask for, without the assertions of any one runtime. */

/** Compares by content, as JSON shows it. */
export function equal(actual, expected, what = 'the value') {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw new Error(`${what} is ${is}, not ${should}`);
}

export function matches(text, pattern, what = 'the text') {
  if (!pattern.test(text ?? '')) throw new Error(`${what} is ${JSON.stringify(text)}, not as ${pattern}`);
}

/** That a promise rejects with a ServiceAuthError of this code; gives the error. */
export async function rejects(promise, code) {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  if (error === undefined) throw new Error(`nothing was thrown, not even ${code}`);
  if (error.code !== code) throw new Error(`${error.name} ${error.code}: ${error.message}; not ${code}`);
  return error;
}

/** Waits for what happens in the background, turn by turn, and for 5 s at most. */
export async function eventually(holds, what) {
  const patience = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > patience) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
