/** What the gateway refuses by itself, as lines of JSON; a flood of them does not fill the disk. */
import { jsonText } from '../output.ts';
import type { Refusal } from './gate.ts';

const MOST_PER_SECOND = 20;
const LONGEST = 200;

export function createRefusalLog(
  write: (line: string) => void,
  now: () => number = Date.now,
): (refusal: Refusal) => void {
  let second = 0;
  let count = 0;

  function line(at: number, event: string, members: object): void {
    write(jsonText({ time: new Date(at).toISOString(), level: 'warn', event, ...members }));
  }

  return ({ path, ...refusal }) => {
    const at = now();
    if (Math.floor(at / 1000) !== second) {
      if (count > MOST_PER_SECOND) {
        line(at, 'log.left_out', { of: 'gateway.refused', count: count - MOST_PER_SECOND });
      }
      second = Math.floor(at / 1000);
      count = 0;
    }
    if (++count <= MOST_PER_SECOND)
      line(at, 'gateway.refused', { ...refusal, path: path?.slice(0, LONGEST) });
  };
}
