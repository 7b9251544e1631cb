/** The members of an object that mean something else in another one. Lists are sets: scopes, for example, have no order. */
export function differingMembers(wanted: object, existing: object): readonly string[] {
  return Object.entries(wanted)
    .filter(([name, value]) => canonical(value) !== canonical(Reflect.get(existing, name)))
    .map(([name]) => name);
}

/** The same text for the same meaning. */
function canonical(value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return `[${[...new Set(value.map(canonical))].sort().join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)
    .sort()
    .join()}}`;
}
