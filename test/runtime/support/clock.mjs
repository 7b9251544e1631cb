/** A clock that a check moves by hand. */
export function createClock(startMs = Date.now()) {
  let ms = startMs;
  return {
    now: () => ms,
    seconds: () => Math.floor(ms / 1000),
    advance(seconds) {
      ms += seconds * 1000;
    },
  };
}
