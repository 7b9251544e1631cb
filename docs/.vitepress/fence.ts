/** Whether a fence holds code of other libraries that a migration leaves: parsed, not compiled. */
export function isBefore(info: string): boolean {
  return info.trim().split(/\s+/)[1] === 'before';
}
