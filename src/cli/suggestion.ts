import { distance } from '../shared/options.ts';

/** The end of a message about an unknown word: the one that was probably meant, if any is near. */
export function suggestion(word: string, known: readonly string[], prefix = ''): string {
  const typed = word.slice(0, 40).toLowerCase();
  const [nearest] = known
    .map((name) => ({ name, steps: distance(typed, name.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps);
  const isNear = nearest !== undefined && nearest.steps <= Math.max(1, Math.floor(nearest.name.length / 3));
  return isNear ? `; did you mean ${prefix}${nearest.name}?` : '';
}
