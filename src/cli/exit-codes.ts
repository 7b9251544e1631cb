/** What every command ends with. */
export const exitCodes = {
  good: 0,
  /** Something failed, or was refused. */
  failed: 1,
  /** The command was called in the wrong way. */
  usage: 2,
  /** The issuer or service is out of reach, so that nothing can be said. */
  undecided: 3,
} as const;

export const exitCodeHelp = `Exit codes:
  0  good
  1  failed or refused
  2  called in the wrong way
  3  cannot be decided: the issuer, or the service, is out of reach`;
