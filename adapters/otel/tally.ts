import type { Attributes, Meter, ObservableResult } from '@opentelemetry/api';

/** What stands for all values beyond the bound; OpenTelemetry's own word for that. */
export const OTHER = '_OTHER';

/** Lets so many different values of each attribute through, the first that come. */
export type Bounds = (name: string, value: string) => string;

/** `mostOf` says how many; whoever is told nothing else has room for 100. */
export function createBounds(mostOf: Readonly<Record<string, number>>): Bounds {
  const seen = new Map<string, Set<string>>();
  return (name, value) => {
    const values = seen.get(name) ?? new Set();
    seen.set(name, values);
    if (values.has(value)) return value;
    if (values.size >= (mostOf[name] ?? 100)) return OTHER;
    values.add(value);
    return value;
  };
}

/** A counter that adds up by itself: OpenTelemetry asks for the sums when it collects, which spares each request that. */
export interface Tally {
  /** Counts one; values in the order of the names, `undefined` where an attribute is left out. */
  add(...values: readonly (string | undefined)[]): void;
}

export interface TallyOptions {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  /** The names of its attributes. */
  readonly attributes: readonly string[];
}

/** The sums of one value of an attribute, and of what comes after it. */
interface Branch {
  readonly attributes: Attributes;
  readonly next: Map<string | undefined, Branch>;
  total: number;
}

/** Makes tallies of one meter, and forgets them all at once. */
export interface Tallies {
  create(options: TallyOptions): Tally;
  stop(): void;
}

export function createTallies(meter: Meter, bounds: Bounds): Tallies {
  const stops: (() => void)[] = [];

  function create({ name, unit, description, attributes: names }: TallyOptions): Tally {
    const root = branchOf({});

    /** Only what is new goes through the bounds, so that what is known is found by one look-up for each attribute. */
    function grow(branch: Branch, attribute: string, value: string | undefined): Branch {
      const shown = value === undefined ? undefined : bounds(attribute, value);
      const known = branch.next.get(shown);
      if (known !== undefined) return known;
      const grown = branchOf(
        shown === undefined ? branch.attributes : { ...branch.attributes, [attribute]: shown },
      );
      branch.next.set(shown, grown);
      return grown;
    }

    const counter = meter.createObservableCounter(name, { unit, description });
    const observe = (result: ObservableResult): void => observeAll(root, result);
    counter.addCallback(observe);
    stops.push(() => counter.removeCallback(observe));
    return {
      add(...values) {
        let branch = root;
        for (let at = 0; at < names.length; at++) {
          const value = values[at];
          branch = branch.next.get(value) ?? grow(branch, names[at] ?? '', value);
        }
        branch.total++;
      },
    };
  }

  return {
    create,
    stop() {
      for (const stop of stops.splice(0)) stop();
    },
  };
}

function branchOf(attributes: Attributes): Branch {
  return { attributes, next: new Map(), total: 0 };
}

function observeAll(branch: Branch, result: ObservableResult): void {
  if (branch.total > 0) result.observe(branch.total, branch.attributes);
  for (const next of branch.next.values()) observeAll(next, result);
}
