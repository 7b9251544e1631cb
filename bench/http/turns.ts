/** How long the calls that verify take in one turn of the event loop, all together. */
let spentMs = 0;
let mostMs = 0;
let isCounting = false;
let wasCalled = false;

/** What comes later, after waiting for a promise or the thread pool, does not count. */
export function timeInTurn<T>(verify: () => T): T {
  const begun = performance.now();
  const result = verify();
  spentMs += performance.now() - begun;
  wasCalled = true;
  if (!isCounting) {
    isCounting = true;
    setImmediate(endTurn);
  }
  return result;
}

function endTurn(): void {
  mostMs = Math.max(mostMs, spentMs);
  spentMs = 0;
  isCounting = false;
}

export function forgetTurns(): void {
  mostMs = 0;
  wasCalled = false;
}

/** Of the turns since they were forgotten; undefined where nothing was timed in them. */
export function longestTurnMs(): number | undefined {
  return wasCalled ? mostMs : undefined;
}
