/** Time that passes as fast as its events can be worked off. */
export interface VirtualTime {
  /** Milliseconds since the beginning. */
  readonly now: () => number;
  /** What is due in the past is done next. */
  at(time: number, event: () => void): void;
  /** Time stands still until what was begun has ended, such as encryption, which takes real time. */
  begin(): void;
  end(): void;
  /** Does all that is due up to then. */
  run(until: number): Promise<void>;
}

export function createVirtualTime(): VirtualTime {
  const events = new Map<number, (() => void)[]>();
  const dates = createHeap();
  let time = 0;
  let underWay = 0;

  /** Lets everything that waits for a promise go on. */
  async function settle(): Promise<void> {
    do await nextTurn();
    while (underWay > 0);
  }

  return {
    now: () => time,
    at(when, event) {
      const date = Math.max(Math.ceil(when), time);
      const list = events.get(date);
      if (list !== undefined) {
        list.push(event);
        return;
      }
      events.set(date, [event]);
      dates.push(date);
    },
    begin: () => void underWay++,
    end: () => void underWay--,
    async run(until) {
      for (let date = dates.peek(); date !== undefined && date <= until; date = dates.peek()) {
        dates.pop();
        time = date;
        const due = events.get(date) ?? [];
        events.delete(date);
        for (const event of due) event();
        await settle();
      }
      time = until;
    },
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The least number first. */
function createHeap() {
  const heap: number[] = [];

  function valueAt(index: number): number {
    return heap[index] ?? Number.POSITIVE_INFINITY;
  }

  function sink(value: number): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const child = valueAt(left + 1) < valueAt(left) ? left + 1 : left;
      if (valueAt(child) >= value) break;
      heap[at] = valueAt(child);
      at = child;
    }
    heap[at] = value;
  }

  return {
    peek: (): number | undefined => heap[0],
    push(value: number): void {
      let at = heap.length;
      heap.push(value);
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (valueAt(parent) <= value) break;
        heap[at] = valueAt(parent);
        at = parent;
      }
      heap[at] = value;
    },
    pop(): void {
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) sink(last);
    },
  };
}
