/**
 * Whether an `Accept` header (RFC 9110 section 12.5.1) names the special media type, and likes it no less than the
 * usual one. Both are in lower case; parameters other than `q` are not looked at.
 */
export function prefers(accept: string | null, special: string, usual: string): boolean {
  const weights = new Map<string, number>();
  for (const range of accept?.toLowerCase().split(',') ?? []) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    weights.set(type, weight === undefined ? 1 : Number(weight) || 0);
  }
  const [group] = usual.split('/');
  const usualWeight = weights.get(usual) ?? weights.get(`${group}/*`) ?? weights.get('*/*') ?? 0;
  const specialWeight = weights.get(special) ?? 0;
  return specialWeight > 0 && specialWeight >= usualWeight;
}
