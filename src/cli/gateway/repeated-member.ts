/** Members of JSON that are there twice: the parser takes the last, and whoever reads the file may take the first. */

export interface RepeatedMember {
  readonly name: string;
  /** Of the object that has it, such as `routes[1].clients`; empty for the whole. */
  readonly place: string;
}

interface Container {
  readonly place: string;
  /** Of an object; undefined for a list. */
  readonly names: Set<string> | undefined;
  /** Of the member or item that comes next. */
  name: string;
  at: number;
}

const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** Finds the first one in a text that is known to be JSON. */
export function findRepeatedMember(text: string): RepeatedMember | undefined {
  const open: Container[] = [];
  let last = '';
  for (const [token] of text.matchAll(tokens)) {
    const inside = open.at(-1);
    if (token === '{' || token === '[') {
      const names = token === '{' ? new Set<string>() : undefined;
      open.push({ place: inside === undefined ? '' : placeIn(inside), names, name: '', at: 0 });
    } else if (token === '}' || token === ']') {
      open.pop();
    } else if (token === ',' && inside !== undefined) {
      inside.at++;
    } else if (token === ':' && inside?.names !== undefined) {
      inside.name = JSON.parse(last);
      if (inside.names.has(inside.name)) return { name: inside.name, place: inside.place };
      inside.names.add(inside.name);
    }
    last = token;
  }
  return undefined;
}

function placeIn({ place, names, name, at }: Container): string {
  if (names === undefined) return `${place}[${at}]`;
  return place === '' ? name : `${place}.${name}`;
}
