/** Takes the prototypes off fresh input: what a polluted one holds is not what somebody sent. */
export function bare<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) bare(member);
  if (!Array.isArray(value)) Object.setPrototypeOf(value, null);
  return value;
}
