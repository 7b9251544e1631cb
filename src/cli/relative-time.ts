const units = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

/** A time in epoch seconds for people: when it is, and how far from now. */
export function relativeTime(seconds: number, nowMs: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return `${seconds}, which is no time`;
  const distance = Math.round(seconds - nowMs / 1000);
  const iso = date.toISOString().replace('.000Z', 'Z');
  return `${iso} (${distance < 0 ? `${span(-distance)} ago` : `in ${span(distance)}`})`;
}

function span(seconds: number): string {
  const [name, length] = units.find(([, unit]) => seconds >= 2 * unit) ?? ['second', 1];
  const count = Math.floor(seconds / length);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
